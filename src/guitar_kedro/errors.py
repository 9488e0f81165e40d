"""What a user did or gave that cannot work, said in one sentence."""

from __future__ import annotations

import errno
import os
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
        """The sentences, with commands that can be typed as they stand."""
        return _COMMAND.sub(lambda found: _in_session(*found.groups()), super().__str__())


_COMMAND = re.compile(r"`kedro (run|status|prune|serve)( [^`]*)?`")
_session: dict[str, list[str]] = {"options": [], "params": []}


def name_commands_for(env: str | None, name: str | None, conf_source: str | None = None) -> None:
    """Lets messages name commands for a session: complete, so that they do not work on other images.

    Args:
        env: Its environment; ``None`` stands for the one that needs no option.
        name: Of the workspace, where it was given.
        conf_source: Where the configuration lies, where that was given.
    """
    _session["options"] = [f"--env={env}"] if env else []
    _session["options"] += [f"--conf-source={conf_source}"] if conf_source else []
    _session["params"] = [f"name={name}"] if name else []


def _in_session(command: str, options: str | None) -> str:
    words = (options or "").split()
    given = [word for word in words if word.startswith("--params=")]
    params = ",".join(_session["params"] + [word.removeprefix("--params=") for word in given])
    chosen = [
        option for option in _session["options"] if not re.search(rf"{option.partition('=')[0]}\b", options or "")
    ]
    words = ["kedro", command, *chosen, *(word for word in words if word not in given)]
    return f"`{' '.join([*words, f'--params={params}'] if params else words)}`"


def user_error_behind(error: BaseException) -> UserError | None:
    """Finds the user's mistake behind an error that Kedro raised.

    Args:
        error: What ended a run.

    Returns:
        The ``UserError`` in the chain of causes, or one made of the sentence of a Kedro error that tells of a mistake
        in what was asked for; ``None`` where the error is no mistake of the user's.
    """
    for link in causes(error):
        if isinstance(link, UserError):
            return link
        if sentence := _sentence_for_disk(link, error) or _sentence_for_kedro(link, error):
            return UserError(sentence)
    return None


def causes(error: BaseException) -> list[BaseException]:
    """Lists an error, what caused it, what caused that, and so on."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _sentence_for_disk(link: BaseException, error: BaseException) -> str | None:
    # safetensors tells the number in its message only
    told = re.search(r"\(os error (\d+)\)", str(link))
    number = link.errno if isinstance(link, OSError) else int(told.group(1)) if told else None
    path = getattr(link, "filename", None) or _dataset_path(str(error)) or "a file"
    match number:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return (
                f"{path} cannot be written, for there is no room for it ({os.strerror(number)}): make room and run the "
                "same command again. What was finished is kept."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return (
                f"{path} may not be read or written ({os.strerror(number)}): give yourself the right to it, or move "
                "the project to where you have it. What was finished is kept."
            )
    return None


def _sentence_for_kedro(link: BaseException, error: BaseException) -> str | None:
    from kedro.config import MissingConfigException
    from kedro.framework.project import pipelines
    from kedro.io.core import DatasetError, DatasetNotFoundError, VersionNotFoundError
    from kedro.validation.exceptions import DataValidationError, ParameterValidationError
    from yaml import YAMLError

    words = " ".join(str(link).split())
    sentence = None
    match link:
        case ParameterValidationError():
            sentence = _one_line_of_parameters(str(link))
        case VersionNotFoundError() | FileNotFoundError() if isinstance(error, DatasetError):
            missing = _dataset_path(str(error)) or "What this needs"
            sentence = f"{missing} is not there yet: run `kedro run` first, which makes it."
        case DataValidationError() | MissingConfigException() | DatasetNotFoundError():
            sentence = words
        case YAMLError():
            sentence = f"The configuration cannot be read: {words}"
        case ValueError() if named := re.match(r"Failed to find the pipeline named '(.*?)'", words):
            sentence = f"There is no pipeline {named.group(1)}; choose one of {', '.join(sorted(pipelines))}."
        case ValueError() if re.match(r"Pipeline (does not contain|contains no)", words):
            sentence = words
    return sentence


def _dataset_path(message: str) -> str | None:
    path = re.search(r"(?:filepath|folder)=(?:\w*Path\(')?([^,')]+)", message)
    return path.group(1) if path else None


def _one_line_of_parameters(message: str) -> str:
    """Joins Kedro's lines ``- Parameter 'name': what is wrong``, of which ours may go on in further lines."""
    found, parameter = [], ""
    for line in message.splitlines()[1:]:
        if named := re.match(r"- Parameter '(.+?)': (?:Failed to instantiate \w+ for parameter '.+?': )?(.*)", line):
            parameter, line = named.groups()  # noqa: PLW2901
        found.append(f"{parameter}{line if line[:1] in '.: ' else f': {line}'}")
    return f"The parameters cannot be used: {'; '.join(found)}."
