"""With which options this session was made, for the commands that messages and files name."""

from __future__ import annotations

import re
from typing import Any

_OF_ONE_RUN = {"note", "resume", "search", "study", "tracking"}  # and not of what it makes
_COMMAND = re.compile(r"`kedro (run|status|compare|prune|serve|review)( [^`]*)?`")
_session: dict[str, dict[str, Any]] = {"options": {}, "params": {}}


def note_session(params: dict[str, Any], **options: str | None) -> None:
    """Note with which options a session was made, so that commands that are named do not work on other images.

    Args:
        params: What ``--params`` gave.
        **options: ``env`` and ``conf_source``; ``None`` where they were not given.
    """
    _session["options"] = {name: value for name, value in options.items() if value}
    _session["params"] = dict(params)


def run_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return the options of ``kedro run`` for a file that ``--config`` reads: those of this session.

    Args:
        params: Parameters that take the place of those that were given.
    """
    kept = {name: value for name, value in _session["params"].items() if name not in _OF_ONE_RUN}
    return {**_session["options"], "params": {**kept, **params}}


def with_session(sentence: str) -> str:
    """Complete the commands in backticks with the environment and the workspace of the session.

    Args:
        sentence: For people.
    """
    return _COMMAND.sub(lambda found: _in_session(*found.groups()), sentence)


def _in_session(command: str, options: str | None) -> str:
    words, name = (options or "").split(), _session["params"].get("name")
    given = [word for word in words if word.startswith("--params=")]
    params = ",".join([*([f"name={name}"] if name else []), *(word.removeprefix("--params=") for word in given)])
    flags = {f"--{option.replace('_', '-')}": value for option, value in _session["options"].items()}
    chosen = [f"{flag}={value}" for flag, value in flags.items() if not re.search(rf"{flag}\b", options or "")]
    words = ["kedro", command, *chosen, *(word for word in words if word not in given)]
    return f"`{' '.join([*words, f'--params={params}'] if params else words)}`"
