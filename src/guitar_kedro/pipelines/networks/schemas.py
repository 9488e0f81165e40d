"""What stands in the tables of the comparison of networks: a row of them."""

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
