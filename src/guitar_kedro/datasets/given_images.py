"""Pictures of the user, where they lie or are fetched from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from guitar_kedro.datasets.raw_images import RawImagesDataset
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, real_path
from guitar_kedro.images.archives import check_encoding
from guitar_kedro.images.downloads import is_address, parts_of
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import ImageStream, address_state, find_images, stream_images


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
        self._folder, self._images = Path(filepath), as_given(self.PARAMETER, images)
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


def as_given(name: str, place: object) -> str | None:
    """Refuse passwords, and what Kedro read as a number: of 007 it does not say any more how it was written.

    Args:
        name: Of the parameter.
        place: Its value.

    Raises:
        UserError: If it is no text, or holds a password.
    """
    if isinstance(place, str) and is_address(place):
        parts_of(place)
    if place is None or isinstance(place, str):
        return place
    raise UserError(f"--params={name}={place} is read as a number; put ./ before the name: --params={name}=./NAME.")


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
        return find_images(self._images, self._folder, self._names_encoding)

    def _exists(self) -> bool:
        return True


class UnlabelledImagesDataset(GivenImagesDataset):
    """Pictures without labels, of which some are to get one: a folder, an archive, or the URL of one.

    They need no class folders.
    """

    PARAMETER = "unlabelled"

    def load(self) -> list[RawImage]:
        """Bring the pictures here where they are not yet, and list them.

        Raises:
            UserError: If nothing was named, or what was named cannot be used.
        """
        if self._images is None:
            raise UserError(
                "There are no unlabelled pictures to choose from: name them with --params=unlabelled=PATH (a folder or "
                "an archive)."
            )
        return find_images(self._images, self._folder, self._names_encoding)


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
