"""Pictures of the user, where they lie or are fetched from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from guitar_kedro.datasets.raw_images import RawImagesDataset
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, real_path, written_whole
from guitar_kedro.images.archives import check_encoding
from guitar_kedro.images.downloads import is_address, name_for, parts_of
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import ImageStream, address_state, check_sha256, find_images, is_usable, stream_images

logger = logging.getLogger(__name__)


class GivenImagesDataset(RawImagesDataset):
    """Pictures of the user: a folder, an archive, or the address of one. Nothing is written where they lie."""

    PARAMETER: ClassVar[str] = "images"  # which names the pictures

    def __init__(
        self,
        filepath: str,
        images: object = None,
        names_encoding: str | int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the pictures are.

        Args:
            filepath: The folder of the project to which downloads and unpacked archives go.
            images: Folder, archive (``.tar``, ``.tgz``, ``.zip``) or file, by path or by an address that fsspec reads,
                or http(s) URL of an archive; ``None`` where nothing was named.
            names_encoding: Encoding of names in an archive which are no UTF-8, if it is known.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, or no encoding.
        """
        self._folder, self._images = Path(filepath), _as_given(self.PARAMETER, images)
        self._names_encoding = str(names_encoding) if names_encoding else None  # Kedro reads a code page as a number
        check_encoding(self._names_encoding)
        self.metadata = metadata

    def place(self) -> Path | None:
        """Return the file or folder on this machine from which the pictures come, if they come from one.

        Raises:
            UserError: If the system cannot look at it.
        """
        source = self._source()
        return None if source is None or is_address(source) else local_path(source)

    def refuse_written(self, written: Iterable[Path]) -> None:
        """Refuse pictures in a folder in which the project writes: they would be other ones after each run.

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


def _as_given(name: str, place: object) -> str | None:
    """Refuse passwords, and what Kedro read as a number: of 007 it does not say any more how it was written."""
    if isinstance(place, str) and is_address(place):
        parts_of(place)
    if place is None or isinstance(place, str):
        return place
    raise UserError(f"--params={name}={place} is read as a number; put ./ before the name: --params={name}=./NAME.")


class PhotosDataset(GivenImagesDataset):
    """Class folders, an archive of them, or the URL of such an archive.

    What was given is noted in the workspace, so that later runs need not name it again. Where nothing was, it is what
    was collected for the workspace.
    """

    def __init__(
        self,
        filepath: str,
        images: str | None = None,
        sha256: str | None = None,
        names_encoding: str | int | None = None,
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
            collected: The folder to which pictures are collected, where they are.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If what was given is no name, no checksum, or no encoding.
        """
        if sha256 is not None and not (isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{64}", sha256)):
            raise UserError(f"--params=sha256={sha256}: a SHA-256 has 64 hexadecimal digits.")
        super().__init__(filepath, images, names_encoding, metadata)
        self._sha256, self.collected = sha256, Path(collected) if collected else None

    def load(self) -> list[RawImage]:
        """Bring the pictures here where they are not yet, and list them.

        An address is noted only now, for whether it can be used is known only now.

        Raises:
            UserError: If nothing was named, or what was named cannot be used.
        """
        self._take_over()
        images = self._source()
        if images is None:
            raise UserError(
                f"Workspace {self._folder.name} has no images yet: name them with --params=images=PATH_OR_URL "
                "(class folders, an archive of them, or its URL)."
            )
        if self._images is None and not is_address(images) and not local_path(images).exists():
            raise UserError(
                f"{images} does not exist any more, and an earlier run noted it as the place of the images of "
                f"workspace {self._folder.name}: put it back, or name another place with --params=images=PATH_OR_URL."
            )
        if self._images is None and not self._noted.exists():
            logger.info("The images are those that were collected: %s", os.path.relpath(images))
        found = find_images(images, self._folder, self._sha256, names_encoding=self._names_encoding)
        self._note(images if is_address(images) else str(real_path(local_path(images))))
        return found

    def remember(self) -> None:
        """Note the place that was given for later runs, if pictures of two classes or an archive are there.

        So does ``load``; but a run skips what it would load where other pictures are the same.

        Raises:
            UserError: If the place cannot be listed.
        """
        self._take_over()
        place = self.place() if self._images is not None else None
        if place is not None and is_usable(place):
            self._note(str(real_path(place)))

    def _state(self) -> str | None:
        place = self.place()
        if self._sha256 and place is not None:  # a run skips loading the same pictures, and must not skip this
            check_sha256(place, self._sha256)
        return super()._state()

    def _source(self) -> str | None:
        if self._images is not None:
            return self._images
        note = next((note for note in (self._noted, self._noted_earlier) if note.exists()), None)
        if note is None and self.collected is not None and self.collected.is_dir():
            return str(self.collected)
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
        """Move what earlier versions of this project noted and fetched in a folder that is the user's."""
        earlier = self._noted_earlier
        if self._noted.exists() or not earlier.exists():
            return
        images = _read_note(earlier)
        self._note(images)
        earlier.unlink()
        fetched = Path("downloads") / name_for(images) if is_address(images) else None
        if fetched and (earlier.parent / fetched).is_file():
            (self._folder / fetched).parent.mkdir(exist_ok=True)
            os.replace(earlier.parent / fetched, self._folder / fetched)
            with contextlib.suppress(OSError):  # what else lies there is the user's
                (earlier.parent / "downloads").rmdir()


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

    PARAMETER = "ood_images"

    def load(self) -> list[RawImage]:
        """Bring the pictures here where they are not yet, and list them; an empty list if none were named.

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

    def load(self) -> ImageStream:
        """Unpack an archive that is not unpacked yet. Memory does not grow with the number of files.

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
            name, states = str(real_path(path)), (image.state for image in ImageStream(path))
        digest = hashlib.sha256(os.fsencode(name))
        for state in states:
            digest.update(state.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
