"""Pictures: where they come from, and the prepared ones."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview
from PIL.Image import Image

from guitar_kedro.cluster import work_on
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, real_path, sha256_of_lines, written_whole
from guitar_kedro.images.archives import check_encoding
from guitar_kedro.images.drawing import MODELS, OTHERS, draw_guitar, draw_other
from guitar_kedro.images.ingest import HOW_COLUMNS, RECORD_COLUMNS, FileRecord
from guitar_kedro.images.sources import (
    STAMP,
    ImageStream,
    RawImage,
    address_state,
    find_images,
    images_in_folder,
    is_address,
    is_usable,
    spare_archives,
    stream_images,
)
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.progress import track
from guitar_kedro.versions import VERSIONS

_Draw = Callable[[str, int, int], Image]
_DRAWN_FILE = re.compile(r"\d{4,}\.(jpg|part)")
_PREPARED_FILE = re.compile(r"[0-9a-f]{20}\.(jpg|part)")  # the name of its content: see PreparedImage.name


class _SourceDataset(AbstractDataset[None, list[RawImage]]):
    """Raw pictures; they are only read."""

    _names_encoding: str | None = None

    def save(self, data: None) -> None:
        raise UserError("Raw images are only read: put new ones where they come from.")

    def fingerprint(self) -> str | None:
        """Gives a checksum of what is there by name, size and time of each file, or ``None`` if nothing is there.

        Contents are not read, so that nobody waits for millions of pictures; no picture is drawn or fetched.
        """
        state = self._state()
        return f"{state} {self._names_encoding}" if state and self._names_encoding else state

    def _state(self) -> str | None:
        source = self._source()
        if source is None:
            return None
        if is_address(source):
            return sha256_of_lines(address_state(source, self._folder))
        local = local_path(source)
        if not local.exists():
            return sha256_of_lines([source])
        files = local.rglob("*") if local.is_dir() else [local]
        return sha256_of_lines(f"{path.relative_to(local)} {state}" for path in files if (state := _state_of(path)))

    def unneeded(self) -> Iterator[Path]:
        """Lists archives that were unpacked here, are not looked at any more, and can be unpacked again."""
        return spare_archives(self._folder, self._source())

    def _source(self) -> str | None:
        """Path or address of the pictures, if it is known and there whole."""
        raise NotImplementedError

    def _describe(self) -> dict[str, Any]:
        return {key.strip("_"): value for key, value in vars(self).items() if key != "metadata"}


class _DrawnDataset(_SourceDataset):
    """A set of drawn pictures, made on first use, in one folder per thing that is drawn.

    A drawn set is never altered: another number, size, seed or version is drawn into a folder of its own.
    """

    made_by_loading = True
    NAMES: ClassVar[tuple[str, ...]]
    WHAT: ClassVar[str]
    SET: ClassVar[str]  # how the folders of sets are called

    def __init__(self, filepath: str, count: int, size: int, seed: int, metadata: dict[str, Any] | None) -> None:
        if type(seed) is not int or seed < 0:
            raise UserError(f"--params=seed={seed}: a seed is a whole number from 0 on.")
        version = VERSIONS["drawn_pictures"]
        self._folder = Path(filepath) / f"{self.SET.format(count)}_{size}px_seed{seed}_version{version}"
        self._count, self._size, self._seed = count, size, seed
        self.metadata = metadata

    def load(self) -> list[RawImage]:
        """Draws what is not there yet, and lists all; the label is the name of what is drawn."""
        missing = [(path, *how) for path, how in self._pictures().items() if not path.exists()]
        jobs = (delayed(_draw_to)(path, self._draw, name, self._size, seed) for path, name, seed in missing)
        if missing:
            drawn = Parallel(n_jobs=-1, return_as="generator")(jobs)
            for _ in track(drawn, len(missing), f"Drawing {self.WHAT}"):
                pass
            get_reusable_executor().shutdown()  # or idle workers stay for minutes
        return images_in_folder(self._folder)

    def unneeded(self) -> Iterator[Path]:
        """Lists the other sets beside this one: whoever asks for one has it drawn again."""
        for folder in sorted(self._folder.parent.glob(f"{self.SET.format('*')}_*px_seed*")):
            files = (path for path in folder.rglob("*") if not path.is_dir())
            if folder != self._folder and all(_is_drawn(path, folder, self.NAMES) for path in files):
                yield folder

    @staticmethod
    def _draw(name: str, size: int, seed: int) -> Image:
        raise NotImplementedError

    def _pictures(self) -> dict[Path, tuple[str, int]]:
        """Where each picture lies, what it shows, and its seed."""
        return {
            self._folder / name / f"{number:04d}.jpg": (name, self._seed * 1_000_003 + number)
            for name in self.NAMES
            for number in range(self._count)
        }

    def _source(self) -> str | None:
        return str(self._folder) if all(path.exists() for path in self._pictures()) else None

    def _exists(self) -> bool:
        return True


class DrawnImagesDataset(_DrawnDataset):
    """The demo set: drawn guitars of eleven models, made on first use."""

    NAMES, WHAT, SET = MODELS, "guitars", "drawn_{}_per_class"
    _draw = staticmethod(draw_guitar)

    def __init__(
        self, filepath: str, images_per_class: int, size: int, seed: int, metadata: dict[str, Any] | None = None
    ) -> None:
        """Checks what is asked for.

        Args:
            filepath: The folder in which drawn sets lie.
            images_per_class: How many pictures of each model.
            size: Longest side in pixels.
            seed: What decides how they look.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If one of the numbers is not a positive integer.
        """
        _check_positive(images_per_class=images_per_class, image_pixels=size)
        super().__init__(filepath, images_per_class, size, seed, metadata)


class DrawnOthersDataset(_DrawnDataset):
    """Drawn things that are none of the demo set's models, in the same scenes, made on first use."""

    NAMES, WHAT, SET = OTHERS, "other things", "drawn_others_{}_per_kind"
    _draw = staticmethod(draw_other)

    def __init__(
        self, filepath: str, images_per_kind: int, size: int, seed: int, metadata: dict[str, Any] | None = None
    ) -> None:
        """Checks what is asked for.

        Args:
            filepath: The folder in which drawn sets lie.
            images_per_kind: How many pictures of each kind of thing.
            size: Longest side in pixels.
            seed: What decides how they look.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If one of the numbers is not a positive integer.
        """
        _check_positive(images_per_kind=images_per_kind, image_pixels=size)
        super().__init__(filepath, images_per_kind, size, seed, metadata)


