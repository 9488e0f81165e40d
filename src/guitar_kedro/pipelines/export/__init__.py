"""The model for use without this project."""

from guitar_kedro.pipelines.export.pipeline import create_pipeline as create_pipeline
