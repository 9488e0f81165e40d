"""Which networks are compared: what the shape of the pipeline needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.pretrained import PACKAGED


@dataclass(frozen=True)
class NetworkPlan:
    """A network of the comparison.

    Attributes:
        name: As it is given: ``architecture`` or ``architecture:weights``.
        architecture: As of ``NetworkOptions``.
        weights: Likewise.
        namespace: Names its nodes, datasets and folder.
    """

    name: str
    architecture: str
    weights: str
    namespace: str


def plan_networks(networks: Any) -> list[NetworkPlan]:
    """Plan the comparison.

    Args:
        networks: The parameter ``networks``: a list of names. Without weights, a network has those that are packaged,
            and the best that its library publishes where none are.

    Raises:
        UserError: If it is no list of texts, or names a network twice.
    """
    if not isinstance(networks, list) or not networks or not all(isinstance(name, str) and name for name in networks):
        raise UserError(f"networks is {networks}; it must list networks, such as [resnet34, convnext_tiny:default].")
    plans: dict[str, NetworkPlan] = {}
    for name in networks:
        architecture, _, weights = name.partition(":")
        weights = weights or ("packaged" if architecture in PACKAGED else "default")
        namespace = re.sub(r"\W+", "_", f"{architecture}_{weights}", flags=re.ASCII)
        if namespace in plans:
            raise UserError(f"networks: {name} is {plans[namespace].name} again; name each network once.")
        plans[namespace] = NetworkPlan(name, architecture, weights, namespace)
    return list(plans.values())
