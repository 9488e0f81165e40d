"""Data loaders of decoded pictures, for training and validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.torch_core import to_device
from fastcore.basics import chunked
from timm.data.random_erasing import RandomErasing

from guitar_kedro.errors import UserError
from guitar_kedro.learning.data.augmentation import Augment, Normalise
from guitar_kedro.learning.data.options import BatchOptions
from guitar_kedro.learning.data.pixels import Pixels, PixelSizes, Reader
from guitar_kedro.learning.data.read_ahead import read_ahead
from guitar_kedro.learning.data.targets import SoftTargets
from guitar_kedro.learning.networks.checkpoint import ModelSpec
from guitar_kedro.sizes import ImageSize, height_width
from guitar_kedro.splits import TRAIN, VALIDATION


@dataclass(frozen=True)
class DecodedSplit:
    """The training or the validation part.

    Attributes:
        pixels: The decoded pictures.
        positions: int64 of n: the numbers of this split's pictures in there.
        targets: int64 of n: the number of each one's class.
        vocab: The classes.
        size: Of the pictures that are read.
        split_idx: 0 for training, 1 for validation: the name and numbers by which fastai asks for it.
        shard: Which rows of each batch are read here; the others are those of other processes.
        draw_weights: How often each picture is drawn in relation to others; ``None`` shows each one once.
    """

    pixels: Pixels
    positions: np.ndarray
    targets: torch.Tensor
    vocab: tuple[str, ...]
    size: ImageSize
    split_idx: int
    shard: slice
    draw_weights: list[float] | None = None

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.positions)

    def open(self) -> AbstractContextManager[Reader]:
        """Open the pictures, for all batches of an epoch."""
        return self.pixels.open()

    def read(self, reader: Reader, rows: list[int], places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Read a batch.

        Args:
            reader: From ``open``.
            rows: Numbers of n pictures of this split.
            places: As of ``Pixels.read``, n x 2.

        Returns:
            uint8 of n x 3 x height x width in channels_last, and targets, int64 of n.
        """
        pixels = torch.from_numpy(self.pixels.read(reader, self.positions[rows], places, self.size))
        return pixels.permute(0, 3, 1, 2), self.targets[rows]