def _is_drawn(path: Path, folder: Path, names: tuple[str, ...]) -> bool:
    """Tells whether a file in the folder of a drawn set is one that the project drew."""
    return path.parent.parent == folder and path.parent.name in names and bool(_DRAWN_FILE.fullmatch(path.name))


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if type(number) is not int or number < 1:  # True is an int
            raise UserError(f"--params={name}={number}: how the demo set is drawn needs a positive whole number.")


def _as_given(name: str, place: object) -> str | None:
    """Refuses what Kedro read as a number: of 007 or 2024_05 it does not say any more how it was written."""
    if place is None or isinstance(place, str):
        return place
    raise UserError(f"--params={name}={place} is read as a number; put ./ before the name: --params={name}=./NAME.")


def _encoding(given: object) -> str | None:
    """Takes the name of an encoding, or its number: Kedro reads that of a code page as one."""
    names_encoding = str(given) if given else None
    check_encoding(names_encoding)
    return names_encoding


def _state_of(path: Path) -> str | None:
    """Size and time of a file; ``None`` for anything else."""
    try:
        found = path.stat()
    except OSError as error:  # a link that leads nowhere, or a folder that may not be entered
        return None if error.errno in (errno.ENOENT, errno.ELOOP) else str(error.strerror)
    return f"{found.st_size} {found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else None


