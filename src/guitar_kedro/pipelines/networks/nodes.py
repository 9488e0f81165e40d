"""Nodes of the comparison of networks. The test part stays sealed."""

from __future__ import annotations

import logging
from typing import Any

from guitar_kedro import learning, metrics, plots
from guitar_kedro.lazy import pd
from guitar_kedro.learning.training.recipe import ProbeOptions
from guitar_kedro.pipelines.training.nodes import make_phase
from guitar_kedro.pipelines.training.plan import PROBE
from guitar_kedro.splits import VALIDATION

logger = logging.getLogger(__name__)


def measure_network(
    splits: pd.DataFrame,
    features: learning.Features,
    start: learning.PretrainedWeights,
    *,
    stage_name: str,
    **recipe: Any,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Fit a probe to the features of a network, look for nearest neighbours in them, and predict the validation part.

    Returns:
        A row per image, and what the network costs: ``seconds_per_picture``, ``megabytes``.
    """
    what = make_phase(stage_name, PROBE, start, splits, None, recipe, 1)
    checkpoint, _ = learning.fit_probe(what, features, ProbeOptions())
    validation = splits.loc[splits["split"] == VALIDATION, ["image_id", "label"]].reset_index(drop=True)
    values = features.of(validation["image_id"].tolist())
    table = validation.assign(
        probe=learning.predict_features(checkpoint, values),
        neighbours=learning.nearest_labels(what, features, values),
    )
    table.insert(0, "network", stage_name)
    size = sum(tensor.nbytes for tensor in checkpoint.weights.values())
    return table, {"seconds_per_picture": features.seconds / len(features.image_ids), "megabytes": size / 1e6}


def compare_networks(*results: Any) -> tuple[pd.DataFrame, plots.Figure, str]:
    """Compare networks on the validation part.

    Args:
        *results: Of each network the table and the cost of ``measure_network``.

    Returns:
        The table (two rows per network), the figure, and a sentence that recommends one.
    """
    table = metrics.compare_networks(pd.concat(results[::2], ignore_index=True), results[1::2])
    sentence = metrics.recommended_network(table)
    logger.info(sentence)
    return table, plots.network_comparison_figure(table, sentence), f"{sentence}\n"
