"""All pipelines of the project by name."""

from __future__ import annotations

import os
from typing import Any

from kedro.framework.project import settings
from kedro.pipeline import Pipeline

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.pipelines import (
    calibration,
    collect,
    compare,
    cross_validation,
    evaluation,
    export,
    ingestion,
    label_next,
    networks,
    prediction,
    publish,
    reporting,
    search,
    splitting,
    training,
)
from guitar_kedro.project import project_folder


def register_pipelines() -> dict[str, Pipeline]:
    """Build the pipelines of the chosen env.

    Returns:
        The pipelines, and under the names of ``sums`` those that people run together.

    Raises:
        UserError: If the stages in the parameters cannot be put in order.
    """
    parameters = _parameters()
    stages = training.plan_stages(parameters.get("stages"))
    by_features = parameters.get("ingestion", {}).get("duplicates") == "features"
    parts = {
        "ingestion": ingestion.create_pipeline(stages),
        "splitting": splitting.create_pipeline(by_features),
        "training": training.create_pipeline(stages),
        "calibration": calibration.create_pipeline(stages[-1]),
        "evaluation": evaluation.create_pipeline(stages),
        "reporting": reporting.create_pipeline(stages, by_features),
        "cross_validation": cross_validation.create_pipeline(stages[0]),
        "networks": networks.create_pipeline(networks.plan_networks(parameters.get("networks")), stages[0]),
        "search": search.create_pipeline(),
        "collect": collect.create_pipeline(),
        "label_next": label_next.create_pipeline(),
        "predict": prediction.create_pipeline(),
        "export": export.create_pipeline(),
        "publish": publish.create_pipeline(),
        "compare": compare.create_pipeline(),
    }
    sums = {
        "train": ("ingestion", "splitting", "training", "calibration"),
        "evaluation": ("evaluation", "reporting"),
        "networks": ("ingestion", "splitting", "networks"),
        "search": ("ingestion", "splitting", "search"),
        "cross_validation": ("cross_validation", "reporting"),
        "publish": ("export", "publish"),
        "__default__": ("ingestion", "splitting", "training", "calibration", "evaluation", "reporting"),
    }
    return parts | {name: sum((parts[part] for part in names), Pipeline([])) for name, names in sums.items()}


def _parameters() -> dict[str, Any]:
    # `kedro registry list` makes no session, and so no config loader
    loader = StagesConfigLoader.current
    if loader is None:
        source = project_folder() / settings.CONF_SOURCE
        loader = StagesConfigLoader(source, os.environ.get("KEDRO_ENV"), **settings.CONFIG_LOADER_ARGS)
    return loader["parameters"]
