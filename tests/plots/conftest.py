"""Fixtures of the tests of plots."""

from figures import *  # noqa: F403
