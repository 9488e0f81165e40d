"""Addresses: what is fetched from web servers and from storage that fsspec reads."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from guitar_kedro.errors import UserError
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.progress import track_bytes

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MAX_DOWNLOAD_BYTES = 20_000_000_000
_TIMEOUT = (15, 60)  # seconds to connect, and without a byte
_CHUNK = 1 << 16
_HTTP = ("http", "https")


def download(
    url: str,
    folder: Path,
    sha256: str | None = None,
    instead: str = "give a file's path with --params=images=PATH",
) -> Path:
    """Download a file once.

    The file gets its own name plus a short hash of the address. It appears under that name when it is complete and its
    checksum is right; when it is there, nothing is downloaded.

    Args:
        url: http or https address, or one of storage that fsspec reads.
        folder: where the file goes.
        sha256: its checksum, 64 digits in hex, None to take what comes.
        instead: how to name a local file, for messages: they end in "..., or " and this.

    Returns:
        Path of the file.

    Raises:
        UserError: it could not be downloaded; the message says which file to put where instead.
    """
    import pooch

    parts = parts_of(url)
    if not parts.scheme or (parts.scheme in _HTTP and not parts.hostname):
        raise UserError(f"{url} is no address. Give one, or the path of a folder or archive.")
    path = folder / name_for(url)
    pooch.get_logger().setLevel(logging.WARNING)  # it would ask for a checksum in words of its own
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256.lower()}" if sha256 else None,
            fname=path.name,
            path=folder,
            downloader=partial(_save, folder=folder),
        )
    except Exception as error:
        advice = f"Download it yourself and put it at {path}, or {instead}."
        raise _download_error(error, url, path, advice) from error
    return path


def is_address(source: str) -> bool:
    """Whether a source is an address and no path."""
    return "://" in source


def is_web_address(address: str) -> bool:
    """Return whether an address is one of a web server, and not of storage.

    Raises:
        UserError: it is no address, or holds a password.
    """
    return parts_of(address).scheme in _HTTP


def parts_of(url: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        UserError: it is no address, or holds a password, which no message repeats.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url} is no address ({error}). Give one, or the path of a folder or archive.") from None
    if parts.password:
        where = (
            "the file .netrc in your home folder, where it is looked up"
            if parts.scheme in _HTTP
            else "fsspec's configuration, https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration"
        )
        raise UserError(
            f"An address must not hold a password, for addresses stand in tables and records. Keep it in {where}."
        )
    return parts


@contextmanager
def reaching(address: str) -> Iterator[tuple[AbstractFileSystem, str]]:
    """Return the storage of an address and the path there; what goes wrong with it is told by its address.

    Raises:
        UserError: the storage cannot be reached, or does not give what was asked for.
    """
    from fsspec.core import url_to_fs

    parts_of(address)  # refuses a password
    try:
        yield url_to_fs(address)
    except (UserError, UnreadableImage):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{address} does not exist.") from error
    except Exception as error:  # each storage has errors of its own
        raise UserError(f"{address} cannot be read: {' '.join(str(error).split()) or type(error).__name__}.") from error


def name_for(url: str) -> str:
    """Name a download: the address's last part, so that people recognise it, made unique by the address's hash."""
    name = unquote(parts_of(url).path).rsplit("/", 1)[-1]
    last = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".")[-80:] or "archive"
    stem, dot, suffix = last.partition(".")
    return f"{stem}-{hashlib.sha256(os.fsencode(url)).hexdigest()[:8]}{dot}{suffix}"


def _save(url: str, output_file: str, _: object, folder: Path) -> None:
    """Stream a file for pooch, with progress, and stop when it grows too large."""
    too_large = _TooLarge(f"{url} is larger than {MAX_DOWNLOAD_BYTES:,} bytes, the limit.")
    opened = _http_content if is_web_address(url) else _stored_content
    with opened(url) as (total, chunks):
        if total > MAX_DOWNLOAD_BYTES:
            raise too_large
        free = shutil.disk_usage(folder).free
        if total > free:
            raise UserError(
                f"{url} has {total:,} bytes but only {free:,} are free in {folder}. Make room and run again."
            )
        with open(output_file, "wb") as file, track_bytes(f"Downloading {url}") as progress:
            for chunk in chunks:
                file.write(chunk)
                if file.tell() > MAX_DOWNLOAD_BYTES:
                    raise too_large
                progress(file.tell(), total)


@contextmanager
def _http_content(url: str) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open what a web server sends: its size, 0 where it does not say, and its pieces."""
    import requests

    with requests.get(url, stream=True, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        yield int(response.headers.get("content-length", 0)), response.iter_content(_CHUNK)


@contextmanager
def _stored_content(url: str) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Open a file of storage that fsspec reads: its size and its pieces."""
    with reaching(url) as (storage, path):
        size = storage.size(path)

    def pieces() -> Iterator[bytes]:
        with reaching(url) as (storage, path), storage.open(path, "rb") as file:
            while piece := file.read(_CHUNK):
                yield piece

    yield size, pieces()


class _TooLarge(Exception):
    """A download grew larger than allowed."""


def _download_error(error: Exception, url: str, path: Path, advice: str) -> UserError:
    import requests

    match error:
        case UserError():
            return error
        case _TooLarge():
            what = str(error)
        case requests.HTTPError(response=requests.Response() as answer):
            what = f"The server answers {answer.status_code} {answer.reason} to {url}."
        case requests.Timeout():
            what = f"The server of {url} does not answer in time."
        case requests.exceptions.ChunkedEncodingError():
            what = f"The connection broke while downloading {url}."
        case requests.ConnectionError():
            what = f"No connection to {parts_of(url).hostname}, needed to download {url}."
        case requests.RequestException():
            what = f"{url} cannot be downloaded ({error})."
        case OSError():
            return UserError(f"Cannot write {path}: {error.strerror or error}. Make room or change the rights there.")
        case ValueError() if "hash" in str(error).lower():
            what = f"What {url} sends does not have the given SHA-256 checksum and is not used; is the checksum right?"
        case _:
            what = f"{url} cannot be downloaded ({error})."
    return UserError(f"{what} {advice}")
