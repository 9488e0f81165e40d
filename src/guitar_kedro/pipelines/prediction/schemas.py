"""What stands in the tables of prediction: a row of them."""

from pydantic import BaseModel


class SpreadsheetRow(BaseModel):
    """What people read of the prediction of a file; what could not be read has no prediction.

    Attributes:
        file: Name of the file in the source.
        predicted: The class with the highest probability.
        probability: Of that class, from 0 to 1.
        second_guess: The class with the second highest probability.
        decision: In words: sure, not sure, or not one of these.
        error: Why the file could not be read; empty where it could.
        note: What was not followed of what the file says of its colours; empty where all was.
    """

    file: str
    predicted: str
    probability: float
    second_guess: str
    decision: str
    error: str
    note: str
