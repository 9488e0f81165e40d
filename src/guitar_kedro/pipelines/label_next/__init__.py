"""Which pictures without labels a person looks at next."""

from guitar_kedro.pipelines.label_next.pipeline import create_pipeline as create_pipeline
