"""Project settings, see https://docs.kedro.org/en/stable/configure/configuration_basics/."""

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.hooks import RunReport

CONFIG_LOADER_CLASS = StagesConfigLoader
HOOKS = (RunReport(),)
