"""Nodes of the comparison of networks. The test part stays sealed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import lazy_loader as lazy

from guitar_kedro import images, learning, metrics, plots
from guitar_kedro.learning.training.recipe import ProbeOptions
from guitar_kedro.pipelines.networks.plan import NetworkPlan
from guitar_kedro.pipelines.training.nodes import compute_features, make_phase
from guitar_kedro.pipelines.training.plan import PROBE
from guitar_kedro.splits import VALIDATION

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy.load("pandas")
logger = logging.getLogger(__name__)


def feature_computer(network: NetworkPlan) -> Callable[..., learning.FeatureStream]:
    """Make the node that computes what the body of a network makes of the pictures."""

    def compute_features_of_network(
        splits: pd.DataFrame,
        prepared_images: images.PreparedImages,
        start: learning.PretrainedWeights,
        **recipe: Any,
    ) -> learning.FeatureStream:
        """Compute the features of the training and the validation part."""
        return compute_features(_phase(network, start, splits, recipe), prepared_images)

    return compute_features_of_network


def network_measurer(network: NetworkPlan) -> Callable[..., Any]:
    """Make the node that fits a probe to the features of a network, and looks for nearest neighbours in them."""

    def measure_network(
        splits: pd.DataFrame,
        features: learning.Features,
        start: learning.PretrainedWeights,
        **recipe: Any,
    ) -> tuple[pd.DataFrame, dict[str, float]]:
        """Predict the validation part from features.

        Returns:
            A row per image, and what the network costs: ``seconds_per_picture``, ``megabytes``.
        """
        what = _phase(network, start, splits, recipe)
        checkpoint, _ = learning.fit_probe(what, features, ProbeOptions())
        validation = splits.loc[splits["split"] == VALIDATION, ["image_id", "label"]].reset_index(drop=True)
        values = features.of(validation["image_id"].tolist())
        table = validation.assign(
            probe=learning.predict_features(checkpoint, values),
            neighbours=learning.nearest_labels(what, features, values),
        )
        table.insert(0, "network", network.name)
        size = sum(tensor.nbytes for tensor in checkpoint.weights.values())
        return table, {"seconds_per_picture": features.seconds / len(features.image_ids), "megabytes": size / 1e6}

    return measure_network


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


def _phase(
    network: NetworkPlan, start: learning.PretrainedWeights, splits: pd.DataFrame, recipe: dict[str, Any]
) -> learning.Phase:
    recipe = {**recipe, "architecture": network.architecture, "weights": network.weights}
    return make_phase(network.name, PROBE, start, splits, None, recipe, 1)
