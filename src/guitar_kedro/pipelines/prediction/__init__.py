"""What the model says of anybody's pictures."""

from guitar_kedro.pipelines.prediction.pipeline import create_pipeline as create_pipeline
