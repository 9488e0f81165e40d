"""What the validation part says of the last network: temperature, thresholds, and with them the model."""

from guitar_kedro.pipelines.calibration.pipeline import create_pipeline as create_pipeline
