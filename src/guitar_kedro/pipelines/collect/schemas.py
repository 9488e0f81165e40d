"""What stands in the tables of collected pictures: a row of each."""

from pydantic import BaseModel


class AttributionRow(BaseModel):
    """A collected picture.

    Attributes:
        file: Where it lies: its class folder and name.
        label: Its class, the name of that folder.
        source: That found it; ``table`` for one that the table of queries names.
        page: Address of the page about it.
        url: Address of the file.
        author: Who made it; empty where its source names nobody.
        license: Name of its licence.
        license_url: Address of that.
        query: What was searched for.
        time: When it was fetched, in UTC.
        sha256: Of the file.
    """

    file: str
    label: str
    source: str
    page: str
    url: str
    author: str
    license: str
    license_url: str
    query: str
    time: str
    sha256: str


class RejectedDownloadRow(BaseModel):
    """A picture that was found and is not kept.

    Attributes:
        url: Address of the file.
        label: The class that it would have.
        source: That found it.
        page: Address of the page about it.
        query: What was searched for.
        reason: Short code in snake_case.
        detail: The reason as a sentence.
    """

    url: str
    label: str
    source: str
    page: str
    query: str
    reason: str
    detail: str
