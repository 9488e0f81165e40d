"""Nodes of the comparison of experiments."""

from __future__ import annotations

from typing import Any

from guitar_kedro import metrics, plots
from guitar_kedro.lazy import pd


def compare_experiments(experiments: list[Any]) -> tuple[pd.DataFrame, Any, Any]:
    """Compare each model of the workspace with the one before it.

    Args:
        experiments: All of them (``metrics.Experiment``), the newest first.

    Returns:
        A row per model, and figures to point at: parallel coordinates, and the error epoch by epoch.
    """
    table = metrics.compare_experiments(experiments)
    return table, plots.experiment_coordinates(table), plots.experiment_curves(experiments)
