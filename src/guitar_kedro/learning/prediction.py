"""Predictions of a checkpoint for a table of images."""

from __future__ import annotations

import pandas as pd
import torch

from guitar_kedro.learning.checkpoint import Checkpoint
from guitar_kedro.learning.learner import learner_for_inference, quiet
from guitar_kedro.progress import track

PROBABILITY = "probability_"


def predict(checkpoint: Checkpoint, table: pd.DataFrame, batch_size: int, title: str) -> pd.DataFrame:
    """Predicts the class of each image.

    Args:
        checkpoint: The model; probabilities are those at its temperature.
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
    logits = _logits(checkpoint, table, batch_size, title)
    log_probabilities = torch.log_softmax(logits / checkpoint.spec.temperature, dim=1)
    classes = list(checkpoint.spec.classes)
    result = table.drop(columns="path").reset_index(drop=True)
    result["predicted"] = [classes[index] for index in log_probabilities.argmax(dim=1).tolist()]
    if "label" in table:
        target = torch.tensor([classes.index(label) for label in table["label"]])
        result["loss"] = -log_probabilities.gather(1, target[:, None])[:, 0].numpy()
    result["energy"] = -torch.logsumexp(logits, dim=1).numpy()
    probabilities = pd.DataFrame(log_probabilities.exp().numpy(), columns=[f"{PROBABILITY}{name}" for name in classes])
    return pd.concat([result, probabilities], axis=1)


def _logits(checkpoint: Checkpoint, table: pd.DataFrame, batch_size: int, title: str) -> torch.Tensor:
    learner = quiet(learner_for_inference(checkpoint))
    loader = learner.dls.test_dl(table, bs=batch_size, num_workers=0)
    device = next(learner.model.parameters()).device
    with torch.inference_mode():
        batches = [learner.model(images.to(device)).cpu() for (images,) in track(loader, len(loader), title, "batches")]
    # in double precision, unlikely classes keep a probability above 0, from which a temperature can be taken back
    return torch.cat(batches).double()
