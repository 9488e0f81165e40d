"""What stands in the tables of training: a row of each."""

from pydantic import BaseModel


class LearningRateRow(BaseModel):
    """A step of the search for a learning rate.

    Attributes:
        learning_rate: That was tried.
        loss: Of the batch, in nats.
        smoothed_loss: Moving average of the losses, in nats.
    """

    learning_rate: float
    loss: float
    smoothed_loss: float


class EpochRow(BaseModel):
    """An epoch of a phase; a probe has one row.

    Attributes:
        epoch: Its number, from 0.
        train_loss: Moving average over the training batches, in nats.
        valid_loss: Mean over the validation images, in nats.
        error_rate: Share of the validation images that are predicted wrong, from 0 to 1.
        learning_rate: Of the last layer group, at the end of the epoch; a probe has none.
        seconds: That the epoch took.
        kept: Whether the checkpoint has the weights of this epoch.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    error_rate: float
    learning_rate: float
    seconds: float
    kept: bool