class DecodedLoader(DataLoader):
    """fastai's DataLoader for decoded pictures: it reads whole batches, each while the network works on the one before.

    The rest is fastai's: order, what is dropped, and where random numbers come from. Of several processes that train
    together each reads its shard of the batches of one.
    """

    def shuffle_fn(self, idxs: list[int]) -> list[int]:
        """Choose the rows of an epoch."""
        weights = self.dataset.draw_weights
        return super().shuffle_fn(idxs) if weights is None else self.rng.choices(idxs, weights, k=len(idxs))

    def create_batches(self, samps: Iterable[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Read batches of the rows, and put them on the device without waiting for it."""
        with (
            self.dataset.open() as reader,
            closing(read_ahead(partial(self._read, reader), self._shards(samps), ahead=1, threads=1)) as batches,
        ):
            for batch in batches:
                yield to_device(batch, self.device, non_blocking=True)

    def _shards(self, samps: Iterable[int]) -> Iterator[tuple[list[int], np.ndarray]]:
        """Choose rows and places for all processes alike, so that their random numbers stay the same."""
        shard = self.dataset.shard
        for rows in chunked(samps, self.bs, self.drop_last):
            places = self._places(rows)
            if rows[shard]:
                yield rows[shard], places[shard]

    def _read(self, reader: Reader, shard: tuple[list[int], np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self.dataset.read(reader, *shard)
        return tuple(each.pin_memory() for each in batch) if self.device.type == "cuda" else batch

    def _places(self, rows: list[int]) -> np.ndarray:
        """Choose where pictures are cut or padded: at random in training, in the middle in validation."""
        if self.dataset.split_idx:
            return np.full((len(rows), 2), 0.5)
        return np.array([(self.rng.random(), self.rng.random()) for _ in rows])


def pixel_sizes(
    image_size: ImageSize, presize: float, resize_method: str, interpolation: str = "bilinear"
) -> PixelSizes:
    """Return the sizes in which pictures are decoded for a stage.

    Args:
        image_size: Of the stage.
        presize: By how much training pictures are larger.
        resize_method: How they get their shape.
        interpolation: How they are resized.
    """
    height, width = (round(side * presize) for side in height_width(image_size))
    training = height if isinstance(image_size, int) else (height, width)
    return PixelSizes(training, image_size, resize_method, interpolation)


def data_loaders(
    table: pd.DataFrame,
    pixels: Pixels,
    spec: ModelSpec,
    batch_size: int,
    options: BatchOptions,
    device: torch.device,
    rank: int = 0,
    world_size: int = 1,
) -> DataLoaders:
    """Build loaders for training and validation.

    Args:
        table: A row per image: ``image_id``, ``label``, ``split`` (train or validation; others are left out).
        pixels: The decoded pictures.
        spec: Gives classes, size, resize method and normalisation.
        batch_size: Images in a step, of all processes.
        options: How training pictures are loaded and changed.
        device: Where batches are augmented.
        rank: Number of this process.
        world_size: How many processes train.

    Returns:
        fastai's DataLoaders; a batch is (float32 of batch x 3 x height x width, int64 of batch), in channels_last.
        Where options make them soft, training targets are float32 of batch x classes: the shares of the classes.

    Raises:
        UserError: If the pictures were decoded for other options, or the processes cannot share a batch evenly.
    """
    sizes = pixel_sizes(spec.image_size, options.presize, spec.resize_method, spec.interpolation)
    if pixels.sizes != sizes:
        raise UserError(
            f"The pictures were decoded for other parameters ({pixels.sizes}) than these ({sizes}); decode them again "
            "with the pipeline training."
        )
    shard = slice(rank, None, world_size)
    training, validation = (_split(table, name, pixels, spec, shard) for name in (TRAIN, VALIDATION))
    size = _fitting_batch(batch_size, len(training), world_size)
    images = torch.bincount(training.targets, minlength=len(spec.classes))
    if options.balance == "sampling":
        training = replace(training, draw_weights=(1 / images[training.targets]).tolist())
    change, normalise = _training_batch(options, spec, images, device), Normalise(spec.mean, spec.std)
    return DataLoaders(
        DecodedLoader(training, size, shuffle=True, drop_last=True, indexed=True, after_batch=change),
        DecodedLoader(validation, 2 * size, indexed=True, after_batch=lambda batch: (normalise(batch[0]), batch[1])),
        device=device,
    )


def _fitting_batch(batch_size: int, images: int, world_size: int) -> int:
    """Return the size of a batch that training images fill and processes share evenly."""
    if batch_size % world_size:
        raise UserError(
            f"batch_size is {batch_size}, which {world_size} processes cannot share evenly; make it a multiple of them."
        )
    # fastai drops what does not fill a batch: a small dataset would have none
    size = min(batch_size, images // world_size * world_size)
    if size < 2 * world_size:
        raise UserError(
            f"A step needs two images for each process, for BatchNorm measures nothing of one; but batch_size is "
            f"{batch_size} and {images} images are for training. Make both {2 * world_size} at least"
            f"{', or train in fewer processes' if world_size > 1 else ''}."
        )
    return size


def _split(table: pd.DataFrame, name: str, pixels: Pixels, spec: ModelSpec, shard: slice) -> DecodedSplit:
    rows = table[table["split"] == name]
    targets = torch.tensor([spec.classes.index(label) for label in rows["label"]], dtype=torch.int64)
    size = pixels.sizes.training if name == TRAIN else pixels.sizes.validation
    positions = pixels.positions(rows["image_id"].tolist(), name)
    return DecodedSplit(pixels, positions, targets, spec.classes, size, (TRAIN, VALIDATION).index(name), shard)


def _training_batch(
    options: BatchOptions, spec: ModelSpec, images: torch.Tensor, device: torch.device
) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Build what changes a batch of bytes and class numbers in training; of each class there are so many images."""
    augment = Augment(options.augmentation, spec.image_size, spec.mean, spec.std)
    erase = RandomErasing(options.random_erasing, device=device) if options.random_erasing else lambda batch: batch
    soften = SoftTargets(options, images) if options.has_soft_targets else lambda *batch: batch
    return lambda batch: soften(erase(augment(batch[0])), batch[1])
