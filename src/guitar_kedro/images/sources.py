"""Where raw images come from: class folders, an archive of them, here or at an address."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import composed, local_path, printable, real_path, sha256_of_file
from guitar_kedro.images.archives import INDEX, Member, is_archive, is_clutter, read_index, unpack
from guitar_kedro.images.downloads import download, is_address, is_web_address, name_for, parts_of, reaching
from guitar_kedro.images.layout import no_files
from guitar_kedro.images.raw import RawImage, label_of

logger = logging.getLogger(__name__)

STAMP = "archive.json"


@dataclass(frozen=True)
class ImageStream:
    """The files of a source, listed anew each time that one goes through them: their number takes no memory.

    Attributes:
        place: a folder, a file, or the folder to which an archive was unpacked; the address of a folder or file.
        is_unpacked: whether it is the last of these.
    """

    place: Path | str
    is_unpacked: bool = False

    def __iter__(self) -> Iterator[RawImage]:
        """Go through the files: of a folder by name, of an archive in its order.

        The label of a file is the name of the folder it lies in, though that need not be a class.
        """
        if self.is_unpacked:
            assert isinstance(self.place, Path)
            return (_in_archive(member, self.place) for member in read_index(self.place))
        if isinstance(self.place, str):
            name, found = PurePosixPath(parts_of(self.place).path).name, _at_address(self.place)
        else:
            place = real_path(self.place)
            if not place.is_dir():
                label = composed(printable(place.parent.name))
                return iter([RawImage(printable(self.place.name), label, self.place)])
            name, found = place.name, _in_folder(place)
        top = composed(printable(name))
        return (image if image.label else replace(image, label=top) for image in found)


def stream_images(source: str, folder: Path, names_encoding: str | None = None) -> ImageStream:
    """Find the files of a source in which no class folders are needed, unpacking an archive.

    Args:
        source: path or address of a folder, of an archive, or of one picture.
        folder: where unpacked archives are kept.
        names_encoding: of names in an archive which are no UTF-8.

    Raises:
        UserError: nothing is there, or the archive cannot be unpacked.
    """
    place = _place(source, folder)
    if isinstance(place, Path) and not place.exists():
        raise UserError(f"{place} does not exist. Give the path of a folder, of an archive, or of a picture.")
    if isinstance(place, Path) and place.is_file() and is_archive(place):
        unpacked = _unpacked(place, folder, names_encoding)
        stream = ImageStream(unpacked, is_unpacked=True)
        _tell_assumed(read_index(unpacked), place)
    else:
        stream = ImageStream(place)
    if next(iter(stream), None) is None:
        raise UserError(f"{no_files(place)} Give the path of a folder, of an archive, or of a picture.")
    return stream


def find_images(source: str, folder: Path, names_encoding: str | None = None) -> list[RawImage]:
    """List the files of a source that needs no class folders, as `find_files` does.

    Raises:
        UserError: as of `find_files`, or there are none.
    """
    files, place = find_files(source, folder, names_encoding=names_encoding)
    if not files:
        raise UserError(f"{no_files(place)} Give a folder or an archive with pictures in it.")
    return files


def find_files(
    source: str, folder: Path, sha256: str | None = None, names_encoding: str | None = None
) -> tuple[list[RawImage], Path | str]:
    """List the files of a source, fetching and unpacking what must be fetched and unpacked.

    The class of a file is the name of the folder that it lies in. All files are listed, pictures or not, but what
    operating systems leave behind and hidden ones. Links to files inside the folder are read; links that lead outside,
    or to folders, are listed with a problem, and so are those in an archive.

    Args:
        source: path of a folder or an archive, http(s) address of an archive, or address of either on storage that
            fsspec reads (`s3://bucket/photos`).
        folder: where downloads and unpacked archives are kept.
        sha256: checksum that the archive must have, None for any.
        names_encoding: of names in an archive which are no UTF-8.

    Returns:
        The files, sorted by name, and where they come from: a folder or archive of this machine, or an address.

    Raises:
        UserError: there is no such source, or the archive is hostile or damaged; the message says what to do.
    """
    # perhaps put there by hand
    was_there = is_address(source) and (folder / "downloads" / name_for(source)).exists()
    place = _place(source, folder, sha256)
    if sha256:
        check_sha256(place, sha256)
    if isinstance(place, str):
        return list(_at_address(place)), place
    if place.is_dir():
        return list(_in_folder(place)), place
    if not place.is_file():
        what = "is neither a folder nor a file" if place.exists() else "does not exist"
        if place.is_symlink() and not place.exists():
            what = f"is a link to {printable(os.readlink(place))}, where nothing is"
        raise UserError(
            f"{place} {what}. Give the path of a folder of pictures, of a .tar, .tgz or .zip archive of one, or an "
            "http(s) address of such an archive."
        )
    if is_address(source) and not was_there and not is_archive(place):
        place.unlink()
        raise UserError(
            f"What {source} sends is not a .tar, .tgz or .zip archive (a web page perhaps). Download the archive "
            "yourself and give its path with --params=images=PATH."
        )
    unpacked = _unpacked(place, folder / "unpacked", names_encoding)
    members = sorted(read_index(unpacked), key=lambda member: member.name)
    _tell_assumed(members, place)
    return [_in_archive(member, unpacked) for member in members], place


def check_sha256(place: Path | str, sha256: str) -> None:
    """Refuse an archive of another checksum, and a folder, which has none.

    Args:
        place: an archive or folder of this machine, or the address of a folder.
        sha256: the checksum that it must have, in hex.

    Raises:
        UserError: it is a folder, or has another checksum.
    """
    if isinstance(place, str) or place.is_dir():
        raise UserError(f"{place} is a folder, and only an archive has a checksum: leave out --params=sha256={sha256}.")
    if place.is_file() and (found := sha256_of_file(place)) != sha256.lower():
        raise UserError(
            f"{place} has the SHA-256 checksum {found}, and not {sha256}: it is another archive, or it is damaged."
        )


def is_usable(source: Path) -> bool:
    """Tell whether a path holds an archive, or files of two classes; nothing is unpacked, and not all is listed."""
    if not source.is_dir():
        return is_archive(source)
    labels = (image.label for image in _in_folder(source) if image.label and not image.problem)
    first = next(labels, None)
    return any(label != first for label in labels)


def address_state(address: str, folder: Path) -> Iterator[str]:
    """Return lines that change when what an address holds does.

    Args:
        address: of a folder, or of a file, which is downloaded once and not asked for again.
        folder: where downloads are kept.
    """
    if _is_folder(address, folder):
        return (image.state for image in _at_address(address))
    return iter([address])


def _place(source: str, folder: Path, sha256: str | None = None) -> Path | str:
    """Find where the files are: on this machine, for a single file is downloaded, or at an address."""
    if not is_address(source):
        return local_path(source)
    return source if _is_folder(source, folder) else download(source, folder / "downloads", sha256)


def _is_folder(address: str, folder: Path) -> bool:
    if is_web_address(address) or (folder / "downloads" / name_for(address)).exists():
        return False
    with reaching(address) as (storage, path):
        return not storage.isfile(path)


def _unpacked(archive: Path, unpacked: Path, names_encoding: str | None) -> Path:
    """Unpack an archive into a folder of its own, if it was not as it is now when that was done before."""
    stamp = _stamp(archive, names_encoding)
    name = re.sub(r"[^\w.-]", "_", archive.name).lstrip(".") or "archive"
    place = unpacked / f"{name}-{hashlib.sha256(os.fsencode(real_path(archive))).hexdigest()[:8]}"
    if _stamp_in(place) != stamp:
        unpack(archive, place, names_encoding)
        (place / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return place


def _stamp(archive: Path, names_encoding: str | None) -> dict[str, Any]:
    """Return what is noted beside the files of an archive: they hold as long as it is the same."""
    found = archive.stat()
    return {
        "archive": str(real_path(archive)),
        "bytes": found.st_size,
        "modified": found.st_mtime_ns,
        "names_encoding": names_encoding,
    }


def _stamp_in(place: Path) -> dict[str, Any]:
    try:
        stamp: Any = json.loads((place / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def spare_archives(folder: Path, source: str | None) -> Iterator[Path]:
    """List unpacked archives that are not looked at any more and can be unpacked again.

    Args:
        folder: where downloads and unpacked archives are kept.
        source: what is looked at now, as for `find_files`; None where that is nothing.

    Returns:
        Folders in which there is only what was unpacked, from archives that are still as they were.
    """
    used = Path()
    if source is not None:
        used = folder / "downloads" / name_for(source) if is_address(source) else local_path(source)
    for place in sorted([*folder.glob("*"), *(folder / "unpacked").glob("*")]):
        stamp = _stamp_in(place)
        if "archive" not in stamp or (archive := Path(stamp["archive"])) == used.resolve():
            continue
        if not archive.is_file() or stamp != _stamp(archive, stamp.get("names_encoding")):
            continue
        own = {STAMP, INDEX, *(member.file for member in read_index(place))}
        if all(path.relative_to(place).as_posix() in own for path in place.rglob("*") if not path.is_dir()):
            yield place


def _at_address(address: str) -> Iterator[RawImage]:
    """List the files of a folder, as those of a folder of this machine."""
    with reaching(address) as (storage, top):
        storage.invalidate_cache()
        for parent, folders, files in storage.walk(top, on_error="raise"):
            folders[:] = sorted(name for name in folders if not is_clutter(name))
            for name in sorted(name for name in files if name and not is_clutter(name)):
                path = f"{parent}/{name}".removeprefix(top).lstrip("/")
                file = printable(path)
                yield RawImage(file, label_of(file), f"{address.rstrip('/')}/{path}")


def _in_folder(folder: Path) -> Iterator[RawImage]:
    """List everything in a folder but folders and clutter: also links to folders, and folders that cannot be listed."""
    root = real_path(folder)
    unlisted: list[OSError] = []
    for parent, folders, files in os.walk(root, onerror=unlisted.append):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        folders[:] = sorted(name for name in folders if name not in links and not is_clutter(name))
        for name in sorted(files + links):
            if not is_clutter(name):
                yield _local_file(Path(parent, name), root)
    for error in unlisted:
        if Path(error.filename) == root:
            raise UserError(f"{root} cannot be listed ({error.strerror}). Give yourself the right to read it.")
        yield _local_file(Path(error.filename), root)


def _local_file(path: Path, root: Path) -> RawImage:
    name = printable(path.relative_to(root))
    try:
        problem = _problem_of(path, root)
    except OSError as error:  # in a folder whose names may be read, and nothing else
        problem = "file_not_readable", f"It cannot be looked at: {error.strerror}."
    return RawImage(name, label_of(name), path, problem)


def _problem_of(path: Path, root: Path) -> tuple[str, str] | None:
    if path.is_symlink():
        target = real_path(path)
        if not path.exists():
            to = printable(os.readlink(path))
            return "link_not_followed", f"It is a link to {to}, which leads to nothing that can be reached; remove it."
        if not target.is_relative_to(root):
            to = f"It is a link to {printable(target)}, outside of the folder"
            return "link_not_followed", f"{to}; put a copy in its place, or give the folder that has both."
        if not target.is_file():
            to = f"It is a link to {printable(target)}, which is no file"
            return "link_not_followed", f"{to}; put a copy in its place."
    if path.is_dir():
        return "folder_not_readable", "It is a folder that cannot be listed; give yourself the right to read it."
    if not path.is_file():
        return "not_a_regular_file", "It is not a regular file (a device or a pipe)."
    return None


def _in_archive(member: Member, place: Path) -> RawImage:
    problem = ("not_a_regular_file", member.problem) if member.problem else None
    return RawImage(member.name, label_of(member.name), place / (member.file or "not-unpacked"), problem)


def _tell_assumed(members: Iterable[Member], archive: Path) -> None:
    """Warn of classes whose names are read in an encoding that was assumed."""
    assumed = [(label_of(member.name) or member.name, member.assumed) for member in members if member.assumed]
    if assumed:
        logger.warning(
            "%s: %d names are read as %s, for not all of them are UTF-8, so that classes are called %s. If that is "
            "wrong, name the encoding, for example --params=names_encoding=cp932 (Japanese), gb18030 (Chinese), cp866 "
            "(Cyrillic) or cp850 (western Europe)",
            archive,
            len(assumed),
            "cp437" if assumed[0][1] == "cp437" else "UTF-8 with escapes for the other bytes",
            listed(sorted({label for label, _ in assumed}), 10),
        )
