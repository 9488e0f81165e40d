"""Features of pictures from the body of a network, as predictions see them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from fastai.layers import AdaptiveConcatPool2d
from fastcore.basics import chunked

from guitar_kedro.learning.data.augmentation import Normalise
from guitar_kedro.learning.data.features import Features, FeatureStream
from guitar_kedro.learning.data.read_ahead import read_ahead
from guitar_kedro.learning.inference.backend import Reader
from guitar_kedro.learning.inference.packing import pack
from guitar_kedro.learning.networks.checkpoint import ModelSpec, content_of
from guitar_kedro.learning.networks.device import choose_device, choose_precision, set_precision
from guitar_kedro.memory import keep_freed_memory
from guitar_kedro.progress import track
from guitar_kedro.versions import VERSIONS

_BATCH, _BATCHES_OF_CHUNK = 32, 16  # a run that is killed loses the features of one chunk
_PREPROCESSING = ("architecture", "image_size", "resize_method", "mean", "std", "interpolation")


def compute_features(
    body: torch.nn.Module, spec: ModelSpec, table: pd.DataFrame, title: str, precision: str, device: str = "auto"
) -> FeatureStream:
    """Compute the features of pictures when somebody stores them.

    Args:
        body: Of the network, on the CPU, with its weights.
        spec: Of the network: how pictures become its input.
        table: A row per picture: ``image_id``, ``path``.
        title: What is computed, for the progress bar.
        precision: As of ``choose_precision``.
        device: As of ``choose_device``.
    """
    where = choose_device(device)
    numbers = choose_precision(precision, where)
    how = [VERSIONS["predictions"], *(getattr(spec, name) for name in _PREPROCESSING), str(numbers)]
    key = hashlib.sha256(json.dumps(how).encode() + content_of(body.state_dict())).hexdigest()[:20]
    paths = dict(zip(table["image_id"], table["path"], strict=True))
    return FeatureStream(key, tuple(paths), partial(_compute, body, spec, paths, title, numbers, where))


def _compute(
    body: torch.nn.Module,
    spec: ModelSpec,
    paths: Mapping[str, str],
    title: str,
    precision: torch.dtype,
    device: torch.device,
    image_ids: Sequence[str],
) -> Iterator[Features]:
    keep_freed_memory()
    body = pack(body.eval(), spec.image_size, precision, device)
    set_precision(body, precision, device)
    network = torch.nn.Sequential(body, AdaptiveConcatPool2d(), torch.nn.Flatten()).to(device)
    network = network.to(memory_format=torch.channels_last)
    normalise, began = Normalise(spec.mean, spec.std), time.perf_counter()
    pictures = read_ahead(Reader(spec).read, [paths[image_id] for image_id in image_ids], 2 * _BATCH, os.cpu_count())
    batches = track(chunked(pictures, _BATCH), -(-len(image_ids) // _BATCH), title, "batches")
    for names in chunked(image_ids, _BATCH * _BATCHES_OF_CHUNK):
        values = []
        for _ in range(0, len(names), _BATCH):
            pixels = torch.from_numpy(np.stack(next(batches))).to(device, non_blocking=True)
            with torch.inference_mode():
                values.append(network(normalise(pixels)).float().cpu().numpy())
        seconds, began = time.perf_counter() - began, time.perf_counter()
        yield Features(tuple(names), np.concatenate(values), seconds)
