"""Data loaders from a table of images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import ColReader, ColSplitter, IntToFloatTensor, Normalize
from fastai.vision.augment import Resize, aug_transforms
from fastai.vision.core import PILImage
from PIL import Image

from guitar_kedro.learning.checkpoint import ModelSpec
from guitar_kedro.learning.pictures import open_image, read_square
from guitar_kedro.learning.recipe import AugmentationOptions, TrainingOptions

FEW_IMAGES = 1000


class TrainingSize(Resize):
    """fastai's ``Resize``, which makes pictures larger in training.

    What is rotated and zoomed afterwards, when it is made as small as the network wants it, keeps its detail
    (fastai calls this presizing). In validation and prediction pictures get the network's size at once.
    """

    def __init__(self, size: int, training_size: int, method: str) -> None:
        """Takes both sizes, in pixels, and fastai's name of the method."""
        super().__init__(size, method=method)
        self.sizes = {True: (training_size, training_size), False: (size, size)}

    def before_call(self, b: Any, split_idx: int | None) -> None:
        """Chooses the size: split 0 is training."""
        super().before_call(b, split_idx)
        self.size = self.sizes[split_idx == 0]


def data_loaders(table: pd.DataFrame, spec: ModelSpec, batch_size: int, options: TrainingOptions) -> DataLoaders:
    """Makes loaders for training and validation.

    Args:
        table: A row per image: ``path``, ``label``, ``is_valid``.
        spec: Gives classes, size and normalisation.
        batch_size: Images in a step.
        options: Gives augmentation, presizing and workers.

    Returns:
        fastai's DataLoaders; a batch is (float32 of batch x 3 x size x size, int64 of batch).
    """
    resize = TrainingSize(spec.image_size, round(spec.image_size * options.presize), spec.resize_method)
    transforms = augmentations(options.augmentation, spec.image_size)
    block = DataBlock(
        blocks=(
            TransformBlock(lambda path: PILImage.create(open_image(path)), batch_tfms=IntToFloatTensor),
            CategoryBlock(vocab=list(spec.classes), sort=False),
        ),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        item_tfms=resize,
        batch_tfms=[*transforms, Normalize.from_stats(spec.mean, spec.std)],
    )
    training_images = int((~table["is_valid"]).sum())
    # fastai drops what does not fill a batch: a small dataset would have none
    size = min(batch_size, training_images)
    return block.dataloaders(
        table, bs=size, val_bs=2 * batch_size, num_workers=_workers(options.workers, len(table)), path="."
    )


def inference_loaders(spec: ModelSpec) -> DataLoaders:
    """Makes loaders that hold one blank picture: ``learner.predict`` and ``test_dl`` take their transforms."""

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
    return block.dataloaders(blank, bs=1, num_workers=0, path=".")


def augmentations(options: AugmentationOptions, size: int, batch: bool = False) -> list:
    """Makes fastai's transforms of a batch; with ``batch`` they do the same to each image of it."""
    transforms = aug_transforms(
        size=size,
        do_flip=False,
        max_rotate=options.max_rotate,
        min_zoom=options.min_zoom,
        max_zoom=options.max_zoom,
        max_lighting=options.max_lighting,
        max_warp=options.max_warp,
        p_affine=options.p_affine,
        p_lighting=options.p_lighting,
        batch=batch,
    )
    for transform in transforms:
        transform.split_idx = 0  # in training only: validation pictures have their size already
    return transforms


def _workers(workers: int | str, images: int) -> int:
    if workers != "auto":
        return workers
    # processes start anew in each epoch, which for few images takes longer than loading them
    return 0 if images < FEW_IMAGES else min(os.cpu_count() or 1, 8)
