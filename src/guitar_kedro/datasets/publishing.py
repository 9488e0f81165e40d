"""Where a model is published: the Hugging Face hub, or a folder."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from rich.filesize import decimal

from guitar_kedro.datasets.bases import DescribedDataset
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, written_whole
from guitar_kedro.learning.export.bundle import ATTRIBUTIONS_FILE, INT8_FILE, PICKLE_FILE
from guitar_kedro.mistakes import causes

logger = logging.getLogger(__name__)

CARD_FILE = "README.md"  # which the hub shows as the card of a model
_HUB = "hf://"
_FOLDER = "file://"
_OPTIONAL = {ATTRIBUTIONS_FILE, INT8_FILE, PICKLE_FILE}  # of a bundle: an earlier one may have had them
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN, with a token that may write"
_ANSWERS = {401: f"it does not know the token: {_LOG_IN}", 403: f"the token may not do this: {_LOG_IN} there"}


class PublicationDataset(DescribedDataset):
    """Files of a model, by name, that are sent to where the user asked for; nothing is sent otherwise."""

    def __init__(self, to: str | None = None, dry_run: bool = False, metadata: dict[str, Any] | None = None) -> None:
        """Take note of where to.

        Args:
            to: ``hf://USER/NAME`` or ``file:///PLACE``.
            dry_run: Whether to say only what would be sent.
            metadata: For Kedro's plugins.
        """
        self._to, self._dry_run = to, dry_run
        self.metadata = metadata

    def check(self) -> None:
        """Check what can be known before there is anything to send.

        Raises:
            UserError: If it is no such place, there is something already in the folder, or nobody is logged in at the
                hub.
        """
        to = self._asked()
        if not isinstance(self._dry_run, bool):
            raise UserError(f"--params=dry_run={self._dry_run}: it is true or false.")
        if to.startswith(_HUB):
            _repository(to)
            from huggingface_hub import get_token

            if not self._dry_run and not get_token():
                raise UserError(f"--params=to={to}: nobody is logged in at the hub; {_LOG_IN}.")
        else:
            _folder(to)

    @property
    def folder(self) -> Path | None:
        """The folder that is written; ``None`` where there is none."""
        return _folder(self._to) if self._to and self._to.startswith(_FOLDER) else None

    def save(self, data: dict[str, bytes]) -> None:
        """Send the files, or say what would be sent.

        Raises:
            UserError: If they cannot be sent.
        """
        self.check()
        to = self._asked()
        for name, content in data.items():
            logger.info("%s %s (%s)", "would send" if self._dry_run else "sending", name, decimal(len(content)))
        if self._dry_run:
            logger.info("%s:\n%s", CARD_FILE, data[CARD_FILE].decode())
            logger.info("Nothing was sent to %s", to)
        elif to.startswith(_HUB):
            logger.info("Published: %s", _send(_repository(to), data))
        else:
            try:
                _write(_folder(to), data)
            except OSError as error:
                raise UserError(
                    f"--params=to={to}: it cannot be written there ({error.strerror}); name another folder."
                ) from error
            logger.info("Published: %s", to)

    def load(self) -> None:
        """Refuse.

        Raises:
            UserError: Always.
        """
        raise UserError("What was published is not read again.")

    def _asked(self) -> str:
        if self._to is None:
            raise UserError("Where is the model to be published? Say --params=to=hf://USER/NAME or to=file:///PLACE.")
        return self._to

    def _exists(self) -> bool:
        return False


def _repository(to: str) -> str:
    name = to.removeprefix(_HUB)
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name, re.ASCII):
        raise UserError(f"--params=to={to}: a model of the hub is called hf://USER/NAME.")
    return name


def _folder(to: str) -> Path:
    parts = urlsplit(to)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
        raise UserError(f"--params=to={to}: a model is published to hf://USER/NAME, or to a folder, file:///PLACE.")
    folder = local_path(url2pathname(parts.path))
    is_empty = folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    if os.path.lexists(folder) and not is_empty:
        raise UserError(f"--params=to={to}: there is something already; remove it, or name another folder.")
    above = next(parent for parent in folder.parents if os.path.lexists(parent))
    if not above.is_dir():
        raise UserError(f"--params=to={to}: {above} is no folder; name another place.")
    return folder


def _write(folder: Path, data: dict[str, bytes]) -> None:
    """Write files into a folder that is there with all of them, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.part-", dir=folder.parent) as room:
        beside = Path(room) / folder.name
        beside.mkdir()
        for name, content in data.items():
            with written_whole(beside / name) as file:
                file.write_bytes(content)
        if folder.exists():  # and is empty; Windows replaces no folder
            folder.rmdir()
        os.replace(beside, folder)


def _send(repository: str, data: dict[str, bytes]) -> str:
    """Send files to the hub in one commit, and return the address of the model."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client that it uses

    hub = HfApi()
    try:
        hub.create_repo(repository, exist_ok=True)
        left = _OPTIONAL.intersection(hub.list_repo_files(repository)) - data.keys()
        added = (CommitOperationAdd(name, content) for name, content in data.items())
        removed = (CommitOperationDelete(name) for name in sorted(left))
        hub.create_commit(repository, [*added, *removed], commit_message="Publish the model and its card")
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{_HUB}{repository}: the model could not be published at {hub.endpoint} ({_reason(error)}). Of what was "
            "sent nothing is in the repository, whose files change all at once; the same command tries again."
        ) from error
    return f"{hub.endpoint}/{repository}"


def _reason(error: Exception) -> str:
    answer: Any = next((link for link in causes(error) if getattr(link, "response", None) is not None), None)
    if answer is None:
        return " ".join(str(error).split()) or type(error).__name__
    code, said = answer.response.status_code, getattr(answer, "server_message", None)
    return _ANSWERS.get(code, f"it answered {code}{f': {said}' if said else ''}")
