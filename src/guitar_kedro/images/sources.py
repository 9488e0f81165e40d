"""Where raw images come from: class folders, an archive of them, here or at an address."""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
import os
import re
import shutil
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import composed, local_path, printable, real_path
from guitar_kedro.images.archives import INDEX, ArchiveLimits, Member, is_archive, is_clutter, read_index, unpack
from guitar_kedro.images.probing import Limits, UnreadableImage
from guitar_kedro.progress import track_bytes

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

logger = logging.getLogger(__name__)

MAX_DOWNLOAD_BYTES = 20_000_000_000

_TIMEOUT = (15, 60)  # seconds to connect, and without a byte
_CHUNK = 1 << 16
_HTTP = ("http", "https")
STAMP = "archive.json"
_SHOWN = 3  # examples in a sentence
_PART_OF_SPLIT = re.compile(
    "(?:(?P<training>train(?:ing)?)|(?P<validation>val(?:id(?:ation)?)?|dev)|(?P<test>test(?:ing)?|eval|holdout))"
    "(?:set|data|images)?"
)


@dataclass(frozen=True)
class RawImage:
    """A file that is to become a picture of a class.

    Attributes:
        file: its name for tables: the path in the source, or the archive member's name, with slashes, in one line;
            unique.
        label: its class, the name of the folder it lies in, in Unicode's normal form C.
        path: where it is read from; an address, as a string, on storage that fsspec reads.
        problem: reason and sentence why it cannot be read, for what was given but is no file in a class folder, or
            None.
    """

    file: str
    label: str
    path: Path | str
    problem: tuple[str, str] | None = None

    @property
    def state(self) -> str:
        """A line that changes when the file does: its name, size and time, or its problem."""
        if self.problem:
            return f"{self.file} {self.problem[0]}"
        if isinstance(self.path, str):
            with _reaching(self.path) as (storage, path):
                return f"{self.file} {storage.ukey(path)}"
        try:
            found = self.path.stat()
        except OSError as error:
            return f"{self.file} {error.strerror}"
        return f"{self.file} {found.st_size} {found.st_mtime_ns}"

    def read(self, max_bytes: int = Limits().max_bytes) -> bytes:
        """Read the whole file.

        Args:
            max_bytes: a larger file is not read.

        Returns:
            The content.

        Raises:
            UnreadableImage: it is too large, cannot be read, or has a problem.
            UserError: its storage cannot be reached.
        """
        if self.problem:
            raise UnreadableImage(*self.problem)
        try:
            if isinstance(self.path, str):
                return self._stored(max_bytes)
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableImage("not_a_regular_file", "It is not a regular file.")
            _check_size(found.st_size, max_bytes)
            return self.path.read_bytes()
        except OSError as error:
            raise UnreadableImage("file_not_readable", f"It could not be read: {error.strerror or error}.") from error

    def _stored(self, max_bytes: int) -> bytes:
        with _reaching(self.path) as (storage, path):
            try:
                _check_size(storage.size(path), max_bytes)
                return storage.cat_file(path)
            except FileNotFoundError as error:
                raise UnreadableImage("file_not_readable", "It is not there any more.") from error


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        detail = f"The file has {size:,} bytes; at most {max_bytes:,} are read."
        raise UnreadableImage("too_many_bytes", detail)


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
            return (_in_archive(member, self.place) for member in read_index(self.place))
        if isinstance(self.place, str):
            place, found = PurePosixPath(_parts(self.place).path), _at_address(self.place)
        else:
            place = real_path(self.place)
            if not place.is_dir():
                label = composed(printable(place.parent.name))
                return iter([RawImage(printable(self.place.name), label, self.place)])
            found = (_in_folder(path, place) for path in _files(place))
        top = composed(printable(place.name))
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
        stream = ImageStream(_unpacked(place, folder, names_encoding=names_encoding), is_unpacked=True)
        _tell_assumed(read_index(stream.place), place)
    else:
        stream = ImageStream(place)
    if next(iter(stream), None) is None:
        raise UserError(f"{_no_files(place)} Give the path of a folder, of an archive, or of a picture.")
    return stream


