"""The photos that a model is made from, with their classes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from guitar_kedro.datasets.given_images import GivenImagesDataset, as_given
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, real_path, sha256_of_file, sha256_of_lines, written_whole
from guitar_kedro.images.downloads import is_address, name_for
from guitar_kedro.images.labels import LabelTable, labelled
from guitar_kedro.images.layout import checked_layout, checked_levels
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import check_sha256, find_files, is_usable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """Where the photos of a workspace are, and what says which class each is of.

    Attributes:
        images: Path or address.
        labels: Path of a table; ``None`` where folders say it, or a table among the photos.
        folders: Which folders are the classes, as for ``checked_layout``.
    """

    images: str
    labels: str | None = None
    folders: str | None = None

    def absolute(self) -> Given:
        """Return what means the same in any folder."""
        images, labels = (
            place if place is None or is_address(place) else str(real_path(local_path(place)))
            for place in (self.images, self.labels)
        )
        return replace(self, images=cast(str, images), labels=labels)


class PhotosDataset(GivenImagesDataset):
    """The photos of the user: class folders, an archive of them, or the URL of such an archive.

    They may lie in folders called train, val and test, and a table may say their classes. What was given is noted in
    the workspace, so that later runs need not name it again. Where nothing was, they are what was collected for the
    workspace.
    """

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        sha256: str | None = None,
        names_encoding: str | int | None = None,
        labels: str | None = None,
        folders: str | None = None,
        collected: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the pictures are.

        Args:
            filepath: The folder of the workspace: the note, downloads and unpacked archives go there.
            images: Folder or archive (``.tar``, ``.tgz``, ``.zip``), by path or by an address that fsspec reads, or
                http(s) URL of an archive; ``None`` stands for the one that was noted.
            sha256: Checksum of the archive, if it is known.
            names_encoding: Encoding of names in an archive which are no UTF-8, if it is known.
            labels: Path of a table with the columns file and label, and perhaps split and group, if there is one.
            folders: Which folders are the classes, as for ``checked_layout``, if that is not plain.
            collected: The folder to which pictures are collected, where they are.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, no checksum, no encoding, or no folders.
        """
        if sha256 is not None and not (isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256)):
            raise UserError(f"--params=sha256={sha256}: a SHA-256 has 64 hexadecimal digits.")
        super().__init__(filepath, images, names_encoding, metadata)
        self._sha256, self.collected = sha256, Path(collected) if collected else None
        self._listed: tuple[str | None, list[RawImage]] | None = None  # and the state of the folder before
        self._labels, self._folders = as_given("labels", labels), as_given("folders", folders)
        checked_levels(self._folders)
        if self._labels and is_address(self._labels):
            raise UserError(f"--params=labels={labels}: fetch the table to this machine, and give its path.")
        if self._labels and self._folders:
            raise UserError(
                f"--params=labels={labels},folders={folders}: either the table or the folders say the classes; leave "
                "one of them out."
            )

    def load(self) -> list[RawImage]:
        """Bring the pictures here where they are not yet, and list them.

        An address is noted only now, for whether it can be used is known only now.

        Raises:
            UserError: If nothing was named, or what was named cannot be used.
        """
        self._take_over()
        given = self._given()
        if given is None:
            raise UserError(
                f"Workspace {self._folder.name} has no images yet: name them with --params=images=PATH_OR_URL "
                "(class folders, an archive of them, or its URL)."
            )
        images = given.images
        if self._images is None and not is_address(images) and not local_path(images).exists():
            raise UserError(
                f"{images} does not exist any more, and an earlier run noted it as the place of the images of "
                f"workspace {self._folder.name}: put it back, or name another place with --params=images=PATH_OR_URL."
            )
        if self._images is None and not self._noted.exists():
            logger.info("The images are those that were collected: %s", os.path.relpath(images))
        state, found = self._listed or (None, [])
        self._listed = None
        if state is None or state != self._state():  # photos may have come since
            table = self._label_table(given)  # before anything is fetched or unpacked
            files, where = find_files(images, self._folder, self._sha256, self._names_encoding)
            found = _arranged(files, where, table, given)
        self._note(given.absolute())
        return found

    def at_hand(self) -> list[RawImage]:
        """List the photos as ``load`` does, where that takes no time: none of an archive or address.

        The next ``load`` returns these, if nothing has changed since.

        Raises:
            UserError: If they, or the table of labels, cannot be used.
        """
        given, place = self._given(), self.place()
        if given is None:
            return []
        state = self._state() if place is not None and place.is_dir() else None
        table = self._label_table(given)
        if place is None or state is None:
            return []
        found = _arranged(find_files(given.images, self._folder)[0], place, table, given)
        self._listed = state, found
        return found

    def remember(self) -> None:
        """Note what was given for later runs, if pictures of two classes, a table of them or an archive are there.

        So does ``load``; but a run skips what it would load where other pictures are the same.

        Raises:
            UserError: If the place cannot be listed.
        """
        self._take_over()
        given, place = self._given(), self.place()
        if given is None or place is None or not (self._images or self._labels or self._folders):
            return
        if place.exists() if given.labels else is_usable(place):
            self._note(given.absolute())

    def _label_table(self, given: Given) -> LabelTable | None:
        from guitar_kedro.datasets.label_tables import read_label_table

        if not given.labels:
            return None
        path = local_path(given.labels)
        if self._labels is None and not path.exists():
            raise UserError(
                f"{path} does not exist any more, and an earlier run noted it as the table of labels of workspace "
                f"{self._folder.name}: put it back, or name the images again, with another table or without one: "
                "--params=images=PATH,labels=TABLE."
            )
        return read_label_table(path)

    def _state(self) -> str | None:
        place, given = self.place(), self._given()
        if self._sha256 and place is not None:  # a run skips loading the same pictures, and must not skip this
            check_sha256(place, self._sha256)
        state = super()._state()
        if given is None or state is None or not (given.labels or given.folders):
            return state
        labels = local_path(given.labels) if given.labels else None
        table = sha256_of_file(labels) if labels is not None and labels.is_file() else given.labels
        return sha256_of_lines([state, f"labels {table}", f"folders {given.folders}"])

    def _source(self) -> str | None:
        given = self._given()
        return given.images if given else None

    def _given(self) -> Given | None:
        """Return what was given now, and what was not from the note, or what was collected."""
        if self._images is not None:
            return Given(self._images, self._labels, self._folders)
        note = next((note for note in (self._noted, self._noted_earlier) if note.exists()), None)
        noted = _read_note(note) if note else None
        if noted is None and self.collected is not None and self.collected.is_dir():
            noted = Given(str(self.collected))
        if noted and (self._labels or self._folders):
            return replace(noted, labels=self._labels, folders=self._folders)
        return noted

    @property
    def _noted(self) -> Path:
        return self._folder / "source.json"

    @property
    def _noted_earlier(self) -> Path:
        # by earlier versions of this project, in a folder that is the user's
        return self._folder.parent.parent / "01_raw" / self._folder.name / "source.json"

    def _note(self, given: Given) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {name: _as_text(value) for name, value in asdict(given).items() if value is not None}
        with written_whole(self._noted) as beside:
            beside.write_text(json.dumps(known), encoding="utf-8")

    def _take_over(self) -> None:
        """Move what earlier versions of this project noted and fetched in a folder that is the user's."""
        earlier = self._noted_earlier
        if self._noted.exists() or not earlier.exists():
            return
        given = _read_note(earlier)
        self._note(given)
        earlier.unlink()
        fetched = Path("downloads") / name_for(given.images) if is_address(given.images) else None
        if fetched and (earlier.parent / fetched).is_file():
            (self._folder / fetched).parent.mkdir(exist_ok=True)
            os.replace(earlier.parent / fetched, self._folder / fetched)
            with contextlib.suppress(OSError):  # what else lies there is the user's
                (earlier.parent / "downloads").rmdir()


def _arranged(files: list[RawImage], place: Path | str, table: LabelTable | None, given: Given) -> list[RawImage]:
    """Give each file its class: by the table that was given, by those among the files, or by its folders."""
    if table is not None:
        own = real_path(local_path(cast(str, given.labels)))
        photos = [file for file in files if not isinstance(file.path, Path) or real_path(file.path) != own]
        return labelled(photos, [table], place)
    from guitar_kedro.datasets.label_tables import tables_among

    tables = {} if given.folders else dict(tables_among(files, place))
    if not tables:
        return checked_layout(files, place, given.folders)
    return labelled([file for file in files if file.file not in tables], list(tables.values()), place)


def _as_text(place: str) -> str:
    return os.fsencode(place).decode("utf-8", "surrogateescape")  # whatever encoding the next run has


def _read_note(path: Path) -> Given:
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name: noted[field.name] for field in fields(Given) if noted.get(field.name) is not None}
        return Given(**{name: os.fsdecode(text.encode("utf-8", "surrogateescape")) for name, text in known.items()})
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(
            f"{path} does not say where the images of this workspace are: remove it, and name them with "
            "--params=images=PATH_OR_URL."
        ) from None
