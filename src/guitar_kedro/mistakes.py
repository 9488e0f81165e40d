"""The user's mistake behind an error that Kedro, or the disk, raised."""

from __future__ import annotations

import errno
import os
import re
from concurrent.futures import BrokenExecutor

from guitar_kedro.errors import UserError
from guitar_kedro.parameters import RENAMED

# what the extra `train` brings; a server may do without
TRAINING = {"cleanlab", "fastai", "matplotlib", "plotly", "pyarrow", "sklearn", "timm", "torch"}
EXTRAS = {**dict.fromkeys(TRAINING, "train"), "mlflow": "mlflow", "optuna": "search", "tensorboard": "tensorboard"}


def user_error_behind(error: BaseException) -> UserError | None:
    """Find the user's mistake behind an error that Kedro raised.

    Args:
        error: What ended a run.

    Returns:
        The ``UserError`` in the chain of causes, or one made of the sentence of a Kedro error that tells of a mistake
        in what was asked for; ``None`` where the error is no mistake of the user's.
    """
    for link in causes(error):
        if isinstance(link, UserError):
            return link
        missing = re.search(r"No module named '(\w+)", str(link))  # Kedro's own error of a dataset may say so as well
        if missing and missing.group(1) in EXTRAS:
            library, extra = missing.group(1), EXTRAS[missing.group(1)]
            return UserError(f"{library} is not installed: `pip install 'guitar-kedro[{extra}]'` brings it.")
        if isinstance(link, BrokenExecutor):
            return UserError(
                "A process that worked for this one was ended, perhaps for want of memory: run the same command again. "
                "What was finished is kept."
            )
        if sentence := _sentence_for_disk(link, error) or _sentence_for_kedro(link, error):
            return UserError(sentence)
    return None


def causes(error: BaseException) -> list[BaseException]:
    """List an error, what caused it, what caused that, and so on."""
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
        case DatasetError() if entry := re.match(r".*parsing config for dataset '(.+?)': (.+?\.)(\s|$)", words):
            sentence = f"catalog: {entry.group(1)} cannot be made ({entry.group(2).rstrip('.')}); mend its entry."
        case DataValidationError() | MissingConfigException() | DatasetNotFoundError():
            sentence = words
        case YAMLError():
            sentence = f"The configuration cannot be read: {words}"
        case ValueError() if named := re.match(r"Failed to find the pipeline named '(.*?)'", words):
            name = named.group(1)
            sentence = f"There is no pipeline {name}; choose one of {', '.join(sorted(pipelines))}."
            if RENAMED.get(name) in pipelines:
                sentence = f"The pipeline {name} is called {RENAMED[name]} now: write that instead."
        case ValueError() if re.match(r"Pipeline (does not contain|contains no)", words):
            sentence = words
    return sentence


def _dataset_path(message: str) -> str | None:
    path = re.search(r"(?:filepath|folder)=(?:\w*Path\(')?([^,')]+)", message)
    return path.group(1) if path else None


def _one_line_of_parameters(message: str) -> str:
    """Join Kedro's lines ``- Parameter 'name': what is wrong``, of which ours may go on in further lines."""
    found, parameter = [], ""
    for line in message.splitlines()[1:]:
        if named := re.match(r"- Parameter '(.+?)': (?:Failed to instantiate \w+ for parameter '.+?': )?(.*)", line):
            parameter, line = named.groups()  # noqa: PLW2901
        found.append(f"{parameter}{line if line[:1] in '.: ' else f': {line}'}")
    return f"The parameters cannot be used: {'; '.join(found)}."
