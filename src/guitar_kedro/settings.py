"""Project settings, see https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.hooks import CheckpointGuard, ImagesMustBeUsed, OneRunAtATime, RunRecorder, RunReport
from guitar_kedro.runs.runner import ResumingSession

CONFIG_LOADER_CLASS = StagesConfigLoader
SESSION_CLASS = ResumingSession
HOOKS = (ImagesMustBeUsed(), OneRunAtATime(), CheckpointGuard(), RunRecorder(), RunReport())
