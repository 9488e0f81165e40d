"""Parameters of export."""

from guitar_kedro.options import Options


class ExportOptions(Options):
    """The parameters under ``export``: what is in a bundle beside what always is.

    Attributes:
        pickle: Whether fastai's ``export.pkl`` is.
        int8: Whether the network with 8-bit integers is.
    """

    pickle: bool
    int8: bool
