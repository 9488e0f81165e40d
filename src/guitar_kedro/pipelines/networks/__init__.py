"""Which network suits these photos: features, probes and nearest neighbours of several, side by side."""

from guitar_kedro.pipelines.networks.pipeline import create_pipeline as create_pipeline
from guitar_kedro.pipelines.networks.plan import plan_networks as plan_networks
