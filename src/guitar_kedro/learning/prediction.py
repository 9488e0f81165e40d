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
        table: A row per image with ``path`` and ``label``; further columns are kept, ``path`` is not.
        batch_size: Images that are looked at together.
        title: What is predicted, for the progress bar.

    Returns:
        The table with ``predicted``, ``loss`` (negative log of the label's probability, in nats) and a column
        ``probability_<class>`` for each class.
    """
    learner = quiet(learner_for_inference(checkpoint))
    loader = learner.dls.test_dl(table, bs=batch_size, num_workers=0)
    device = next(learner.model.parameters()).device
    logits = []
    with torch.inference_mode():
        for (images,) in track(loader, len(loader), title, "batches"):
            logits.append(learner.model(images.to(device)).float().cpu())
    log_probabilities = torch.log_softmax(torch.cat(logits) / checkpoint.spec.temperature, dim=1)
    classes = list(checkpoint.spec.classes)
    target = torch.tensor([classes.index(label) for label in table["label"]])
    result = table.drop(columns="path").reset_index(drop=True)
    result["predicted"] = [classes[index] for index in log_probabilities.argmax(dim=1).tolist()]
    result["loss"] = -log_probabilities.gather(1, target[:, None])[:, 0].numpy()
    probabilities = pd.DataFrame(log_probabilities.exp().numpy(), columns=[f"{PROBABILITY}{name}" for name in classes])
    return pd.concat([result, probabilities], axis=1)
