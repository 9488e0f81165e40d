"""Which of several networks suits the images, by what simple methods make of their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from pydantic import BaseModel

from guitar_kedro.metrics.errors import compare_answers, with_error_rates
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.metrics.stages import CHANCE, p_value

METHODS = ("probe", "neighbours")


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


def compare_networks(predictions: pd.DataFrame, costs: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Count the errors of each network and method, and test them against those of the best probe.

    Args:
        predictions: Of all networks on the same images: ``network``, ``image_id``, ``label``, ``probe``,
            ``neighbours``.
        costs: ``seconds_per_picture`` and ``megabytes`` of each network, in the order of their rows.

    Returns:
        A row per network and method, as ``NetworkRow`` describes it, the best probe first.
    """
    right = {
        (network, method): (rows[method] == rows["label"]).set_axis(rows["image_id"])
        for network, rows in predictions.groupby("network", sort=False)
        for method in METHODS
    }
    cost_of = dict(zip(predictions["network"].unique(), costs, strict=True))
    probes = [key for key in right if key[1] == "probe"]
    best = max(probes, key=lambda key: (right[key].mean(), -cost_of[key[0]]["seconds_per_picture"]))
    rows = [
        {"network": network, "method": method, **compare_answers(right[best], found), **cost_of[network]}
        for (network, method), found in right.items()
    ]
    table = with_error_rates(pd.DataFrame(rows))
    of_probe = table[table["method"] == "probe"].set_index("network")["errors"]
    order = table.assign(of_probe=table["network"].map(of_probe), later=table["method"] != "probe")
    order = order.sort_values(["of_probe", "seconds_per_picture", "network", "later"], kind="stable")
    return order[list(NetworkRow.model_fields)].reset_index(drop=True)


def recommended_network(table: pd.DataFrame) -> str:
    """Recommend in a sentence the network whose probe errs least, and name the fastest that may be as good.

    Args:
        table: From ``compare_networks``.
    """
    probes = table[table["method"] == "probe"]
    best = probes.iloc[0]
    error = f"{percent(best['error_rate'])} ({interval(best['error_low'], best['error_high'])})"
    sentence = (
        f"Take {best['network']}: a linear head on its features is wrong on {error} of "
        f"{count(best['images'], 'validation image')}, at {_cost(best)}"
    )
    faster = probes[probes["seconds_per_picture"] < best["seconds_per_picture"]]
    alike = faster[faster["p_value"] >= CHANCE].sort_values("seconds_per_picture")
    if alike.empty:
        return f"{sentence}."
    other = alike.iloc[0]
    return (
        f"{sentence}; {other['network']}, at {_cost(other)}, is wrong on {percent(other['error_rate'])}, which may "
        f"well be chance (McNemar {p_value(other['p_value'])})."
    )


def _cost(row: pd.Series) -> str:
    return f"{1000 * row['seconds_per_picture']:.3g} ms a picture and {row['megabytes']:.3g} MB"
