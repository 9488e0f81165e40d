"""The sources that can be searched: each is a class in a file of its own here, and is found by being there."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from guitar_kedro.collecting.source import Source


def all_sources() -> dict[str, Source]:
    """Return the sources by name."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return {source.name: source() for source in Source.__subclasses__()}
