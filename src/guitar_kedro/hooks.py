"""What happens around a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

REPORTS = (
    "metrics",
    "classification_report",
    "confusion_matrix",
    "most_confused",
    "stage_comparison",
    "stage_comparison_plot",
    "predictions",
    "training_sheet",
    "model",
)


class RunReport:
    """Shows at the end of a run how good the model is, and where each file lies."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Prints the summary where the run has evaluated."""
        if not {"metrics", "stage_comparison", "most_confused"} <= pipeline.all_outputs():
            return
        from rich.console import Console

        from guitar_kedro import reporting

        places = {name: _place(catalog[name]) for name in REPORTS if name in pipeline.all_outputs() or name == "model"}
        summary = reporting.console_summary(
            catalog.load("metrics"), catalog.load("stage_comparison"), catalog.load("most_confused"), places
        )
        Console().print(summary)


def _place(dataset: Any) -> str:
    return os.path.relpath(Path(dataset._get_load_path()))
