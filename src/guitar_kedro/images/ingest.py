"""Many pictures: each is read, prepared and hashed once, on all cores, in a stream."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from guitar_kedro.files import printable
from guitar_kedro.images.probing import Limits, UnreadableImage
from guitar_kedro.images.raw import RawImage
from guitar_kedro.memory import keep_freed_memory
from guitar_kedro.versions import VERSIONS

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class PreparationOptions:
    """How pictures are prepared.

    Attributes:
        max_side: Longest side of a prepared picture, in pixels.
        quality: JPEG quality of those that are encoded anew, 1 to 95.
        limits: What a file may ask of the machine.
    """

    max_side: int
    quality: int
    limits: Limits

    @property
    def way(self) -> str:
        """What decides how a picture comes out that is within the limits."""
        return f"{self.max_side} px, quality {self.quality}"

    @property
    def bounds(self) -> str:
        """What decides whether a picture is refused."""
        return f"{self.limits.max_bytes} bytes, {self.limits.max_pixels} pixels, {self.limits.max_frames} frames"


@dataclass(frozen=True)
class FileRecord:
    """What became of one file.

    Attributes:
        file: Its name in the source.
        label: Its class.
        source: Where it was read from.
        width: Width of the original, upright, in pixels; 0 where it could not be read.
        height: Height, likewise.
        prepared: Name of the prepared picture, without ``.jpg``.
        file_hash: SHA-256 of the file.
        pixel_hash: SHA-256 of the prepared pixels.
        perceptual_hash: 256-bit difference hash, in hexadecimal.
        reason: Why it was refused; empty where it was not.
        detail: The same as a sentence.
        note: What was not followed of what the file says of its colours, as a sentence; mostly empty.
        way: How it was prepared: ``PreparationOptions.way``.
        bounds: The limits it was held against: ``PreparationOptions.bounds``.
        version: Of ``prepared_pictures``, which it was prepared by; empty where that was not noted yet.
        stamp: Size and time of the file, or what else changes when it does; empty where that was not noted yet.
        given_split: The part of the split that it was given for; empty where none was.
        group: What it was given in common with images that stay on its side of the split; empty for nothing.
    """

    file: str
    label: str
    source: str
    width: int = 0
    height: int = 0
    prepared: str = ""
    file_hash: str = ""
    pixel_hash: str = ""
    perceptual_hash: str = ""
    reason: str = ""
    detail: str = ""
    note: str = ""
    way: str = ""
    bounds: str = ""
    version: str = ""
    stamp: str = ""
    given_split: str = ""
    group: str = ""


RECORD_COLUMNS = tuple(field.name for field in fields(FileRecord))
HOW_COLUMNS = ("way", "bounds", "version", "stamp")  # of a record: how it came about, and not what became of the file


def prepare_files(
    raw_images: Sequence[RawImage], earlier: Mapping[str, FileRecord], options: PreparationOptions
) -> Generator[tuple[FileRecord, bytes | None], None, None]:
    """Prepare pictures on all cores, or where ``joblib.parallel_config`` says: on a cluster.

    Workers read, and send back what they made; a task of a worker that died runs again elsewhere.

    Args:
        raw_images: The files.
        earlier: What an earlier run made of them, by file name. A file that has not changed since, and would come out
            the same, is not read again; one that has another name now is read, and not decoded again.
        options: How to prepare them.

    Yields:
        For each file, in the order given, its record and the prepared JPEG; ``None`` where there is none, or where an
        earlier run has written it.
    """
    from joblib import Parallel, delayed

    from guitar_kedro.images.reading import pillow_strict_and_quiet

    moved = {_name_and_size(record.file, record.stamp): record for record in earlier.values() if record.stamp}

    def known(raw: RawImage) -> FileRecord | None:
        if raw.file in earlier or not moved or isinstance(raw.path, str):
            return earlier.get(raw.file)
        return moved.get(_name_and_size(raw.file, raw.stamp))

    jobs = (delayed(prepare_file)(raw, known(raw), options) for raw in raw_images)
    # a generator: what has been prepared goes to disk while the rest is still to come, whatever their number; threads:
    # decoding, shrinking, encoding and hashing are C code that lets others run, and processes take seconds to start
    with pillow_strict_and_quiet():  # once, not anew for each picture
        yield from Parallel(n_jobs=-1, prefer="threads", batch_size=1, return_as="generator")(jobs)


def prepare_file(
    raw: RawImage, earlier: FileRecord | None, options: PreparationOptions
) -> tuple[FileRecord, bytes | None]:
    """Prepare one picture; what is wrong with it becomes part of its record."""
    from guitar_kedro.images.preparing import prepare

    keep_freed_memory()
    known: dict[str, Any] = {
        "file": raw.file,
        "label": raw.label,
        "source": printable(raw.path),
        "stamp": raw.stamp,
        "given_split": raw.split,
        "group": raw.group,
        "way": options.way,
        "bounds": options.bounds,
        "version": str(VERSIONS["prepared_pictures"]),
    }
    still_holds = earlier is not None and _still_holds(earlier, options)
    if earlier and still_holds and _is_untouched(raw, earlier):
        return FileRecord(**{**asdict(earlier), **known}), None
    try:
        content = raw.read(options.limits)
    except UnreadableImage as error:
        return FileRecord(**known, reason=error.reason, detail=error.detail), None
    file_hash = hashlib.sha256(content).hexdigest()
    if earlier and still_holds and earlier.file_hash == file_hash:
        return FileRecord(**{**asdict(earlier), **known}), None
    try:
        picture = prepare(content, options.max_side, options.limits, options.quality)
    except UnreadableImage as error:
        return FileRecord(**known, file_hash=file_hash, reason=error.reason, detail=error.detail), None
    seen = {name: value for name, value in vars(picture).items() if name != "jpeg"}
    return FileRecord(**known, **seen, prepared=picture.name, file_hash=file_hash), picture.jpeg


def _name_and_size(file: str, stamp: str) -> tuple[str, str]:
    return file.rpartition("/")[2], stamp.partition(" ")[0]


def _is_untouched(raw: RawImage, earlier: FileRecord) -> bool:
    """Tell whether a file is as it was when it was read, by its size and time."""
    return bool(earlier.file_hash) and raw.file == earlier.file and raw.stamp == earlier.stamp and not raw.problem


def _still_holds(earlier: FileRecord, options: PreparationOptions) -> bool:
    """Tell whether a file that has not changed would come out as it did; what was taken is taken in wider limits."""
    if (earlier.way, earlier.version) != (options.way, str(VERSIONS["prepared_pictures"])):
        return False
    if earlier.bounds == options.bounds:
        return True
    now, then = (map(int, _NUMBER.findall(bounds)) for bounds in (options.bounds, earlier.bounds))
    return not earlier.reason and all(new >= old for new, old in zip(now, then, strict=True))
