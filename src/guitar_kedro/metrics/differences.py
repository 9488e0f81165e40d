"""In which settings two runs differ, each named by its path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# parameters that decide where, when and how fast results are made, and change none
OF_THE_WAY = {"cluster", "epochs_per_state", "max_restarts", "note", "rdzv_endpoint", "resume", "tracking", "workspace"}
_LONGEST = 80  # characters of a value


def flattened(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Lay nested settings out flat: the keys are paths like ``stages.small.batch_size``.

    Args:
        settings: Nested by name; lists are values, and so are groups without anything in them.
        above: What stands before each path.
    """
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        nested = isinstance(value, Mapping) and bool(value)
        flat |= flattened(value, f"{above}{name}.") if nested else {f"{above}{name}": value}
    return flat


def differing(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """List the names whose values differ, or that only one of two mappings has."""
    return [name for name in {**now, **then} if name not in now or name not in then or now[name] != then[name]]


def value_changes(now: Any, then: Any, path: str = "") -> list[str]:
    """Say what differs between two values of a setting, in a few words each.

    Args:
        now: The value of now; ``None`` where there is none.
        then: That of then.
        path: Of the setting; empty where both are all the settings that there are.
    """
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        below = f"{path}." if path else ""
        names = differing(now, then)
        return [words for name in names for words in value_changes(now.get(name), then.get(name), f"{below}{name}")]
    return [f"{path} is {_shown(now)}, was {_shown(then)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
