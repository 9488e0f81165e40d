"""What stands in the tables of splits: a row of them."""

from pydantic import BaseModel, ConfigDict


class SplitRow(BaseModel):
    """An image of the dataset.

    Where some came with a part of a split, ``given`` tells of each whether its part is the one that it came with; where
    some came without a label, ``accepted`` tells of each whether it did.

    Attributes:
        image_id: As in ``image_table``.
        label: Its class.
        split: ``train``, ``validation`` or ``test``.
        duplicate_group: Number that images share which stay in one part: near duplicates, as in ``image_table``, and
            those that look alike to a network or have a group in common, where these are kept together.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, bool]

    image_id: str
    label: str
    split: str
    duplicate_group: int


class AssignmentRow(BaseModel):
    """An image that was dealt, now or by an earlier run of the workspace.

    Attributes:
        file_hash: As in ``image_table``.
        pixel_hash: Likewise.
        split: Its part: ``train``, ``validation`` or ``test``.
        dealt_by: Seed, shares and what named groups.
    """

    file_hash: str
    pixel_hash: str
    split: str
    dealt_by: str


class LeakRow(BaseModel):
    """An image of a given split that has near duplicates, or images of its group, in another part.

    Attributes:
        duplicate_group: As of ``SplitRow``.
        split: Its part.
        label: Its class.
        file: Name of the file in the source.
    """

    duplicate_group: int
    split: str
    label: str
    file: str


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
