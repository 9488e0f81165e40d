"""Pictures: where they come from, and the prepared ones."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview
from PIL.Image import Image

from guitar_kedro.errors import UserError
from guitar_kedro.images.drawing import MODELS, OTHERS, draw_guitar, draw_other
from guitar_kedro.images.ingest import RECORD_COLUMNS, FileRecord
from guitar_kedro.images.sources import RawImage, find_images, images_in_folder
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.progress import track

_Draw = Callable[[str, int, int], Image]


class _SourceDataset(AbstractDataset[None, list[RawImage]]):
    """Raw pictures; they are only read."""

    def save(self, data: None) -> None:
        raise UserError("Raw images are only read: put new ones where they come from.")

    def _describe(self) -> dict[str, Any]:
        return {key.strip("_"): value for key, value in vars(self).items() if key != "metadata"}


class _DrawnDataset(_SourceDataset):
    """A set of drawn pictures, made on first use, in one folder per thing that is drawn."""

    def __init__(self, folder: Path, count: int, size: int, seed: int, metadata: dict[str, Any] | None) -> None:
        self._folder, self._count, self._size, self._seed = folder, count, size, seed
        self.metadata = metadata

    def _drawn(self, names: tuple[str, ...], draw: _Draw, what: str) -> list[RawImage]:
        """Draws what is not there yet, and lists all."""
        wanted = {
            self._folder / name / f"{number:04d}.jpg": (name, self._seed * 1_000_003 + number)
            for name in names
            for number in range(self._count)
        }
        missing = {path: how for path, how in wanted.items() if not path.exists()}
        jobs = (delayed(_draw_to)(path, draw, name, self._size, seed) for path, (name, seed) in missing.items())
        if missing:
            drawn = Parallel(n_jobs=-1, return_as="generator")(jobs)
            for _ in track(drawn, len(missing), f"Drawing {what}"):
                pass
        return images_in_folder(self._folder)

    def _exists(self) -> bool:
        return True


class DrawnImagesDataset(_DrawnDataset):
    """The demo set: drawn guitars of eleven models, made on first use.

    A drawn set is never altered: another number, size or seed is drawn into a folder of its own.
    """

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
        folder = Path(filepath) / f"drawn_{images_per_class}_per_class_{size}px_seed{seed}"
        super().__init__(folder, images_per_class, size, seed, metadata)

    def load(self) -> list[RawImage]:
        """Draws what is not there yet, and lists all."""
        return self._drawn(MODELS, draw_guitar, "guitars")


class DrawnOthersDataset(_DrawnDataset):
    """Drawn things that are none of the demo set's models, in the same scenes, made on first use.

    Like the demo set, a drawn set is never altered.
    """

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
        folder = Path(filepath) / f"drawn_others_{images_per_kind}_per_kind_{size}px_seed{seed}"
        super().__init__(folder, images_per_kind, size, seed, metadata)

    def load(self) -> list[RawImage]:
        """Draws what is not there yet, and lists all; the label is the kind of thing."""
        return self._drawn(OTHERS, draw_other, "other things")


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise UserError(f"--params={name}={number}: how the demo set is drawn needs a positive whole number.")


def _draw_to(path: Path, draw: _Draw, name: str, size: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    draw(name, size, seed).save(beside, "JPEG", quality=92)
    os.replace(beside, path)


class PhotosDataset(_SourceDataset):
    """Class folders, an archive of them, or the URL of such an archive.

    What was given is noted in the workspace, so that later runs need not name it again.
    """

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        sha256: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Takes note of where the pictures are.

        Args:
            filepath: The folder of the workspace: downloads and unpacked archives go there.
            images: Folder, archive (``.tar``, ``.tgz``, ``.zip``) or http(s) URL; ``None`` stands for the one of the
                run before.
            sha256: Checksum of the archive, if it is known.
            metadata: For Kedro's plugins.
        """
        if sha256 is not None and not isinstance(sha256, str):
            raise UserError(f"--params=sha256={sha256}: a SHA-256 has 64 hexadecimal digits.")
        self._folder, self._images, self._sha256 = Path(filepath), images, sha256
        self.metadata = metadata

    def load(self) -> list[RawImage]:
        """Brings the pictures here where they are not yet, and lists them.

        Raises:
            UserError: If nothing was named, or what was named cannot be used.
        """
        noted = self._folder / "source.json"
        images = self._images
        if images is None:
            if not noted.exists():
                raise UserError(
                    f"Workspace {self._folder.name} has no images yet: name them with --params=images=PATH_OR_URL "
                    "(class folders, an archive of them, or its URL)."
                )
            images = json.loads(noted.read_text())["images"]
        found = find_images(images, self._folder, self._sha256)
        self._folder.mkdir(parents=True, exist_ok=True)
        local = Path(images)
        noted.write_text(json.dumps({"images": str(local.resolve()) if local.exists() else images}))
        return found

    def _exists(self) -> bool:
        return self._images is not None or (self._folder / "source.json").exists()