def _draw_to(path: Path, draw: _Draw, name: str, size: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    draw(name, size, seed).save(beside, "JPEG", quality=92)
    os.replace(beside, path)


class GivenImagesDataset(_SourceDataset):
    """Pictures of the user: a folder, an archive, or the address of one. Nothing is written where they lie."""

    def __init__(self, folder: str, name: str, images: object, metadata: dict[str, Any] | None) -> None:
        """Takes note of where the pictures are.

        Args:
            folder: Of the project, where what is fetched and unpacked goes.
            name: Of the parameter that gives the pictures.
            images: Its value; ``None`` stands for none.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name.
        """
        self._folder, self._images = Path(folder), _as_given(name, images)
        self.metadata = metadata

    def place(self) -> Path | None:
        """Gives the file or folder on this machine from which the pictures come, if they come from one.

        Raises:
            UserError: If the system cannot look at it.
        """
        source = self._source()
        return None if source is None or is_address(source) else local_path(source)

    def refuse_written(self, written: Iterable[Path]) -> None:
        """Refuses pictures in a folder in which the project writes: they would be other ones after each run.

        Args:
            written: Files and folders that the project writes, beside the folder of what is fetched and unpacked.

        Raises:
            UserError: If one of them lies in the folder of the pictures, or is it.
        """
        place = self.place()
        if place is None or not place.is_dir():
            return
        there = real_path(place)
        for path in (self._folder, *written):
            if real_path(path).is_relative_to(there):
                raise UserError(
                    f"{place} is no place for pictures, since this project writes to {os.path.relpath(path)}: put them "
                    "into a folder of their own, data/01_raw/NAME for example, and name that."
                )

    def _source(self) -> str | None:
        return self._images

    def _exists(self) -> bool:
        return self._source() is not None


class PhotosDataset(GivenImagesDataset):
    """Class folders, an archive of them, or the URL of such an archive.

    What was given is noted in the workspace, so that later runs need not name it again.
    """

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        sha256: str | None = None,
        names_encoding: str | int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Takes note of where the pictures are.

        Args:
            filepath: The folder of the workspace: the note, downloads and unpacked archives go there.
            images: Folder or archive (``.tar``, ``.tgz``, ``.zip``), by path or by an address that fsspec reads, or
                http(s) URL of an archive; ``None`` stands for the one that was noted.
            sha256: Checksum of the archive, if it is known.
            names_encoding: Encoding of names in an archive which are no UTF-8, if it is known.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, or no encoding.
        """
        if sha256 is not None and not isinstance(sha256, str):
            raise UserError(f"--params=sha256={sha256}: a SHA-256 has 64 hexadecimal digits.")
        super().__init__(filepath, "images", images, metadata)
        self._sha256, self._names_encoding = sha256, _encoding(names_encoding)

    def load(self) -> list[RawImage]:
        """Brings the pictures here where they are not yet, and lists them.

        An address is noted only now, for whether it can be used is known only now.

        Raises:
            UserError: If nothing was named, or what was named cannot be used.
        """
        images = self._source()
        if images is None:
            raise UserError(
                f"Workspace {self._folder.name} has no images yet: name them with --params=images=PATH_OR_URL "
                "(class folders, an archive of them, or its URL)."
            )
        found = find_images(images, self._folder, self._sha256, names_encoding=self._names_encoding)
        self._note(images if is_address(images) else str(real_path(local_path(images))))
        return found

    def remember(self) -> None:
        """Notes the place that was given for later runs, if pictures of two classes or an archive are there.

        So does ``load``; but a run skips what it would load where other pictures are the same.

        Raises:
            UserError: If the place cannot be listed.
        """
        self._take_over()
        place = self.place() if self._images is not None else None
        if place is not None and is_usable(place):
            self._note(str(real_path(place)))

    def _source(self) -> str | None:
        if self._images is not None:
            return self._images
        note = next((note for note in (self._noted, self._noted_earlier) if note.exists()), None)
        return _read_note(note) if note else None

    @property
    def _noted(self) -> Path:
        return self._folder / "source.json"

    @property
    def _noted_earlier(self) -> Path:
        # by earlier versions of this project, in a folder that is the user's
        return self._folder.parent.parent / "01_raw" / self._folder.name / "source.json"

    def _note(self, images: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with written_whole(self._noted) as beside:
            text = os.fsencode(images).decode("utf-8", "surrogateescape")  # whatever encoding the next run has
            beside.write_text(json.dumps({"images": text}), encoding="utf-8")

    def _take_over(self) -> None:
        """Moves what earlier versions of this project noted, fetched and unpacked in the user's folder."""
        earlier = self._noted_earlier
        if self._noted.exists() or not earlier.exists():
            return
        self._note(_read_note(earlier))
        earlier.unlink()
        for name, made in (("downloads", "*-????????*"), ("unpacked", f"*/{STAMP}")):
            there, here = earlier.with_name(name), self._folder / name
            if not here.exists() and any(there.glob(made)):
                os.replace(there, here)


def _read_note(path: Path) -> str:
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        return os.fsdecode(images.encode("utf-8", "surrogateescape"))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(
            f"{path} does not say where the images of this workspace are: remove it, and name them with "
            "--params=images=PATH_OR_URL."
        ) from None


class OtherPhotosDataset(GivenImagesDataset):
    """Pictures that are none of the classes, if there are any: a folder, an archive, or the URL of one.

    They need no class folders.
    """

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        names_encoding: str | int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Takes note of where the pictures are.

        Args:
            filepath: The folder to which downloads and unpacked archives go.
            images: As for ``PhotosDataset``; ``None`` stands for no pictures.
            names_encoding: Encoding of names in an archive which are no UTF-8, if it is known.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, or no encoding.
        """
        super().__init__(filepath, "other_images", images, metadata)
        self._names_encoding = _encoding(names_encoding)

    def load(self) -> list[RawImage]:
        """Brings the pictures here where they are not yet, and lists them; an empty list if none were named.

        Raises:
            UserError: If what was named cannot be used.
        """
        if self._images is None:
            return []
        return find_images(self._images, self._folder, need_classes=False, names_encoding=self._names_encoding)

    def _exists(self) -> bool:
        return True


class ImagesToPredictDataset(GivenImagesDataset):
    """Pictures that somebody wants to have predicted: a folder with or without class folders, an archive, or a file."""

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        names_encoding: str | int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Takes note of where the pictures are.

        Args:
            filepath: The folder to which archives are unpacked.
            images: Folder, archive (``.tar``, ``.tgz``, ``.zip``) or file, by path or by address; ``None`` where
                nothing was named.
            names_encoding: Encoding of names in an archive which are no UTF-8, if it is known.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, or no encoding.
        """
        super().__init__(filepath, "images", images, metadata)
        self._names_encoding = _encoding(names_encoding)

    def load(self) -> ImageStream:
        """Unpacks an archive that is not unpacked yet. Memory does not grow with the number of files.

        Raises:
            UserError: If nothing was named, or nothing is there.
        """
        if self._images is None:
            raise UserError(
                "There are no images to predict: name them with --params=images=PATH (a folder, an archive or a file)."
            )
        return stream_images(self._images, self._folder, self._names_encoding)

    def _state(self) -> str | None:
        source = self._source()
        if source is None:
            return None
        if is_address(source):
            name, states = source, address_state(source, self._folder)
        else:
            path = local_path(source)
            if not path.exists():
                return None
            name, states = real_path(path), (image.state for image in ImageStream(path))
        digest = hashlib.sha256(os.fsencode(name))
        for state in states:
            digest.update(state.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


class PreparedImagesDataset(AbstractDataset[Iterator[tuple[FileRecord, bytes | None]], PreparedImages]):
    """A folder of prepared JPEGs named by their content, with an index of all files that ingestion was given.

    It is saved from a stream. The index is written last: without it, nothing counts as ingested. Until then the
    records go to a journal, from which the next run takes what was done before a crash.
    """

    def __init__(self, filepath: str, cluster: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of the folder.

        Args:
            filepath: The folder.
            cluster: Address of a Dask scheduler on whose workers the stream is computed; this machine writes. ``None``
                stands for the cores of this machine.
            metadata: For Kedro's plugins.
        """
        self._folder, self._cluster = Path(filepath), cluster
        self._index, self._journal = self._folder / "index.csv", self._folder / "index.journal.csv"
        self.metadata = metadata

    def save(self, data: Generator[tuple[FileRecord, bytes | None], None, None]) -> None:
        """Writes pictures as they come, then the index; removes those that only an earlier version made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._journal.exists():
            self._journal.write_bytes(_whole_rows(self._journal))
        outdated = {
            prepared for table in self._tables() for prepared in table.loc[_is_outdated(table), "prepared"] if prepared
        }
        beside = self._index.with_suffix(".part")
        with (
            work_on(self._cluster),
            closing(data),  # where it cannot be written, what is at work ends now, and not when Python does
            _record_writer(self._journal, "a") as to_journal,
            _record_writer(beside, "w") as to_index,
        ):
            for record, jpeg in data:
                if jpeg is not None:
                    _write_once(self._folder / f"{record.prepared}.jpg", jpeg)
                outdated.discard(record.prepared)
                to_journal(record)
                to_index(record)
        os.replace(beside, self._index)
        self._journal.unlink()
        for prepared in outdated:
            (self._folder / f"{prepared}.jpg").unlink(missing_ok=True)

    def load(self) -> PreparedImages:
        """Loads the index; the pictures stay on disk."""
        return PreparedImages(self._folder, _read_records(self._index))

    def fingerprint(self) -> str | None:
        """Gives the checksum of the index, in which each picture stands with its own; ``None`` if one is missing.

        How a picture came about does not count: the same pictures in wider limits are the same.
        """
        if not self._index.exists():
            return None
        records, there = _read_records(self._index), _pictures_in(self._folder) | {""}
        if not there.issuperset(records["prepared"]):
            return None
        return sha256_of_lines([records.drop(columns=list(HOW_COLUMNS)).to_csv(index=False)])

    def unneeded(self) -> Iterator[Path]:
        """Lists the pictures that stand in no record; what else lies there is not the project's."""
        named = {prepared for table in self._tables() for prepared in table["prepared"]}
        files = (path for path in sorted(self._folder.glob("*")) if _PREPARED_FILE.fullmatch(path.name))
        return (path for path in files if path.suffix == ".part" or path.stem not in named)

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows of the index, for kedro-viz."""
        return TablePreview(_read_records(self._index).head(nrows).to_dict(orient="split"))

    def _tables(self) -> list[pd.DataFrame]:
        """What the index and the journal say, as far as they are there; of a file in both, the journal is right."""
        return [_read_records(path) for path in (self._index, self._journal) if path.exists()]

    def _exists(self) -> bool:
        return self._index.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}


class EarlierImagesDataset(PreparedImagesDataset):
    """What earlier runs made of the same files, finished or not; empty where there was none."""

    def load(self) -> dict[str, FileRecord]:
        """Loads the records by file name, leaving out those whose prepared picture is not there."""
        rows = (row for table in self._tables() for row in table.to_dict(orient="records"))
        records = {row["file"]: FileRecord(**row) for row in rows}
        there = _pictures_in(self._folder)
        return {file: record for file, record in records.items() if record.reason or record.prepared in there}

    def fingerprint(self) -> str:
        """Always the same: what was prepared earlier saves time, and does not decide what comes out."""
        return ""

    def save(self, data: Any) -> None:
        """Refuses: this looks at what ``PreparedImagesDataset`` saved.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._folder} is saved as prepared_images only.")


def _read_records(path: Path) -> pd.DataFrame:
    dtypes = {name: "int64" if name in ("width", "height") else "str" for name in RECORD_COLUMNS}
    try:
        # a disk that was full may not have taken the first row
        rows = _whole_rows(path) or ",".join(RECORD_COLUMNS).encode("utf-8")
        records = pd.read_csv(io.BytesIO(rows), dtype=dtypes, keep_default_na=False)
    except ValueError:  # also of pandas, and of bytes that are no UTF-8
        records = pd.DataFrame()
    if not {"file", "prepared", "reason"} <= set(records.columns) or not isinstance(records.index, pd.RangeIndex):
        raise UserError(f"{path} is not as it was written: remove it, and the images are prepared again.")
    # an earlier version may have noted other things of a file
    return records.reindex(columns=list(RECORD_COLUMNS), fill_value="")


def _is_outdated(table: pd.DataFrame) -> pd.Series:
    return table["version"] != str(VERSIONS["prepared_pictures"])


def _pictures_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.jpg") if _is_written(path)}


def _is_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0  # a power cut soon after a write may leave a file without content


def _whole_rows(path: Path) -> bytes:
    """Reads what is whole: a process that died, or a full disk, may have left half a row, and of it half a character.

    A row ends with a line that has no text open, so that before it quotation marks come in pairs.
    """
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    while content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return content[:end]


@contextmanager
def _record_writer(path: Path, mode: str) -> Iterator[Callable[[FileRecord], None]]:
    """Opens a table of records; what was written is on disk when it closes."""
    with path.open(mode, newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, RECORD_COLUMNS, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        if file.tell() == 0:
            lines.writeheader()
        yield lambda record: lines.writerow(vars(record))
        file.flush()
        os.fsync(file.fileno())


def _write_once(path: Path, content: bytes) -> None:
    """Writes a file that is named by its content, and so need not be written again where it is there already."""
    if _is_written(path):
        return
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    os.replace(beside, path)
