"""Unpacking an archive that nobody has checked: under names of our own, within limits, whole or not at all."""

from __future__ import annotations

import bz2
import csv
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, fields
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from guitar_kedro.errors import UserError
from guitar_kedro.files import printable
from guitar_kedro.progress import track_bytes

INDEX = "files.csv"

MAX_FILES = 500_000  # members of any kind
MAX_BYTES = 50_000_000_000  # unpacked, of all members together
MAX_RATIO = 100  # unpacked bytes per byte of the archive
_RATIO_APPLIES_FROM = 100_000_000  # bytes; a few flat pictures may well be packed a thousandfold
_CHUNK = 1 << 20
_FILES_PER_FOLDER = 1_000
_STALE_SECONDS = 24 * 3600
_CLUTTER = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"}

_Found = tuple[str, str, "IO[bytes] | None", str]  # name, encoding that was assumed, content, problem


@dataclass(frozen=True)
class Member:
    """One member of an archive, as it stands in the index.

    Attributes:
        name: the member's name in the archive, printable, unique.
        file: where it lies, relative to the folder, with slashes; empty when it was not unpacked.
        problem: why it was not unpacked (a link, a device); empty when it was.
        assumed: the encoding by which the name was read for want of a better one; empty where it is known.
    """

    name: str
    file: str
    problem: str = ""
    assumed: str = ""


def is_clutter(name: str) -> bool:
    """Tell whether a path has a part that an operating system leaves behind, or a hidden one (beginning with a dot)."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in parts)


def is_archive(path: Path) -> bool:
    """Tell by content whether a file is an archive that `unpack` reads."""
    try:
        with path.open("rb") as file:
            return _kind(file) is not None
    except OSError:
        return False


def unpack(archive: Path, folder: Path, names_encoding: str | None = None) -> list[Member]:
    """Unpack the regular files of a tar (also gz, bz2, xz) or zip archive, told by content.

    Files get names of our own (a number and the member's suffix), so that no member's name ever becomes a path; the
    index `files.csv` beside them says which is which. What is neither file nor folder (links, devices) is not unpacked
    but stands in the index with the reason. What operating systems leave behind (`__MACOSX`, `Thumbs.db`, hidden files)
    is left out. The folder appears when everything is in it, and replaces one that is there; until then the
    work is done in a temporary folder beside it.

    Names are UTF-8 where the archive says so and their bytes are. Of others it says nothing, or what is wrong: they are
    in the encoding that is given; without one they are UTF-8 if the bytes of all of them are (of a tar, which is read
    once, each by itself), since many programs write UTF-8 into a zip file without its flag. A single name proves
    nothing: that of a cat in GBK is UTF-8 by chance.

    Args:
        archive: the file.
        folder: where the files go.
        names_encoding: that of names of which the archive does not say that they are UTF-8; `None` takes those which
            are none for cp437 in a zip file, as the format says, and escapes their bytes in a tar. That there is such
            an encoding is checked by who asks for it.

    Returns:
        The members in the archive's order.

    Raises:
        UserError: the file is missing, no archive, damaged, encrypted, beyond the limits, or has a member whose name
            leads out of the folder or is not in the encoding; or the disk is full. Nothing is left behind then.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.part-", dir=folder.parent))
    except OSError as error:
        raise UserError(
            f"Cannot write to {folder.parent}: {error.strerror}. Make room or change its rights."
        ) from error
    try:
        with track_bytes(f"Unpacking {archive.name}") as progress:
            members = _unpack_into(work, archive, progress, names_encoding)
        _write_index(work / INDEX, members)
        work.chmod(0o755)
        _replace(work, folder)
    except OSError as error:
        raise _os_error(error, archive, folder) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return members


def check_encoding(names_encoding: str | None) -> None:
    """Refuse what is no encoding of text.

    Raises:
        UserError: Python knows no such encoding.
    """
    try:
        "".encode(names_encoding or "utf-8")
    except (LookupError, ValueError) as error:  # ValueError: there are codecs that refuse to work
        raise UserError(
            f"names_encoding={names_encoding}: there is no such encoding; use for example cp932 for Japanese, gb18030 "
            "for Chinese, cp866 for Cyrillic or cp850 for western European names."
        ) from error


def read_index(folder: Path) -> Iterator[Member]:
    """Read the index of an unpacked archive.

    Args:
        folder: where `unpack` put the files.

    Yields:
        The members in the archive's order.

    Raises:
        UserError: it was altered.
    """
    with (folder / INDEX).open(newline="", encoding="utf-8") as file:
        try:
            yield from (Member(**row) for row in csv.DictReader(file, strict=True))
        except (csv.Error, TypeError, UnicodeDecodeError):
            raise UserError(
                f"{folder / INDEX} is not as it was written: remove {folder}, and the archive is unpacked again."
            ) from None


def _write_index(path: Path, members: list[Member]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Member))
        writer.writerows(astuple(member) for member in members)


