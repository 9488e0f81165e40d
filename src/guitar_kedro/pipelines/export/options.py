"""Parameters of export."""

from pydantic import BaseModel, ConfigDict


class ExportOptions(BaseModel):
    """The parameters under ``export``: what is in a bundle beside what always is.

    Attributes:
        pickle: Whether fastai's ``export.pkl`` is.
        int8: Whether the network with 8-bit integers is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pickle: bool
    int8: bool
