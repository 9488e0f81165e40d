"""Project settings, see https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.hooks import (
    CheckpointGuard,
    GivenImages,
    LatestResults,
    OneRunAtATime,
    RunRecorder,
    RunReport,
)
from guitar_kedro.logs import configure_logging
from guitar_kedro.runs.runner import ResumingSession
from guitar_kedro.runs.tracking import Tracking

configure_logging()
CONFIG_LOADER_CLASS = StagesConfigLoader
SESSION_CLASS = ResumingSession
# of those that come first, the last one here does: nothing may fail while the workspace is locked and no run begun
HOOKS = (
    OneRunAtATime(),
    Tracking(),  # so that all others have ended what is sent
    GivenImages(),
    CheckpointGuard(),
    RunRecorder(),
    LatestResults(),
    RunReport(),
)
