"""Training, validation and test part, with duplicates kept together."""

from guitar_kedro.pipelines.splitting.pipeline import create_pipeline as create_pipeline
