"""What stands in the tables of splits: a row of them."""

from pydantic import BaseModel


class SplitRow(BaseModel):
    """An image of the dataset.

    Attributes:
        image_id: As in ``image_table``.
        label: Its class.
        split: ``train``, ``validation`` or ``test``.
        duplicate_group: As in ``image_table``.
    """

    image_id: str
    label: str
    split: str
    duplicate_group: int


class FoldRow(SplitRow):
    """An image of training or validation, in the cross-validation.

    Attributes:
        fold: The network that predicts the image is trained on the other folds; numbers from 0.
    """

    fold: int
