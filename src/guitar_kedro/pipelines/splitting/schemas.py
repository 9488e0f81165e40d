"""What stands in the tables of splits: a row of them."""

from pydantic import BaseModel


class SplitRow(BaseModel):
    """An image of the dataset.

    Attributes:
        image_id: As in ``image_table``.
        label: Its class.
        split: ``train``, ``validation`` or ``test``.
        duplicate_group: As in ``image_table``, where images that look alike to a network are not grouped as well.
    """

    image_id: str
    label: str
    split: str
    duplicate_group: int


class SimilarRow(BaseModel):
    """Two images that look alike to a network, and are no near duplicates by their hashes.

    Attributes:
        file: Of the one, as in ``image_table``.
        similar_file: Of the other.
        similarity: Cosine of their standardised features, up to 1.
        label: Class of the one.
        similar_label: Of the other.
        split: Part of the one.
        similar_split: Of the other.
    """

    file: str
    similar_file: str
    similarity: float
    label: str
    similar_label: str
    split: str
    similar_split: str


class FoldRow(SplitRow):
    """An image of training or validation, in the cross-validation.

    Attributes:
        fold: The network that predicts the image is trained on the other folds; numbers from 0.
    """

    fold: int
