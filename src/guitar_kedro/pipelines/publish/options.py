"""Parameters of publishing."""

from guitar_kedro.options import Options


class PublishOptions(Options):
    """The parameters under ``publish``: what the hub is told of a model beside what was measured.

    Attributes:
        license: Of the model, by its identifier on the hub.
        datasets: What it was trained on, by their names on the hub.
    """

    license: str
    datasets: tuple[str, ...]
