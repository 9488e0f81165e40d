"""What stands in the tables of pictures without labels: a row of each."""

from pydantic import BaseModel

from guitar_kedro.metrics.predictions import UnlabelledPredictionRow


class UnlabelledRow(BaseModel):
    """A file among the pictures without labels.

    Attributes:
        file: Its name in the curation file, as of ``images.unlabelled_name``; of what cannot be read, that in the
            source.
        name: Its name in the source.
        source: Where it was read from.
        image_id: Name of the prepared picture; empty where there is none.
        width: Of the original, upright, in pixels.
        height: Likewise.
        reason: Why nobody is asked about it, as a short code in snake_case; empty where it may be chosen.
        detail: The reason as a sentence.
    """

    file: str
    name: str
    source: str
    image_id: str
    width: int
    height: int
    reason: str
    detail: str


class CandidateRow(UnlabelledPredictionRow):
    """What the model says of a picture that may be chosen.

    Attributes:
        image_id: Name of the prepared picture.
    """

    image_id: str


class LabelQueueRow(CandidateRow):
    """A picture that a person is asked about; the first row is worth most.

    Attributes:
        name: Its name in the source.
        width: Of the original, upright, in pixels.
        height: Likewise.
        model: Beginning of the checksum of the model that predicts.
    """

    name: str
    width: int
    height: int
    model: str
