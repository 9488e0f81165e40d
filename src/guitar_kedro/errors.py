"""What a user did or gave that cannot work, said in one sentence."""

from __future__ import annotations

import errno
import os
import re


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one or two sentences: what was wrong, where (file, parameter, value), and what to do next.
    The command line prints it in one line, without a traceback, and exits with a code that is not 0.
    """


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
    from kedro.framework.project import pipelines
    from kedro.io.core import DatasetError, VersionNotFoundError
    from kedro.validation.exceptions import DataValidationError, ParameterValidationError

    words = " ".join(str(link).split())
    sentence = None
    match link:
        case ParameterValidationError():
            sentence = _one_line_of_pydantic(str(link))
        case VersionNotFoundError() | FileNotFoundError() if isinstance(error, DatasetError):
            missing = _dataset_path(str(error)) or "What this needs"
            sentence = f"{missing} is not there yet: run `kedro run` first, which makes it."
        case DataValidationError():
            sentence = words
        case ValueError() if named := re.match(r"Failed to find the pipeline named '(.*?)'", words):
            sentence = f"There is no pipeline {named.group(1)}; choose one of {', '.join(sorted(pipelines))}."
        case ValueError() if re.match(r"Pipeline (does not contain|contains no)", words):
            sentence = words
    return sentence


def _dataset_path(message: str) -> str | None:
    path = re.search(r"(?:filepath|folder)=(?:\w*Path\(')?([^,')]+)", message)
    return path.group(1) if path else None


def _one_line_of_pydantic(message: str) -> str:
    """Joins pydantic's lines ``field``, ``  what is wrong [type=..., input_value=...]`` to ``field: what``."""
    found, field, parameter = [], "", ""
    for line in message.splitlines():
        if named := re.search(r"Parameter '([^']+)'", line):
            field = parameter = named.group(1)
        elif wrong := re.match(r"  (\S.*?) \[type=(\w+), input_value=(.+), input_type=\w+\]", line):
            what = "there is no such parameter" if wrong.group(2) == "extra_forbidden" else wrong.group(1)
            found.append(f"{field}: {what} (it is {wrong.group(3)})")
        elif not line.startswith(" "):
            field = f"{parameter}.{line.strip()}"
    return f"The parameters cannot be used: {'; '.join(found) or ' '.join(message.split())}."
