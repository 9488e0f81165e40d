"""What a user did or gave that cannot work, said in one sentence."""

from __future__ import annotations

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
    from kedro.io.core import DatasetError, VersionNotFoundError
    from kedro.validation.exceptions import DataValidationError, ParameterValidationError

    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    for link in chain:
        match link:
            case UserError():
                return link
            case ParameterValidationError():
                return UserError(_one_line_of_pydantic(str(link)))
            case VersionNotFoundError() | FileNotFoundError() if isinstance(error, DatasetError):
                return UserError(
                    f"{_dataset_path(str(error))} is not there yet: run `kedro run --pipeline=train` first."
                )
            case DataValidationError():
                return UserError(str(link).replace("\n", " "))
            case ValueError() if re.match(
                r"Failed to find the pipeline|Pipeline (does not contain|contains no)", str(link)
            ):
                return UserError(" ".join(str(link).split()))
    return None


def _dataset_path(message: str) -> str:
    path = re.search(r"filepath=(\S+?)[,)]", message)
    return path.group(1) if path else "What this needs"


def _one_line_of_pydantic(message: str) -> str:
    """Joins pydantic's lines ``field``, ``what is wrong [type=..., input_value=...]`` to ``parameter.field: what``."""
    found = []
    parameter = ""
    lines = message.splitlines()
    for number, line in enumerate(lines):
        if named := re.search(r"Parameter '([^']+)'", line):
            parameter = named.group(1)
        if wrong := re.match(r"  (\S.*?) \[type=\w+, input_value=(.+), input_type=\w+\]", line):
            found.append(f"{parameter}.{lines[number - 1].strip()}: {wrong.group(1)} (it is {wrong.group(2)})")
    return f"The parameters cannot be used: {'; '.join(found) or ' '.join(lines[1:])}."
