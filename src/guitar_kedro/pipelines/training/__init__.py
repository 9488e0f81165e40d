"""Training, stage by stage, as the parameters say."""

from guitar_kedro.pipelines.training.pipeline import create_pipeline
from guitar_kedro.pipelines.training.plan import plan_stages

__all__ = ["create_pipeline", "plan_stages"]
