"""What was tried, side by side, for kedro-viz; in the terminal, ``kedro compare`` shows it."""

from guitar_kedro.pipelines.compare.pipeline import create_pipeline as create_pipeline