def find_images(
    source: str,
    folder: Path,
    sha256: str | None = None,
    limits: ArchiveLimits | None = None,
    need_classes: bool = True,
    names_encoding: str | None = None,
) -> list[RawImage]:
    """List the images of a source, fetching and unpacking what must be fetched and unpacked.

    Args:
        source: path of a folder of class folders or of an archive of them, http(s) address of such an archive, or
            address of either on storage that fsspec reads (`s3://bucket/photos`).
        folder: where downloads and unpacked archives are kept.
        sha256: checksum that a downloaded archive must have, None for any.
        limits: caps on what an archive may unpack to.
        need_classes: whether images of at least two classes are needed; without, files may lie in no class folder.
        names_encoding: of names in an archive which are no UTF-8.

    Returns:
        The images, sorted by name.

    Raises:
        UserError: nothing usable is there; the message says what to do.
    """
    # perhaps put there by hand
    was_there = is_address(source) and (folder / "downloads" / _name_for(source)).exists()
    place = _place(source, folder, sha256)
    if isinstance(place, str):
        return _checked(list(_at_address(place)), place, need_classes)
    if place.is_dir():
        return images_in_folder(place, need_classes)
    if not place.exists():
        raise UserError(_no_such(place))
    if is_address(source) and not was_there and not is_archive(place):
        place.unlink()
        raise UserError(
            f"What {source} sends is not a .tar, .tgz or .zip archive (a web page perhaps). Download the archive "
            "yourself and give its path with --params=images=PATH."
        )
    return images_in_archive(place, folder / "unpacked", limits, need_classes, names_encoding)


def is_usable(source: Path) -> bool:
    """Tell whether a path holds an archive, or files of two classes; nothing is unpacked, and not all is listed."""
    if not source.is_dir():
        return is_archive(source)
    root, labels = real_path(source), set()
    for path in _files(root):
        image = _in_folder(path, root)
        labels |= {image.label} if image.label and not image.problem else set()
        if len(labels) > 1:
            return True
    return False


def is_address(source: str) -> bool:
    """Whether a source is an address and no path."""
    return "://" in source


