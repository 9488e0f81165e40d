"""What a user did or gave that cannot work, said in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name some of many things in a sentence, and say how many more there are.

    Args:
        names: What is listed, in order.
        most: How many are named.
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one or two sentences: what was wrong, where (file, parameter, value), and what to do next.
    The command line prints it in one line, without a traceback, and exits with a code that is not 0. Commands that it
    names in backticks are shown with the environment and the workspace of the session.
    """

    def __str__(self) -> str:
        """Return the sentences, with commands that can be typed as they stand."""
        return with_session(super().__str__())


_COMMAND = re.compile(r"`kedro (run|status|compare|prune|serve)( [^`]*)?`")
_session: dict[str, list[str]] = {"options": [], "params": []}


def name_commands_for(env: str | None, name: str | None, conf_source: str | None = None) -> None:
    """Let messages name commands for a session: complete, so that they do not work on other images.

    Args:
        env: Its environment; ``None`` stands for the one that needs no option.
        name: Of the workspace, where it was given.
        conf_source: Where the configuration lies, where that was given.
    """
    _session["options"] = [f"--env={env}"] if env else []
    _session["options"] += [f"--conf-source={conf_source}"] if conf_source else []
    _session["params"] = [f"name={name}"] if name else []


def with_session(sentence: str) -> str:
    """Complete the commands in backticks with the environment and the workspace of the session.

    Args:
        sentence: For people.
    """
    return _COMMAND.sub(lambda found: _in_session(*found.groups()), sentence)


def _in_session(command: str, options: str | None) -> str:
    words = (options or "").split()
    given = [word for word in words if word.startswith("--params=")]
    params = ",".join(_session["params"] + [word.removeprefix("--params=") for word in given])
    chosen = [
        option for option in _session["options"] if not re.search(rf"{option.partition('=')[0]}\b", options or "")
    ]
    words = ["kedro", command, *chosen, *(word for word in words if word not in given)]
    return f"`{' '.join([*words, f'--params={params}'] if params else words)}`"
