"""From raw images to prepared ones, and a table in which every file is accounted for."""

from guitar_kedro.pipelines.ingestion.pipeline import create_pipeline as create_pipeline