def _remove_stale(folder: Path) -> None:
    """Remove what a killed process left, but not what another one may still be writing."""
    for path in folder.parent.glob(f".{folder.name}.part-*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _replace(work: Path, folder: Path) -> None:
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.part-", dir=folder.parent))
        os.replace(folder, old / "old")
        os.replace(work, folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(work, folder)


def _os_error(error: OSError, archive: Path, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"The disk is full while unpacking {archive} to {folder.parent}. Make room and run again.")
    if isinstance(error, FileNotFoundError) and not archive.exists():
        return UserError(f"There is no file {archive}. Give the path of an archive or of a folder of pictures.")
    return UserError(f"Cannot unpack {archive} to {folder.parent}: {error.strerror or error}.")


def _unpack_into(
    work: Path, archive: Path, progress: Callable[[int, int], None], names_encoding: str | None
) -> list[Member]:
    with archive.open("rb") as file:
        kind = _kind(file)
        if kind is None:
            raise UserError(
                f"{archive} is not an archive that can be read. Give a .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz or .zip "
                "file, or a folder of pictures."
            )
        writer = _Writer(work, archive, file, progress, names_encoding)
        try:
            for found in (_zip_members if kind == "zip" else _tar_members)(file, kind, writer):
                writer.add(*found)
        except UserError:
            raise
        except (NotImplementedError, RuntimeError) as error:  # zipfile's words for what it has not learnt
            what = f"{archive} cannot be unpacked ({error})."
            raise UserError(f"{what} Unpack it yourself and give the folder.") from error
        except Exception as error:  # damaged headers make tarfile and zipfile raise almost anything
            if isinstance(error, OSError) and error.errno is not None:
                raise
            what = str(error) or type(error).__name__
            raise UserError(f"{archive} is damaged or incomplete ({what}). Get it again.") from error
        progress(writer.size, writer.size)
        return writer.members


def _kind(file: IO[bytes]) -> str | None:
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    for kind, signature in (("gz", b"\x1f\x8b"), ("bz2", b"BZh"), ("xz", b"\xfd7zXZ\x00")):
        if head.startswith(signature):
            return kind
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    return None


def _is_old_tar(head: bytes) -> bool:
    """Recognise a tar from before 1988, which has no signature, by its header's checksum."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _tar_members(file: IO[bytes], kind: str, writer: _Writer) -> Iterator[_Found]:
    openers: dict[str, Callable[..., Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    stream = openers[kind](file) if kind in openers else file
    plain = _ForwardOnly(stream, writer)
    with tarfile.open(fileobj=plain, mode="r:", encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
            raw = member.name.encode("utf-8", "surrogateescape")
            name, assumed = writer.decode(raw, "utf-8", said="path" in member.pax_headers)
            if member.isdir():
                writer.check_name(name)
            elif member.isreg() and not member.issparse():
                yield name, assumed, tar.extractfile(member), ""
            else:
                yield name, assumed, None, _tar_problem(member)


def _tar_problem(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"It is a link to {_printable(member.linkname)}, and links in archives are not followed."
    return "It is not a regular file (a device, a pipe or a sparse file)."


class _ForwardOnly(io.RawIOBase):
    """What tarfile reads from: only forward, in small pieces, and every byte counts.

    tarfile reads extended headers in one piece, however large they say they are, and goes back when a size is negative.
    """

    def __init__(self, stream: IO[bytes], writer: _Writer) -> None:
        super().__init__()
        self._stream = stream
        self._writer = writer
        self._position = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or position < self._position:
            raise tarfile.ReadError("a header points backwards")
        while self._position < position:
            if not self.read(min(_CHUNK, position - self._position)):
                break
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError("a header has no size that a header can have")
        content = self._stream.read(size)
        self._position += len(content)
        self._writer.check_bytes(self._position)
        return content


def _zip_members(file: IO[bytes], _: str, writer: _Writer) -> Iterator[_Found]:
    source = _NamesUnflagged(file)
    with zipfile.ZipFile(cast(IO[bytes], source)) as archive:
        source.headers = {member.header_offset for member in archive.infolist()}
        unsaid = [raw for raw, said in map(_zip_name, archive.infolist()) if not said]
        otherwise = "utf-8" if all(map(_is_utf_8, unsaid)) else "cp437"
        for member in archive.infolist():
            mode = member.external_attr >> 16
            raw, said = _zip_name(member)
            name, assumed = writer.decode(raw, otherwise, said)
            if not assumed:  # else it may be half of a character of two bytes
                name = name.replace("\\", "/")  # as Windows' own tools wrote them, against the zip format
            if member.flag_bits & 1:
                raise UserError(f"{writer.archive} is encrypted. Unpack it yourself and give the folder.")
            if name.endswith("/"):
                writer.check_name(name)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                what = "a link, and links in archives are not followed" if stat.S_ISLNK(mode) else "not a regular file"
                yield name, assumed, None, f"It is {what}."
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile unpacks a MB of the others in one piece, which may fill the memory whatever size is declared
                raise UserError(
                    f"{writer.archive} has a member {_printable(name)} that is packed in an unusual way. "
                    "Pack it anew with the usual compression (deflate), or unpack it yourself and give the folder."
                )
            else:
                with archive.open(member) as content:
                    yield name, assumed, content, ""


class _NamesUnflagged:
    """A zip file in which no name is flagged as UTF-8.

    zipfile gives up on an archive with a flagged name that is none; without flags it takes each byte of a name for a
    character of cp437, from which the bytes can be had back.

    Attributes:
        headers: where the headers of members begin, once the directory has been read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.headers: set[int] = set()
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        start, content = self._file.tell(), self._file.read(size)
        if start in self.headers:
            return content[:7] + bytes(byte & ~0x08 for byte in content[7:8]) + content[8:]
        if self.headers or not content.startswith(b"PK\x01\x02"):
            return content
        directory, entry = bytearray(content), 0  # in it, the flag moves to a bit that has no meaning
        while directory.startswith(b"PK\x01\x02", entry) and entry + 46 <= len(directory):
            directory[entry + 9] = (directory[entry + 9] & ~0x08) | (directory[entry + 9] & 0x08) << 4
            entry += 46 + sum(struct.unpack_from("<3H", directory, entry + 28))
        return bytes(directory)


def _zip_name(member: zipfile.ZipInfo) -> tuple[bytes, bool]:
    """Return the bytes of a name, and whether they are said to be UTF-8, by the flag or Info-ZIP's field (0x7075)."""
    name, extra, said = member.orig_filename.encode("cp437"), member.extra, bool(member.flag_bits & 0x8000)
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 0x7075 and int.from_bytes(extra[5:9], "little") == zlib.crc32(name):
            name, said = extra[9 : 4 + size], True
            break
        extra = extra[4 + size :]
    name = name.partition(b"\0")[0]
    return name, said and _is_utf_8(name)


def _is_utf_8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass
class _Writer:
    """Puts members on the disk under names of our own and keeps count.

    Attributes:
        folder: where they go.
        archive: the archive's path, for messages.
        file: the archive.
        progress: called with bytes of the archive read so far and in all.
        names_encoding: that of names of which the archive does not say that they are UTF-8.
        members: what was added so far.
    """

    folder: Path
    archive: Path
    file: IO[bytes]
    progress: Callable[[int, int], None]
    names_encoding: str | None
    members: list[Member] = field(default_factory=list)
    _seen: int = 0
    _written: int = 0
    _names: dict[str, int] = field(default_factory=dict)  # and the last number that was put behind each

    @cached_property
    def size(self) -> int:
        """The archive's bytes."""
        return os.fstat(self.file.fileno()).st_size

    def decode(self, name: bytes, otherwise: str, said: bool) -> tuple[str, str]:
        """Read a name, and give the encoding that was assumed; an empty one where it is known.

        Args:
            name: Its bytes.
            otherwise: Its encoding where none was given.
            said: Whether the archive says that it is UTF-8.
        """
        is_known = said or name.isascii() or (self.names_encoding is None and otherwise == "utf-8")
        if is_known and _is_utf_8(name):
            return name.decode("utf-8"), ""
        if self.names_encoding is None:
            return name.decode(otherwise, "surrogateescape"), otherwise
        try:
            return name.decode(self.names_encoding), ""
        except UnicodeDecodeError as error:
            raise UserError(
                f"{self.archive} has a member named {ascii(name)[1:]}, which is not in the encoding that was given, "
                f"names_encoding={self.names_encoding}. Give another one, or unpack it yourself and give the folder."
            ) from error

    def add(self, name: str, assumed: str, content: IO[bytes] | None, problem: str) -> None:
        """Write one member, or note why it is not written."""
        self.check_name(name)
        if is_clutter(name):
            return
        unique = self._unique(_printable(name))
        if content is None:
            self.members.append(Member(unique, "", problem, assumed))
            return
        file = self._own_name(name)
        path = self.folder / file
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as target:
            while chunk := content.read(_CHUNK):
                self._written += len(chunk)
                self.check_bytes(self._written)
                target.write(chunk)
        self.members.append(Member(unique, file, "", assumed))
        self.progress(min(self.file.tell(), self.size), self.size)

    def check_name(self, name: str) -> None:
        """Refuse a name that leads out of the folder, and too many of them."""
        self._seen += 1
        if self._seen > MAX_FILES:
            raise UserError(
                f"{self.archive} has more than {MAX_FILES:,} members, the limit. Unpack it yourself and give the "
                "folder."
            )
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or re.match(r"[A-Za-z]:", name):
            raise UserError(
                f"{self.archive} has a member named {_printable(name)!r}, which leads out of the folder it is unpacked "
                "to. Use an archive from a source that you trust."
            )

    def check_bytes(self, count: int) -> None:
        """Refuse an archive that grows beyond all measure."""
        if count > MAX_BYTES:
            raise UserError(
                f"{self.archive} unpacks to more than {MAX_BYTES:,} bytes, the limit. Unpack it yourself and give the "
                "folder."
            )
        if count > max(_RATIO_APPLIES_FROM, MAX_RATIO * self.size):
            raise UserError(
                f"{self.archive} unpacks to more than {MAX_RATIO} times its size, as only archives do that "
                "are made to fill a disk. If you trust it, unpack it yourself and give the folder."
            )

    def _unique(self, name: str) -> str:
        unique, count = name, self._names.get(name, 1)
        while unique in self._names:
            count += 1
            unique = f"{name} ({count})"
        self._names[name] = count
        self._names.setdefault(unique, 1)
        return unique

    def _own_name(self, name: str) -> str:
        number = len(self.members)
        suffix = PurePosixPath(name).suffix.lower()
        suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
        return f"{number // _FILES_PER_FOLDER:04d}/{number:07d}{suffix}"


def _printable(name: str) -> str:
    """Return a name that fits into a table, without a leading `./`."""
    return str(PurePosixPath(printable(name)))
