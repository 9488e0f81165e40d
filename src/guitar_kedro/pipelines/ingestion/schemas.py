"""What stands in the tables of ingestion: a row of each."""

from pydantic import BaseModel


class ImageRow(BaseModel):
    """An image of the dataset.

    Attributes:
        image_id: Its content hash, and ``-2``, ``-3`` ... for further files of the same content.
        label: Its class, after curation.
        file: Name of the file in the source.
        width: Of the original, upright, in pixels.
        height: Likewise.
        duplicate_group: Number that near duplicates share, from 0.
        file_hash: SHA-256 of the file.
        pixel_hash: SHA-256 of the prepared pixels.
        perceptual_hash: 256-bit difference hash, in hexadecimal.
        source: Where it was read from.
        note: What was not followed of what the file says of its colours; empty where all was.
        given_split: Part of the split that it was given for; empty where none was.
        group: What it was given in common with images that stay on its side of the split; empty for nothing.
        accepted_by: Of a picture that came without a label, who gave it one; empty for all others.
        accepted_when: Likewise, when, in UTC (ISO 8601).
        accepted_why: Likewise, with what the model had predicted.
    """

    image_id: str
    label: str
    file: str
    width: int
    height: int
    duplicate_group: int
    file_hash: str
    pixel_hash: str
    perceptual_hash: str
    source: str
    note: str
    given_split: str
    group: str
    accepted_by: str
    accepted_when: str
    accepted_why: str


class AcceptedRow(BaseModel):
    """A picture that came without a label, and got one in the curation file.

    Attributes:
        file: Its name, as of ``images.unlabelled_name``.
        label: The class that it got.
        prepared: Name of the prepared picture.
        accepted_by: Who decided.
        accepted_when: In UTC (ISO 8601).
        accepted_why: For a person: what the model had predicted.
    """

    file: str
    label: str
    prepared: str
    accepted_by: str
    accepted_when: str
    accepted_why: str


class RejectedRow(BaseModel):
    """A file that is no image of the dataset.

    Attributes:
        file: Name of the file in the source.
        label: The class that it would have; empty where it has none.
        reason: Short code in snake_case.
        detail: The reason as a sentence.
    """

    file: str
    label: str
    reason: str
    detail: str


class DuplicateRow(BaseModel):
    """An image that has a near duplicate in the dataset.

    Attributes:
        duplicate_group: Number that near duplicates share.
        label: Its class.
        file: Name of the file in the source.
        exact: Whether another file of the group has the same pixels.
    """

    duplicate_group: int
    label: str
    file: str
    exact: bool
