"""A search over parameters of training: trials are judged by the validation part, or by folds."""

from guitar_kedro.pipelines.search.pipeline import create_pipeline as create_pipeline
