"""From a table of searches to openly licensed pictures of each class, with author and licence."""

from guitar_kedro.pipelines.collect.pipeline import create_pipeline as create_pipeline
