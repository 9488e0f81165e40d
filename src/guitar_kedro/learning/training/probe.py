"""The probe of a stage: a linear head, fitted to the features of the frozen body (Alain and Bengio 2016)."""

from __future__ import annotations

import logging
import time
import warnings

import numpy as np
import pandas as pd
import torch
from fastai.torch_core import no_random
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from guitar_kedro.learning.data.features import Features
from guitar_kedro.learning.networks.architectures import build_network, linear_head
from guitar_kedro.learning.networks.checkpoint import Checkpoint
from guitar_kedro.learning.training.fit import check_classes, load_start
from guitar_kedro.learning.training.phase import Phase
from guitar_kedro.learning.training.recipe import ProbeOptions
from guitar_kedro.splits import TRAIN, VALIDATION

logger = logging.getLogger(__name__)

# of L-BFGS: on some hundred photos, ten times finer changed the validation loss by 0.001 and took three times as long
_TOLERANCE, _STEPS = 1e-3, 100
_NEIGHBOURS = 10


def build_start(phase: Phase) -> torch.nn.Module:
    """Build the body of the network that a phase starts from, with its weights.

    Args:
        phase: Its pictures are not looked at. A body that begins at random is the same whenever the seed is.

    Raises:
        UserError: If the weights do not fit.
    """
    spec = phase.spec()
    with no_random(phase.seed):
        network, _ = build_network(spec.architecture, spec.image_size, len(spec.classes), spec.head)
    load_start(network, phase)
    return network[0].eval()


def fit_probe(phase: Phase, features: Features, options: ProbeOptions) -> tuple[Checkpoint, pd.DataFrame]:
    """Fit logistic regressions to standardised features, and make the best one the head of the network.

    The strongest regularisation comes first; as soon as the loss on the validation part rises, the one before is the
    best. BatchNorm standardises in the network.

    Args:
        phase: What the features are of; its decoded pictures are not looked at.
        features: Of the training and the validation part.
        options: Which regressions are tried.

    Returns:
        The checkpoint, and the history: one row, whose seconds are those of the features and of the fit.

    Raises:
        UserError: If a class has no images in the training part, or the weights do not fit.
    """
    check_classes(phase)
    began, classes = time.perf_counter(), list(phase.classes)
    parts = {}
    for split in (TRAIN, VALIDATION):
        rows = phase.table[phase.table["split"] == split]
        targets = np.array([classes.index(label) for label in rows["label"]], np.int64)
        parts[split] = features.of(rows["image_id"].tolist()), targets
    scaler = StandardScaler().fit(parts[TRAIN][0])
    regression = LogisticRegression(tol=_TOLERANCE, max_iter=_STEPS, warm_start=True, random_state=phase.seed)
    standardised = scaler.transform(parts[TRAIN][0])
    tried: list[tuple[float, float, float, torch.nn.Sequential]] = []
    for strength in sorted(set(options.C)):
        # in threads, the small steps of L-BFGS between two passes over the features take longer than these
        with threadpool_limits(1, "blas"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.set_params(C=strength).fit(standardised, parts[TRAIN][1])
        head = _head(regression, scaler)
        loss, error_rate = _measured(head, *parts[VALIDATION])
        logger.info("%s: C = %g, validation loss %.4f, error rate %.4f", phase.title, strength, loss, error_rate)
        if tried and loss > min(tried)[0]:
            break  # the loss falls and then rises with C, and a weaker regularisation takes longer
        tried.append((loss, strength, error_rate, head))
    loss, strength, error_rate, head = min(tried)
    network = torch.nn.Sequential(build_start(phase), head)
    row = {
        "epoch": 0,
        "train_loss": _measured(head, *parts[TRAIN])[0],
        "valid_loss": loss,
        "error_rate": error_rate,
        "learning_rate": np.nan,  # there is none
        "seconds": round(features.seconds + time.perf_counter() - began, 2),
        "kept": True,
    }
    history = pd.DataFrame([row])
    spec = phase.spec({**phase.provenance((), history), "C": strength}).model_copy(update={"head": "linear"})
    return Checkpoint.of(network.state_dict(), spec), history


def predict_features(checkpoint: Checkpoint, values: np.ndarray) -> list[str]:
    """Predict labels from features with the head of a probe.

    Args:
        checkpoint: From ``fit_probe``.
        values: As of ``Features``.
    """
    head = linear_head(values.shape[1], len(checkpoint.spec.classes)).eval()
    head.load_state_dict({name[2:]: value for name, value in checkpoint.weights.items() if name.startswith("1.")})
    with torch.inference_mode():
        numbers = head[2:](torch.from_numpy(values)).argmax(dim=1)
    return [checkpoint.spec.classes[number] for number in numbers.tolist()]


def nearest_labels(phase: Phase, features: Features, values: np.ndarray) -> list[str]:
    """Predict labels from the nearest training pictures by the cosine of standardised features; the nearer count more.

    Args:
        phase: What the features are of.
        features: Of the training part, at least.
        values: Features of the pictures that are predicted, as of ``Features``.
    """
    training = phase.table[phase.table["split"] == TRAIN]
    known = features.of(training["image_id"].tolist())
    neighbours = KNeighborsClassifier(min(_NEIGHBOURS, len(training)), weights="distance", metric="cosine")
    model = make_pipeline(StandardScaler(), neighbours).fit(known, training["label"])
    return [str(label) for label in model.predict(values)]


def _head(regression: LogisticRegression, scaler: StandardScaler) -> torch.nn.Sequential:
    """Make a regression on standardised features the head of a network."""
    weight, bias = (each.astype(np.float64) for each in (regression.coef_, regression.intercept_))
    if len(weight) == 1:  # of two classes, scikit-learn gives one: log odds of the second
        weight, bias = (np.concatenate([-each / 2, each / 2]) for each in (weight, bias))
    head = linear_head(*weight.shape[::-1]).eval()
    _, _, norm, layer = head
    norm.running_mean.copy_(torch.tensor(scaler.mean_))  # type: ignore[operator]
    norm.running_var.copy_(torch.tensor(scaler.scale_**2))  # type: ignore[operator]
    layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return head.requires_grad_(False)


def _measured(head: torch.nn.Sequential, values: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Return the mean cross-entropy in nats, and the error rate."""
    logits, wanted = head[2:](torch.from_numpy(values)), torch.from_numpy(targets)
    wrong = logits.argmax(dim=1) != wanted
    return float(torch.nn.functional.cross_entropy(logits, wanted)), float(wrong.double().mean())
