"""The frozen phase on features: the body runs once for each view of a picture, and the head alone is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.torch_core import params
from fastcore.basics import noop
from torch.nn.functional import one_hot

from guitar_kedro.learning.data.loaders import DecodedLoader, data_loaders
from guitar_kedro.learning.networks.device import choose_precision, set_precision
from guitar_kedro.learning.training.phase import Phase
from guitar_kedro.progress import track


@dataclass(frozen=True)
class FeatureSplit:
    """Features of the training or the validation part, which a ``DecodedLoader`` reads instead of pictures.

    Attributes:
        features: float32 of views x n x features.
        targets: int64 of views x n, or float32 of views x n x classes where they are soft.
        split_idx: As of ``DecodedSplit``.
        shard: As of ``DecodedSplit``.
        draw_weights: As of ``DecodedSplit``.
    """

    features: torch.Tensor
    targets: torch.Tensor
    split_idx: int
    shard: slice
    draw_weights: list[float] | None

    def __len__(self) -> int:
        """Count the pictures."""
        return self.features.shape[1]

    def open(self) -> AbstractContextManager[None]:
        """Open nothing: features lie in memory."""
        return nullcontext()

    def read(self, _: None, rows: list[int], places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Read a batch.

        Args:
            rows: Numbers of n pictures.
            places: n x 2 from 0 to 1: the first of a picture's points at one of its views.

        Returns:
            float32 of n x features, and targets, int64 of n or float32 of n x classes.
        """
        views = (places[:, 0] * len(self.features)).astype(int)
        return self.features[views, rows], self.targets[views, rows]


def train_on_features(learner: Learner, phase: Phase) -> None:
    """Give the Learner of a frozen phase features in place of pictures, and its head in place of the whole network.

    The first view of a picture is as validation sees it, the others are augmented. BatchNorm of the body goes by the
    statistics that it has, where fastai would train it. Of several processes each computes all features.

    Args:
        learner: From ``prepared_learner``.
        phase: What is trained; ``training.frozen_views`` says how many views of a picture there are.
    """
    body, head = learner.model
    device = learner.dls.device
    extractor = torch.nn.Sequential(body, *head[:2]).eval()  # with the pooling
    set_precision(extractor, choose_precision(phase.training.precision, device), device)
    assert phase.pixels is not None
    what = phase.table, phase.pixels, phase.spec(), phase.stage.batch_size
    plain, augmented = (
        data_loaders(*what, options, device) for options in (phase.training.without_chance(), phase.training)
    )
    in_the_middle = replace(plain.train.dataset, split_idx=plain.valid.dataset.split_idx)
    compute = partial(_compute, extractor)
    views = [compute(plain.train.new(in_the_middle, shuffle=False, drop_last=False), f"{phase.title}: features")]
    for number in range(2, phase.training.frozen_views + 1):
        loader = augmented.train.new(shuffle=False, drop_last=False)
        views.append(compute(loader, f"{phase.title}: features of view {number}"))
    validation = compute(plain.valid, f"{phase.title}: features of validation")
    learner.dls = DataLoaders(
        _loader(learner.dls.train, views), _loader(learner.dls.valid, [validation]), device=device
    )
    done = torch.nn.Identity()  # keeps the names of the weights
    learner.model = torch.nn.Sequential(done, torch.nn.Sequential(done, done, *head[2:]))
    learner.splitter = lambda network: [params(network)]
    learner.create_opt()


def _compute(extractor: torch.nn.Module, loader: DecodedLoader, title: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the features of all pictures of a loader, and their targets."""
    with torch.no_grad():
        seen = [
            (extractor(batch).cpu(), targets.cpu()) for batch, targets in track(loader, len(loader), title, "batches")
        ]
    features, targets = zip(*seen, strict=True)
    return torch.cat(features), torch.cat(targets)


def _loader(of_pictures: DecodedLoader, views: list[tuple[torch.Tensor, torch.Tensor]]) -> DecodedLoader:
    """Make a loader of pictures one of their features."""
    features, targets = zip(*views, strict=True)
    if targets[-1].is_floating_point() != targets[0].is_floating_point():  # augmented views are mixed, the plain is not
        targets = (one_hot(targets[0], targets[-1].shape[1]).float(), *targets[1:])
    pictures = of_pictures.dataset
    split = FeatureSplit(
        torch.stack(features), torch.stack(targets), pictures.split_idx, pictures.shard, pictures.draw_weights
    )
    return of_pictures.new(split, after_batch=noop)
