"""What stands in the tables of the comparison of networks: a row of each."""

from pydantic import BaseModel


class NetworkPredictionRow(BaseModel):
    """What a network makes of a validation image.

    Attributes:
        network: As it was named.
        image_id: Of the image.
        label: What it shows.
        probe: What a linear head on the network's features takes it for.
        neighbours: What most of the nearest training images in these features show.
    """

    network: str
    image_id: str
    label: str
    probe: str
    neighbours: str


class NetworkRow(BaseModel):
    """How good the features of a network are, and what it costs.

    Attributes:
        network: As it was named.
        method: ``probe`` or ``neighbours``.
        images: Of the validation part.
        errors: Of them, those that were predicted wrong.
        error_rate: Their share.
        error_low: Lower end of its Wilson 95 % interval.
        error_high: Upper end.
        p_value: Of the exact McNemar test against the best probe.
        seconds_per_picture: To read a picture and compute its features, on the machine and in the precision of the run.
        megabytes: Of the weights with a linear head.
    """

    network: str
    method: str
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float
    p_value: float
    seconds_per_picture: float
    megabytes: float
