"""What people look at: how good the model is, where it errs, how sure it may be."""

from guitar_kedro.pipelines.reporting.pipeline import create_pipeline as create_pipeline