class OtherPhotosDataset(_SourceDataset):
    """Pictures that are none of the classes, if there are any: a folder, an archive, or the URL of one.

    They need no class folders.
    """

    def __init__(self, filepath: str, images: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of where the pictures are.

        Args:
            filepath: The folder to which downloads and unpacked archives go.
            images: Folder, archive (``.tar``, ``.tgz``, ``.zip``) or http(s) URL; ``None`` stands for no pictures.
            metadata: For Kedro's plugins.
        """
        self._folder, self._images = Path(filepath), images
        self.metadata = metadata

    def load(self) -> list[RawImage]:
        """Brings the pictures here where they are not yet, and lists them; an empty list if none were named.

        Raises:
            UserError: If what was named cannot be used.
        """
        if self._images is None:
            return []
        return find_images(self._images, self._folder, need_classes=False)

    def _exists(self) -> bool:
        return True


class PreparedImagesDataset(AbstractDataset[Iterable[tuple[FileRecord, bytes | None]], PreparedImages]):
    """A folder of prepared JPEGs named by their content, with an index of all files that ingestion was given.

    It is saved from a stream. The index is written last: without it, nothing counts as ingested. Until then the
    records go to a journal, from which the next run takes what was done before a crash.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of the folder.

        Args:
            filepath: The folder.
            metadata: For Kedro's plugins.
        """
        self._folder = Path(filepath)
        self._index, self._journal = self._folder / "index.csv", self._folder / "index.journal.csv"
        self.metadata = metadata

    def save(self, data: Iterable[tuple[FileRecord, bytes | None]]) -> None:
        """Writes pictures as they come, then the index."""
        self._folder.mkdir(parents=True, exist_ok=True)
        records = []
        if self._journal.exists():
            self._journal.write_text(_whole_lines(self._journal), encoding="utf-8")
        with self._journal.open("a", newline="", encoding="utf-8") as journal:
            lines = csv.DictWriter(journal, RECORD_COLUMNS)
            if journal.tell() == 0:
                lines.writeheader()
            for record, jpeg in data:
                if jpeg is not None:
                    _write_beside(self._folder / f"{record.prepared}.jpg", jpeg)
                lines.writerow(asdict(record))
                records.append(record)
        beside = self._index.with_suffix(".part")
        with beside.open("w", newline="", encoding="utf-8") as index:
            lines = csv.DictWriter(index, RECORD_COLUMNS)
            lines.writeheader()
            lines.writerows(asdict(record) for record in records)
            index.flush()
            os.fsync(index.fileno())
        os.replace(beside, self._index)
        self._journal.unlink()

    def load(self) -> PreparedImages:
        """Loads the index; the pictures stay on disk."""
        return PreparedImages(self._folder, _read_records(self._index))

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows of the index, for kedro-viz."""
        return TablePreview(_read_records(self._index).head(nrows).to_dict(orient="split"))

    def _exists(self) -> bool:
        return self._index.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}


class EarlierImagesDataset(PreparedImagesDataset):
    """What earlier runs made of the same files, finished or not; empty where there was none."""

    def load(self) -> dict[str, FileRecord]:
        """Loads the records by file name, leaving out those whose prepared picture is not there."""
        tables = [_read_records(path) for path in (self._index, self._journal) if path.exists()]
        rows = (row for table in tables for row in table.to_dict(orient="records"))
        records = {row["file"]: FileRecord(**row) for row in rows}
        there = {path.stem for path in self._folder.glob("*.jpg")}
        return {file: record for file, record in records.items() if record.reason or record.prepared in there}

    def save(self, data: Any) -> None:
        """Refuses: this looks at what ``PreparedImagesDataset`` saved.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._folder} is saved as prepared_images only.")


def _read_records(path: Path) -> pd.DataFrame:
    dtypes = {name: "int64" if name in ("width", "height") else "str" for name in RECORD_COLUMNS}
    return pd.read_csv(io.StringIO(_whole_lines(path)), dtype=dtypes, keep_default_na=False)


def _whole_lines(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1]  # a process that died may have left half a line


def _write_beside(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    os.replace(beside, path)
