"""Decoded pictures on disk: what a stage trains on is decoded and resized once, and not in each epoch.

Where they are streamed, only their list is on disk, and training decodes each picture when it needs it, to the same
pixels.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydantic.dataclasses
from PIL import Image

from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines, written_whole
from guitar_kedro.learning.data.read_ahead import read_ahead
from guitar_kedro.progress import track
from guitar_kedro.sizes import ImageSize, height_width, size_in_words
from guitar_kedro.splits import TRAIN, VALIDATION
from guitar_kedro.versions import VERSIONS

logger = logging.getLogger(__name__)

INDEX_FILE = "index.json"
_AHEAD = 64  # pictures that are decoded before they are written

# of the numbers of pictures, makes uint8 of height x width x 3 each, as they were decoded for their part of the split
Reader = Callable[[Iterable[int]], Iterator[np.ndarray]]


@pydantic.dataclasses.dataclass(frozen=True)  # which makes pairs of the lists that JSON makes of them
class PixelSizes:
    """How pictures are resized.

    Attributes:
        training: Size in training.
        validation: Size in validation.
        method: squish, crop, or pad.
        interpolation: bilinear, bicubic or lanczos.
    """

    training: ImageSize
    validation: ImageSize
    method: str
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class DecodedPictures:
    """Pictures that are decoded as they are stored.

    Attributes:
        table: A row per picture: ``image_id``, ``path``, ``split`` (train or validation: they differ in size).
        sizes: How they are resized.
        decode: Makes of such rows uint8 of height x width x 3 each. Validation pictures have the size; of training
            pictures, those to be cropped or padded do not, because training chooses the place anew each time it sees
            them.
    """

    table: pd.DataFrame
    sizes: PixelSizes
    decode: Callable[[pd.DataFrame], Iterator[np.ndarray]]

    @property
    def key(self) -> str:
        """Equal for equal results: image ids are content hashes, and the version stands for how they are decoded."""
        lines = self.table["image_id"] + " " + self.table["split"]
        return sha256_of_lines([f"version {VERSIONS['decoded_pixels']}", str(self.sizes), *lines])[:20]

    @property
    def size_on_disk(self) -> int:
        """Count the bytes that they need, as if each had the shape of its size."""
        sizes = {TRAIN: self.sizes.training, VALIDATION: self.sizes.validation}
        return sum(3 * math.prod(height_width(sizes[split])) for split in self.table["split"])


def decode_pictures(table: pd.DataFrame, sizes: PixelSizes) -> DecodedPictures:
    """Decode in threads, a few pictures ahead of who takes them, and none before; a picture that cannot be read raises.

    Args:
        table: As of ``DecodedPictures``.
        sizes: Likewise.
    """
    return DecodedPictures(table, sizes, partial(_decode_all, sizes))


def _decode_all(sizes: PixelSizes, table: pd.DataFrame) -> Iterator[np.ndarray]:
    title = f"Decoding pictures for {size_in_words(sizes.validation)} px"
    pictures = zip(table["path"], table["split"], strict=True)
    decoded = read_ahead(partial(_decode, sizes), pictures, _AHEAD, os.cpu_count())
    return track(decoded, len(table), title)


def _decode(sizes: PixelSizes, picture: tuple[str, str]) -> np.ndarray:
    from guitar_kedro.learning.data.pictures import open_image, read_resized

    path, split = picture
    if split == VALIDATION:
        return np.asarray(read_resized(path, sizes.validation, sizes.method, sizes.interpolation))
    height, width = height_width(sizes.training)
    image = open_image(path, longest_side=2 * max(height, width))
    if sizes.method != "squish":
        scale = (max if sizes.method == "crop" else min)(width / image.width, height / image.height)
        width, height = (max(1, round(length * scale)) for length in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling[sizes.interpolation.upper()]))


class Pixels:
    """Decoded pictures in a folder: their bytes one after the other in a file, and an index.

    They are read, not mapped: mapped pages would count as the process's memory. Those that are streamed have no such
    file; they are decoded each time they are read.

    Attributes:
        sizes: How they were resized.
        key: That of the ``DecodedPictures`` they came from.
        streamed: Whether they are decoded each time.
    """

    def __init__(self, folder: Path) -> None:
        """Read the index; pictures stay on disk."""
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        self.sizes, self.key = PixelSizes(**index["sizes"]), index["key"]
        self._version = index.get("version")  # earlier ones did not note it
        self._file = folder / f"{self.key}.bin"
        self._pictures = [(image, split) for image, split in index["pictures"]]
        self._position = {picture: row for row, picture in enumerate(self._pictures)}
        self._streamed_from = index.get("streamed_from")
        self.streamed = self._streamed_from is not None
        self._shapes = np.array(index["shapes"], np.int64).reshape(-1, 2)
        self._offsets = np.concatenate([[0], np.cumsum(3 * self._shapes.prod(axis=1))])

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        """Hand on the folder: another process reads the index anew."""
        return Pixels, (self._file.parent,)

    @staticmethod
    def save(decoded: DecodedPictures, folder: Path, stream: bool = False) -> None:
        """Write into a folder, beside what is there; that goes when all is written.

        What is there already of these pictures, decoded in the same way, is copied.

        Args:
            decoded: The pictures.
            folder: Of the file and the index.
            stream: Write the index alone.
        """
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / f"{decoded.key}.bin"
        how: dict[str, Any]
        if stream:  # the folders of a project may move together
            how = {"shapes": [], "streamed_from": [os.path.relpath(path, folder) for path in decoded.table["path"]]}
        else:
            how = {"shapes": _write(data, _copied_or_decoded(decoded, Pixels._earlier(folder, decoded)))}
        content = {
            "key": decoded.key,
            "version": VERSIONS["decoded_pixels"],
            "sizes": vars(decoded.sizes),
            "pictures": decoded.table[["image_id", "split"]].to_numpy().tolist(),
            **how,
        }
        with written_whole(folder / INDEX_FILE) as beside:
            beside.write_text(json.dumps(content), encoding="utf-8")
        for other in folder.glob("*.bin"):
            if stream or other != data:
                other.unlink()

    @staticmethod
    def _earlier(folder: Path, decoded: DecodedPictures) -> Pixels | None:
        """Return what is there, if it is whole and was decoded in the same way."""
        if not (folder / INDEX_FILE).exists():
            return None
        earlier = Pixels(folder)
        alike = (earlier.sizes, earlier._version) == (decoded.sizes, VERSIONS["decoded_pixels"])
        return earlier if alike and not earlier.streamed and earlier.is_whole() else None

    def is_whole(self) -> bool:
        """Return whether the file of pixels has the length that the index promises; what is streamed needs none."""
        return self.streamed or (self._file.exists() and self._file.stat().st_size == self._offsets[-1])

    def positions(self, image_ids: Sequence[str], split: str) -> np.ndarray:
        """Find pictures.

        Args:
            image_ids: Of n pictures.
            split: train or validation.

        Returns:
            int64 of n: their numbers.

        Raises:
            UserError: If one was not decoded for that split.
        """
        if missing := [image for image in image_ids if (image, split) not in self._position]:
            raise UserError(
                f"{self._file.parent}: image {missing[0]} was not decoded for {split}; decode the pictures again "
                "with the pipeline training."
            )
        return np.array([self._position[image, split] for image in image_ids], np.int64)

    @contextmanager
    def open(self) -> Iterator[Reader]:
        """Open the file of pixels, or start the threads that decode, until the context ends."""
        if self.streamed:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                yield partial(pool.map, self._decoded)
        else:
            with self._file.open("rb", buffering=0) as file:
                yield partial(map, partial(self._stored, file))

    def read(self, reader: Reader, positions: np.ndarray, places: np.ndarray, size: ImageSize) -> np.ndarray:
        """Read a batch.

        Args:
            reader: As ``open`` gives it.
            positions: n numbers of pictures.
            places: Float of n x 2 between 0 and 1: where, across and down, a picture is cut or padded.
            size: That they get.

        Returns:
            uint8 of n x height x width x 3.

        Raises:
            UserError: If the file ends before a picture does, or a streamed picture cannot be read.
        """
        batch = np.empty((len(positions), *height_width(size), 3), np.uint8)
        for picture, pixels, place in zip(batch, reader(positions), places, strict=True):
            picture[:] = pixels if pixels.shape == picture.shape else _placed(pixels, place, picture.shape)
        return batch

    def _decoded(self, position: int) -> np.ndarray:
        path = os.path.normpath(self._file.parent / self._streamed_from[position])
        try:
            return _decode(self.sizes, (path, self._pictures[position][1]))
        except FileNotFoundError as error:
            raise UserError(
                f"{path} is not there any more: run the same command again, which prepares it anew."
            ) from error

    def _stored(self, file: FileIO, position: int) -> np.ndarray:
        """Read a picture whole: the system may give fewer bytes than were asked for, in several pieces."""
        pixels = np.empty((*self._shapes[position], 3), np.uint8)
        file.seek(self._offsets[position])
        left = pixels.reshape(-1).data
        while left:
            count = file.readinto(left)
            if not count:
                raise UserError(
                    f"{self._file} ends before its pictures do: it was truncated. Remove {self._file.parent} and run "
                    "the same command again, which decodes them anew."
                )
            left = left[count:]
        return pixels


def _write(file: Path, pictures: Generator[np.ndarray, None, None]) -> list[tuple[int, int]]:
    """Write pictures one after the other, and return the height and the width of each."""
    shapes = []
    with written_whole(file) as beside, beside.open("wb") as opened, closing(pictures) as stream:
        for pixels in stream:
            shapes.append(pixels.shape[:2])
            opened.write(np.ascontiguousarray(pixels).data)
    return shapes


def _copied_or_decoded(decoded: DecodedPictures, earlier: Pixels | None) -> Generator[np.ndarray, None, None]:
    """Stream pictures in their order, those that are there already from there."""
    table = decoded.table
    if earlier is None:
        yield from decoded.decode(table)
        return
    positions = [earlier._position.get(picture) for picture in zip(table["image_id"], table["split"], strict=True)]
    missing = table[[position is None for position in positions]]
    logger.info("Of %d pictures, %d are decoded already", len(table), len(table) - len(missing))
    new = iter(decoded.decode(missing)) if len(missing) else iter(())
    with earlier.open() as reader:
        stored = reader(position for position in positions if position is not None)
        for position in positions:
            yield next(new if position is None else stored)


def _placed(pixels: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Cut what is too long and mirror what is too short, as fastai's ``Resize`` does.

    Args:
        pixels: uint8 of height x width x 3.
        place: Two numbers between 0 and 1: where, across and down, the picture is cut or padded.
        shape: Of the result: height x width x 3.

    Returns:
        uint8 of that shape.
    """
    across, down = place
    margins = []
    for axis, share in ((0, down), (1, across)):
        extra = pixels.shape[axis] - shape[axis]
        start, before = int(share * max(extra, 0)), int(share * max(-extra, 0))
        pixels = pixels.take(range(start, start + min(shape[axis], pixels.shape[axis])), axis)
        margins.append((before, max(-extra, 0) - before))
    return np.pad(pixels, [*margins, (0, 0)], "reflect")
