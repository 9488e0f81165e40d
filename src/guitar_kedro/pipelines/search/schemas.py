"""What stands in the table of trials: a row of it."""

from pydantic import BaseModel, ConfigDict


class TrialRow(BaseModel):
    """A trial of a search; further columns say which value a parameter had, as JSON, by its path.

    Attributes:
        trial: Its number.
        is_recipe: Whether it is the recipe as it is configured.
        state: ``complete``, ``pruned``, or ``failed``, where its process was ended.
        error_rate: Share of the images it was judged by that it takes for something else; missing where it did not come
            so far.
        valid_loss: Mean over these, in nats.
        epochs: That it was trained for.
        seconds: That it took.
        sha256: Of the file of its weights; empty where it was judged by folds.
        reason: Why it could not go on; mostly empty.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    trial: int
    is_recipe: bool
    state: str
    error_rate: float
    valid_loss: float
    epochs: int
    seconds: float
    sha256: str
    reason: str
