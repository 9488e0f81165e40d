"""What takes more training to know: how a plain random split would have flattered, and which labels are wrong."""

from guitar_kedro.pipelines.cross_validation.pipeline import create_pipeline as create_pipeline
