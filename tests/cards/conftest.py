"""Fixtures of the tests of cards."""

from figures import *  # noqa: F403
