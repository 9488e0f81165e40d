"""How good every stage is, and where the last one is wrong."""

from guitar_kedro.pipelines.evaluation.pipeline import create_pipeline as create_pipeline
