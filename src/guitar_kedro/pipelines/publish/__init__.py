"""The model for others: on the Hugging Face hub, or in a folder."""

from guitar_kedro.pipelines.publish.pipeline import create_pipeline as create_pipeline
