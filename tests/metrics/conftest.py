"""Fixtures of the tests of metrics."""

from figures import *  # noqa: F403
