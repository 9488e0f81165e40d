"""Training, stage by stage, as the parameters say."""

from guitar_kedro.pipelines.training.pipeline import create_pipeline as create_pipeline
from guitar_kedro.pipelines.training.plan import plan_stages as plan_stages
