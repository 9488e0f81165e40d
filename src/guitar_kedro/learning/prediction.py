"""Predictions of a checkpoint for a table of images."""

from __future__ import annotations

import pandas as pd
import torch
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.torch_core import no_random

from guitar_kedro.learning.checkpoint import Checkpoint
from guitar_kedro.learning.learner import learner_for_inference, quiet
from guitar_kedro.progress import track

PROBABILITY = "probability_"
PLAIN_SHARE = 0.25  # of the plain view among augmented ones, as in fastai's Learner.tta


def predict(checkpoint: Checkpoint, table: pd.DataFrame, batch_size: int, title: str) -> pd.DataFrame:
    """Predicts the class of each image.

    Args:
        checkpoint: The model. With augmented views, probabilities are mixed as in fastai's ``Learner.tta``, a quarter
            plain and three quarters the mean of the views; then the temperature acts.
        table: A row per image with ``path`` and, where it is known, ``label``; further columns are kept, ``path`` is
            not.
        batch_size: Images that are looked at together.
        title: What is predicted, for the progress bar.

    Returns:
        The table with ``predicted``, ``loss`` (negative log of the label's probability, in nats; only with labels),
        ``energy`` (negative log of the sum of the exponentials of the logits: high where no class fits; Liu et al.
        2020, "Energy-based out-of-distribution detection", NeurIPS) and a column ``probability_<class>`` for each
        class.
    """
    log_probabilities, energies = _look(checkpoint, table, batch_size, title)
    classes = list(checkpoint.spec.classes)
    result = table.drop(columns="path").reset_index(drop=True)
    result["predicted"] = [classes[index] for index in log_probabilities.argmax(dim=1).tolist()]
    if "label" in table:
        target = torch.tensor([classes.index(label) for label in table["label"]])
        result["loss"] = -log_probabilities.gather(1, target[:, None])[:, 0].numpy()
    result["energy"] = energies.numpy()
    probabilities = pd.DataFrame(log_probabilities.exp().numpy(), columns=[f"{PROBABILITY}{name}" for name in classes])
    return pd.concat([result, probabilities], axis=1)


def _look(
    checkpoint: Checkpoint, table: pd.DataFrame, batch_size: int, title: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives log probabilities (images x classes) at the temperature, and energies (images), over all views."""
    spec = checkpoint.spec
    learner = quiet(learner_for_inference(checkpoint))
    loader = learner.dls.test_dl(table, bs=batch_size, num_workers=0)
    plain = _logits(learner, loader, title)
    logs, energies = torch.log_softmax(plain, dim=1), -torch.logsumexp(plain, dim=1)
    if spec.augmented_views:
        with no_random(spec.provenance["seed"]), loader.dataset.set_split_idx(0):
            titles = [f"{title}, view {view} of {spec.augmented_views}" for view in range(1, spec.augmented_views + 1)]
            views = torch.stack([_logits(learner, loader, title) for title in titles])
        logs = torch.lerp(torch.softmax(views, dim=2).mean(dim=0), logs.exp(), PLAIN_SHARE).log()
        energies = torch.lerp(-torch.logsumexp(views, dim=2).mean(dim=0), energies, PLAIN_SHARE)
    # the temperature acts on the mean of the views, as it was fitted
    return torch.log_softmax(logs / spec.temperature, dim=1), energies


def _logits(learner: Learner, loader: DataLoader, title: str) -> torch.Tensor:
    device = next(learner.model.parameters()).device
    with torch.inference_mode():
        batches = [learner.model(images.to(device)).cpu() for (images,) in track(loader, len(loader), title, "batches")]
    # in double precision, unlikely classes keep a probability above 0, from which a temperature can be taken back
    return torch.cat(batches).double()
