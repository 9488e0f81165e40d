"""Data loaders: of decoded pictures for training, of one blank picture for prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import torch
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.data.transforms import ColReader, ColSplitter, IntToFloatTensor, Normalize
from fastai.torch_core import to_device
from fastai.vision.core import PILImage
from fastcore.basics import chunked
from PIL import Image

from guitar_kedro.errors import UserError
from guitar_kedro.learning.augmentation import Augment, Normalise
from guitar_kedro.learning.checkpoint import ModelSpec
from guitar_kedro.learning.distributed import own_share, process_count
from guitar_kedro.learning.pictures import read_square
from guitar_kedro.learning.pixels import TRAIN, VALIDATION, Pixels, PixelSizes
from guitar_kedro.learning.recipe import LoopOptions

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class DecodedPart:
    """The training or the validation part.

    Attributes:
        pixels: Where its pictures are.
        positions: Their numbers in there.
        targets: int64, the number of each one's class.
        vocab: The classes.
        side: Of the squares that are read, in pixels.
        split_idx: 0 for training, 1 for validation, as fastai counts.
    """

    pixels: Pixels
    positions: np.ndarray
    targets: torch.Tensor
    vocab: tuple[str, ...]
    side: int
    split_idx: int

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.positions)

    def read(self, file: BinaryIO, rows: list[int], places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Reads a batch: uint8 of n x 3 x side x side in channels_last, and targets."""
        pixels = torch.from_numpy(self.pixels.read(file, self.positions[rows], places, self.side))
        return pixels.permute(0, 3, 1, 2), self.targets[rows]


class DecodedLoader(DataLoader):
    """fastai's DataLoader for decoded pictures: it reads whole batches, each while the network works on the one before.

    The rest is fastai's: order, what is dropped, and where random numbers come from. Of several processes that train
    together each reads its share of the batches of one.
    """

    def create_batches(self, samps: Iterable[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Reads batches of the rows, and puts them on the device without waiting for it."""
        shares = self._shares(samps)
        with self.dataset.pixels.open() as file, ThreadPoolExecutor(1) as reader:
            ahead = [reader.submit(self._read, file, *share) for share in islice(shares, 1)]
            while ahead:
                batch = ahead.pop().result()
                ahead = [reader.submit(self._read, file, *share) for share in islice(shares, 1)]
                yield to_device(batch, self.device, non_blocking=True)

    def _shares(self, samps: Iterable[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Chooses rows and places for all processes alike, so that their random numbers stay the same."""
        for rows in chunked(samps, self.bs, self.drop_last):
            places = self._places(rows)
            if own := rows[own_share()]:
                yield own, places[own_share()]

    def _read(self, file: BinaryIO, rows: list[int], places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self.dataset.read(file, rows, places)
        return tuple(each.pin_memory() for each in batch) if self.device.type == "cuda" else batch

    def _places(self, rows: list[int]) -> np.ndarray:
        """Chooses where squares are cut or padded: at random in training, in the middle in validation."""
        if self.dataset.split_idx:
            return np.full((len(rows), 2), 0.5)
        return np.array([(self.rng.random(), self.rng.random()) for _ in rows])


def pixel_sizes(image_size: int, presize: float, resize_method: str) -> PixelSizes:
    """Says in which sizes pictures are decoded for a stage.

    Args:
        image_size: Of the stage, in pixels.
        presize: By how much training pictures are larger.
        resize_method: How they become squares.
    """
    return PixelSizes(round(image_size * presize), image_size, resize_method)


def data_loaders(
    table: pd.DataFrame,
    pixels: Pixels,
    spec: ModelSpec,
    batch_size: int,
    options: LoopOptions,
    device: torch.device,
) -> DataLoaders:
    """Makes loaders for training and validation.

    Args:
        table: A row per image: ``image_id``, ``label``, ``split`` (train or validation; others are left out).
        pixels: The decoded pictures.
        spec: Gives classes, size and normalisation.
        batch_size: Images in a step, of all processes that train together.
        options: Gives augmentation and presizing.
        device: Where batches are augmented.

    Returns:
        fastai's DataLoaders; a batch is (float32 of batch x 3 x size x size, int64 of batch), in channels_last.

    Raises:
        UserError: If the pictures were decoded for other options, or the processes cannot share a batch evenly.
    """
    processes = process_count()
    if batch_size % processes:
        raise UserError(
            f"batch_size is {batch_size}, which {processes} processes cannot share evenly; make it a multiple of them."
        )
    sizes = pixel_sizes(spec.image_size, options.presize, options.resize_method)
    if pixels.sizes != sizes:
        raise UserError(
            f"The pictures were decoded for other parameters ({pixels.sizes}) than these ({sizes}); decode them again "
            "with `kedro run --pipeline=training`."
        )
    training, validation = (_part(table, name, pixels, spec) for name in (TRAIN, VALIDATION))
    augment = Augment(options.augmentation, spec.image_size, spec.mean, spec.std)
    normalise = Normalise(spec.mean, spec.std)
    # fastai drops what does not fill a batch: a small dataset would have none
    size = min(batch_size, len(training) // processes * processes)
    if size < 2 * processes:
        raise UserError(
            f"A step needs two images for each process, for BatchNorm measures nothing of one; but batch_size is "
            f"{batch_size} and {len(training)} images are for training. Make both {2 * processes} at least"
            f"{', or train in fewer processes' if processes > 1 else ''}."
        )
    return DataLoaders(
        DecodedLoader(training, size, shuffle=True, drop_last=True, indexed=True, after_batch=_on_images(augment)),
        DecodedLoader(validation, 2 * size, indexed=True, after_batch=_on_images(normalise)),
        device=device,
    )


def _part(table: pd.DataFrame, name: str, pixels: Pixels, spec: ModelSpec) -> DecodedPart:
    rows = table[table["split"] == name]
    targets = torch.tensor([spec.classes.index(label) for label in rows["label"]], dtype=torch.int64)
    side = pixels.sizes.training if name == TRAIN else pixels.sizes.validation
    positions = pixels.positions(rows["image_id"].tolist(), name)
    return DecodedPart(pixels, positions, targets, spec.classes, side, (TRAIN, VALIDATION).index(name))


def _on_images(transform: Augment | Normalise) -> Callable[[tuple], tuple]:
    return lambda batch: (transform(batch[0]), batch[1])


def inference_loaders(spec: ModelSpec, device: torch.device = _CPU) -> DataLoaders:
    """Makes loaders that hold one blank picture: ``learner.predict`` and ``test_dl`` take what they do and where."""

    def read(source: str | Path | bytes | np.ndarray | Image.Image) -> PILImage:  # fastai reads the hint
        return PILImage.create(read_square(source, spec.image_size, spec.resize_method))

    blank_picture = PILImage.create(np.zeros((8, 8, 3), np.uint8))
    blank = pd.DataFrame({"path": [blank_picture, blank_picture], "label": spec.classes[0], "is_valid": [False, True]})
    block = DataBlock(
        blocks=(
            TransformBlock(type_tfms=read, batch_tfms=IntToFloatTensor),
            CategoryBlock(vocab=list(spec.classes), sort=False),
        ),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        batch_tfms=Normalize.from_stats(spec.mean, spec.std),
    )
    return block.dataloaders(blank, bs=1, num_workers=0, path=".", device=device)