def address_state(address: str, folder: Path) -> Iterator[str]:
    """Give lines that change when what an address holds does.

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
    if _parts(address).scheme in _HTTP or (folder / "downloads" / _name_for(address)).exists():
        return False
    with _reaching(address) as (storage, path):
        return not storage.isfile(path)


def images_in_folder(folder: Path, need_classes: bool = True) -> list[RawImage]:
    """List the files of a folder of class folders; the class is the name of the folder a file lies in.

    Class folders may lie at any depth (`guitars/<class>/x.jpg`). All files are listed, pictures or not, but what
    operating systems leave behind and hidden ones. Links to files inside the folder are read; links that lead
    outside, or to folders, are listed with a problem.

    Args:
        folder: the top folder.
        need_classes: whether files of at least two classes are needed; without, files may lie in no class folder.

    Returns:
        The files, sorted by name.

    Raises:
        UserError: no such folder, nothing in it, fewer than two class folders with files, a split of its own, or
            pictures beside the class folders of a class folder.
    """
    if not folder.is_dir():
        raise UserError(_no_such(folder))
    root = real_path(folder)
    return _checked([_in_folder(path, root) for path in _files(root)], folder, need_classes)


def images_in_archive(
    archive: Path,
    unpacked: Path,
    limits: ArchiveLimits | None = None,
    need_classes: bool = True,
    names_encoding: str | None = None,
) -> list[RawImage]:
    """List the files of an archive of class folders, unpacking it if that was not done before.

    Args:
        archive: a tar (also gz, bz2, xz) or zip file.
        unpacked: folder for unpacked archives; each gets a folder in it, which is renewed when the archive's size or
            time, or the encoding, has changed.
        limits: caps on what the archive may unpack to.
        need_classes: whether files of at least two classes are needed; without, files may lie in no class folder.
        names_encoding: of names which are no UTF-8.

    Returns:
        The files, sorted by the members' names; links and the like are listed with a problem.

    Raises:
        UserError: no such file, not an archive, hostile or damaged, or as for ``images_in_folder``.
    """
    place = _unpacked(archive, unpacked, limits, names_encoding)
    members = sorted(read_index(place), key=lambda member: member.name)
    _tell_assumed(members, archive)
    return _checked([_in_archive(member, place) for member in members], archive, need_classes)


def _unpacked(
    archive: Path, unpacked: Path, limits: ArchiveLimits | None = None, names_encoding: str | None = None
) -> Path:
    try:
        found = archive.stat()
    except FileNotFoundError as error:
        raise UserError(_no_such(archive)) from error
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror}.") from error
    name = re.sub(r"[^\w.-]", "_", archive.name).lstrip(".") or "archive"
    place = unpacked / f"{name}-{hashlib.sha256(os.fsencode(real_path(archive))).hexdigest()[:8]}"
    stamp = {
        "archive": str(real_path(archive)),
        "bytes": found.st_size,
        "modified": found.st_mtime_ns,
        "names_encoding": names_encoding,
    }
    there = _stamp_of(place)
    if not _is_made_of(there, found) or there.get("names_encoding") != names_encoding:
        with track_bytes(f"Unpacking {archive.name}") as progress:
            unpack(archive, place, limits, progress, names_encoding)
        (place / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return place


def spare_archives(folder: Path, source: str | None) -> Iterator[Path]:
    """List unpacked archives that are not looked at any more and can be unpacked again.

    Args:
        folder: where downloads and unpacked archives are kept.
        source: what is looked at now, as for `find_images`; None where that is nothing.

    Returns:
        Folders in which there is only what was unpacked, from archives that are still as they were.
    """
    used = Path()
    if source is not None:
        used = folder / "downloads" / _name_for(source) if is_address(source) else local_path(source)
    for place in sorted([*folder.glob("*"), *(folder / "unpacked").glob("*")]):
        stamp = _stamp_of(place)
        if not stamp or "archive" not in stamp or (archive := Path(stamp["archive"])) == used.resolve():
            continue
        if not archive.is_file() or not _is_made_of(stamp, archive.stat()):
            continue
        own = {STAMP, INDEX, *(member.file for member in read_index(place))}
        if all(path.relative_to(place).as_posix() in own for path in place.rglob("*") if not path.is_dir()):
            yield place


def _is_made_of(stamp: dict | None, archive: os.stat_result) -> bool:
    return stamp is not None and (stamp["bytes"], stamp["modified"]) == (archive.st_size, archive.st_mtime_ns)


def _at_address(address: str) -> Iterator[RawImage]:
    """List the files of a folder, as those of a folder of this machine."""
    with _reaching(address) as (storage, top):
        storage.invalidate_cache()
        for parent, folders, files in storage.walk(top, on_error="raise"):
            folders[:] = sorted(name for name in folders if not is_clutter(name))
            for name in sorted(name for name in files if name and not is_clutter(name)):
                path = f"{parent}/{name}".removeprefix(top).lstrip("/")
                file = printable(path)
                yield RawImage(file, _label_of(file), f"{address.rstrip('/')}/{path}")


@contextmanager
def _reaching(address: str) -> Iterator[tuple[AbstractFileSystem, str]]:
    """Give the storage of an address and the path there; what goes wrong with it is told by its address.

    Raises:
        UserError: the storage cannot be reached, or does not give what was asked for.
    """
    from fsspec.core import url_to_fs

    if _parts(address).password:
        raise UserError(
            "An address must not hold a password, for addresses stand in tables and records. Keep it in fsspec's "
            "configuration, https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration."
        )
    try:
        yield url_to_fs(address)
    except (UserError, UnreadableImage):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{address} does not exist.") from error
    except Exception as error:  # each storage has errors of its own
        raise UserError(f"{address} cannot be read: {' '.join(str(error).split()) or type(error).__name__}.") from error


def download(
    url: str,
    folder: Path,
    sha256: str | None = None,
    max_bytes: int = MAX_DOWNLOAD_BYTES,
    instead: str = "give a file's path with --params=images=PATH",
) -> Path:
    """Download a file once.

    The file gets its own name plus a short hash of the address. It appears under that name when it is complete and its
    checksum is right; when it is there, nothing is downloaded.

    Args:
        url: http or https address, or one of storage that fsspec reads.
        folder: where the file goes.
        sha256: its checksum in hex, None to take what comes.
        max_bytes: a larger file is refused.
        instead: how to name a local file, for messages: they end in "..., or " and this.

    Returns:
        Path of the file.

    Raises:
        UserError: it could not be downloaded; the message says which file to put where instead.
    """
    import pooch

    parts = _parts(url)
    if not parts.scheme or (parts.scheme in _HTTP and not parts.hostname):
        raise UserError(f"{url} is no address. Give one, or the path of a folder or archive.")
    if sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UserError(f"The checksum {sha256!r} is not a SHA-256: that has 64 hexadecimal digits.")
    path = folder / _name_for(url)
    pooch.get_logger().setLevel(logging.WARNING)  # it would ask for a checksum in words of its own
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256.lower()}" if sha256 else None,
            fname=path.name,
            path=folder,
            downloader=_Downloader(path, max_bytes),
        )
    except Exception as error:
        advice = f"Download it yourself and put it at {path}, or {instead}."
        raise _download_error(error, url, path, advice) from error
    return path


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url} is no address ({error}). Give one, or the path of a folder or archive.") from None


def _no_such(path: Path) -> str:
    what = "is not a folder" if path.exists() else "does not exist"
    if path.is_symlink() and not path.exists():
        what = f"is a link to {printable(os.readlink(path))}, where nothing is"
    return (
        f"{path} {what}. Give the path of a folder with one folder per class, of a .tar, .tgz or .zip archive of them, "
        "or an http(s) address of such an archive."
    )


def _files(root: Path) -> Iterator[Path]:
    """Find everything in a folder but folders and clutter: also links to folders, and folders that cannot be listed."""
    unlisted: list[OSError] = []
    for parent, folders, files in os.walk(root, onerror=unlisted.append):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        folders[:] = sorted(name for name in folders if name not in links and not is_clutter(name))
        for name in sorted(files + links):
            if not is_clutter(name):
                yield Path(parent, name)
    for error in unlisted:
        if Path(error.filename) == root:
            raise UserError(f"{root} cannot be listed ({error.strerror}). Give yourself the right to read it.")
        yield Path(error.filename)


def _no_files(place: Path | str) -> str:
    """Tell that a source has no files, and whether it has any that were left out."""
    found = (path for path in place.rglob("*") if path.is_file()) if isinstance(place, Path) else iter(())
    if left_out := next(found, None):
        example = printable(left_out.relative_to(place))
        return (
            f"There are no files in {place} but hidden ones, whose own name or folder's begins with a dot, and what "
            f"operating systems leave behind, for example {example}; these are left out."
        )
    return (
        f"There are no files in {place} that are taken: hidden ones, and what operating systems leave behind, are not."
    )


def _label_of(file: str) -> str:
    return composed(PurePosixPath(file).parent.name)


def _in_folder(path: Path, root: Path) -> RawImage:
    name = printable(path.relative_to(root))
    return RawImage(name, _label_of(name), path, _problem_of(path, root))


def _problem_of(path: Path, root: Path) -> tuple[str, str] | None:
    try:
        return _kind_of_problem(path, root)
    except OSError as error:  # in a folder whose names may be read, and nothing else
        return "file_not_readable", f"It cannot be looked at: {error.strerror}."


def _kind_of_problem(path: Path, root: Path) -> tuple[str, str] | None:
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
        return "file_not_readable", "It is a folder that cannot be listed; give yourself the right to read it."
    if not path.is_file():
        return "not_a_regular_file", "It is not a regular file (a device or a pipe)."
    return None


def _in_archive(member: Member, place: Path) -> RawImage:
    problem = ("not_a_regular_file", member.problem) if member.problem else None
    return RawImage(member.name, _label_of(member.name), place / (member.file or "not-unpacked"), problem)


def _tell_assumed(members: Iterable[Member], archive: Path) -> None:
    """Warn of classes whose names are read in an encoding that was assumed."""
    assumed = [(_label_of(member.name) or member.name, member.assumed) for member in members if member.assumed]
    if assumed:
        logger.warning(
            "%s: %d names are no UTF-8 and are read as %s, so that classes are called %s. If that is wrong, name the "
            "encoding, for example --params=names_encoding=cp932 (Japanese), gb18030 (Chinese), cp866 (Cyrillic) or "
            "cp850 (western Europe)",
            archive,
            len(assumed),
            "cp437" if assumed[0][1] == "cp437" else "UTF-8 with escapes for the other bytes",
            listed(sorted({label for label, _ in assumed}), 10),
        )


def _checked(images: list[RawImage], source: Path | str, need_classes: bool) -> list[RawImage]:
    """Refuse a source without classes or of another layout, and mark the files that lie beside the class folders."""
    if not images:
        raise UserError(f"{_no_files(source)} Give one folder per class with pictures in it.")
    if not need_classes:
        return images
    folders: dict[str, list[RawImage]] = defaultdict(list)
    for image in images:
        if image.label and not image.problem:
            folders[image.file.rpartition("/")[0]].append(image)
    _refuse_given_split(folders, source)
    _refuse_classes_in_classes(folders, source)
    places: dict[str, list[str]] = defaultdict(list)
    for folder, (first, *_) in folders.items():
        places[first.label].append(folder)
    if len(places) < 2:
        raise UserError(_too_few_classes(places, images, source))
    if several := {label: where for label, where in places.items() if len(where) > 1}:
        logger.warning(
            "Classes whose pictures lie in several folders are each taken as one: %s. Rename the folders of those that "
            "are different classes",
            listed([f"{label} ({listed(where, _SHOWN)})" for label, where in several.items()], _SHOWN),
        )
    outside = ("no_class_folder", "It lies in no class folder.")
    return [
        image if image.label else RawImage(image.file, "", image.path, image.problem or outside) for image in images
    ]


def _refuse_given_split(folders: Iterable[str], source: Path | str) -> None:
    """Refuse folders called train, val, test and the like beside each other: they would become, or mix, classes."""
    beside: dict[str, set[str]] = defaultdict(set)
    holds_folders: set[str] = set()
    for folder in folders:
        parents = ["", *(str(parent) for parent in PurePosixPath(folder).parents if parent.name)]
        for path in [folder, *parents[1:]]:
            beside[path.rpartition("/")[0]].add(path)
        holds_folders.update(parents)
    for paths in beside.values():
        parts = {path: part for path in sorted(paths) if (part := _part_of(path.rpartition("/")[2]))}
        if len(set(parts.values())) < 2:
            continue
        training = next((path for path, part in parts.items() if part == "training"), next(iter(parts)))
        if training in holds_folders:
            is_archive_here = isinstance(source, Path) and not source.is_dir()
            give = f"unpack it and give {training} alone" if is_archive_here else f"--params=images={source}/{training}"
            way_out = f"Take the training part alone: {give}. The others can be predicted with --pipeline=predict."
        else:
            way_out = "Put the pictures of each class into one folder that is called like it, without folders in it."
        raise UserError(
            f"{source} has a split of its own, {listed(list(parts), _SHOWN)}, which cannot be taken over: this project "
            f"would mix the parts, test pictures with training ones, and split them anew. {way_out}"
        )


def _part_of(name: str) -> str:
    found = _PART_OF_SPLIT.fullmatch(re.sub(r"[\W\d_]", "", name.lower()))
    return found.lastgroup if found else ""


def _refuse_classes_in_classes(folders: dict[str, list[RawImage]], source: Path | str) -> None:
    """Refuse pictures beside folders of pictures, of which nobody can tell whether they are of one class."""
    with_pictures = {folder for folder, files in folders.items() if any(map(_may_be_picture, files))}
    for folder in sorted(with_pictures):
        for above in map(str, PurePosixPath(folder).parents):
            if above in with_pictures:
                raise UserError(
                    f"{source} has pictures in {above} and in the folder {folder}, which lies in it: would they be one "
                    f"class or two, {folders[above][0].label!r} and {folders[folder][0].label!r}? If one, move the "
                    f"pictures of {folder} into {above}; if two, those of {above} into a folder that lies beside the "
                    "other class folders."
                )


def _may_be_picture(image: RawImage) -> bool:
    """Tell by its name whether a file may be a picture, to let notes and tables lie beside class folders."""
    kind, _ = mimetypes.guess_type(image.file)
    return kind is None or kind.startswith("image/")


def _too_few_classes(places: dict[str, list[str]], images: list[RawImage], source: Path | str) -> str:
    unusable = [image for image in images if image.problem]
    if places:
        ((label, (folder, *_)),) = places.items()
        message = (
            f"{source} has one class only, {label!r}; at least two are needed. Put the pictures of another class "
            f"in a folder beside it.{_without_files(source, folder, images)}"
        )
    elif any(image.label for image in unusable):
        message = f"No file in the class folders of {source} can be used."
    else:
        message = (
            f"The files in {source} lie in no class folder. Make one folder per class, at least two, and put the "
            "pictures in them."
        )
    if unusable:
        first = unusable[0]
        message += f" {len(unusable)} of {len(images)} cannot be used, for example {first.file}: {first.problem[1]}"
    return message


def _without_files(source: Path | str, folder: str, images: list[RawImage]) -> str:
    """Tell which folders beside a class folder of this machine have no files that are listed."""
    if not isinstance(source, Path) or not source.is_dir():
        return ""
    above = PurePosixPath(folder).parent
    told = []
    for path in sorted(source.joinpath(above).iterdir()):
        name = str(above / printable(path.name))
        if path.is_dir() and not any(f"{image.file}/".startswith(f"{name}/") for image in images):
            told.append(f"{name} is {'hidden' if is_clutter(path.name) else 'empty'}")
    return f" {listed(told, _SHOWN)}." if told else ""


def _stamp_of(place: Path) -> dict | None:
    try:
        return json.loads((place / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _name_for(url: str) -> str:
    """Name a download: the address's last part, so that people recognise it, made unique by the address's hash."""
    name = unquote(_parts(url).path).rsplit("/", 1)[-1]
    last = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).lstrip(".")[-80:] or "archive"
    stem, dot, suffix = last.partition(".")
    return f"{stem}-{hashlib.sha256(os.fsencode(url)).hexdigest()[:8]}{dot}{suffix}"


class _Downloader:
    """Streams a file for pooch, with progress, and stops when it grows too large."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def __call__(self, url: str, output_file: str, _: object) -> None:
        """Download `url` to `output_file`, as pooch asks."""
        opened = _http_content if urlsplit(url).scheme in _HTTP else _stored_content
        with opened(url) as (total, chunks):
            self._check(max(total, 0), url)
            need, free = total, shutil.disk_usage(self._path.parent).free
            if need > free:
                raise UserError(
                    f"{url} has {need:,} bytes but only {free:,} are free in {self._path.parent}. Make room and run "
                    "again."
                )
            with open(output_file, "wb") as file, track_bytes(f"Downloading {url}") as progress:
                for chunk in chunks:
                    file.write(chunk)
                    self._check(file.tell(), url)
                    progress(file.tell(), total)

    def _check(self, count: int, url: str) -> None:
        if count > self._max_bytes:
            raise _TooLarge(f"{url} is larger than {self._max_bytes:,} bytes, the limit.")


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
    with _reaching(url) as (storage, path):
        size = storage.size(path)

    def pieces() -> Iterator[bytes]:
        with _reaching(url) as (storage, path), storage.open(path, "rb") as file:
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
        case requests.HTTPError():
            what = f"The server answers {error.response.status_code} {error.response.reason} to {url}."
        case requests.Timeout():
            what = f"The server of {url} does not answer in time."
        case requests.exceptions.ChunkedEncodingError():
            what = f"The connection broke while downloading {url}."
        case requests.ConnectionError():
            what = f"No connection to {urlsplit(url).netloc}, needed to download {url}."
        case requests.RequestException():
            what = f"{url} cannot be downloaded ({error})."
        case OSError():
            return UserError(f"Cannot write {path}: {error.strerror or error}. Make room or change the rights there.")
        case ValueError() if "hash" in str(error).lower():
            what = f"What {url} sends does not have the given SHA-256 checksum and is not used; is the checksum right?"
        case _:
            what = f"{url} cannot be downloaded ({error})."
    return UserError(f"{what} {advice}")
