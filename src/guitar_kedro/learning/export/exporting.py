"""A model in forms that need nothing of this project, once it is certain that they answer as it does."""

from __future__ import annotations

import inspect
import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.basics import chunked

from guitar_kedro.errors import UserError
from guitar_kedro.images import colours
from guitar_kedro.learning.export.bundle import EXAMPLE_FILES, INT8_FILE, ONNX_FILE, PICKLE_FILE, Bundle
from guitar_kedro.learning.export.onnx import quantised, to_onnx
from guitar_kedro.learning.inference.learner import learner_for_inference
from guitar_kedro.learning.inference.onnx import OnnxPredictor
from guitar_kedro.learning.inference.predictor import Predictor
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.metrics.formatting import percent
from guitar_kedro.progress import track
from guitar_kedro.sizes import height_width

logger = logging.getLogger(__name__)

MAX_DIFFERENCE = 1e-4  # of a probability
MAX_LOSS = 0.005  # of accuracy, by 8-bit integers
_BATCH = 16


def make_bundle(checkpoint: Checkpoint, reference: list[str], device: str = "auto") -> Bundle:
    """Make the bundle of a model.

    Args:
        checkpoint: The model.
        reference: Paths of pictures for which ONNX Runtime must answer as torch does. Predictions are compared with
            each other, and not with labels.
        device: Where torch answers: see ``choose_device``. ONNX Runtime answers on the CPU.

    Raises:
        UserError: If it answers otherwise, or if ONNX is not installed.
    """
    logger.info("Making an ONNX file of %s", checkpoint.spec.architecture)
    model = to_onnx(checkpoint)
    both = [
        _probabilities(predictor, reference, f"Predicting {len(reference)} reference pictures with {name}")
        for name, predictor in (
            ("torch", Predictor(checkpoint, device)),
            ("ONNX Runtime", OnnxPredictor(checkpoint.spec, model)),
        )
    ]
    difference = float(np.abs(both[0] - both[1]).max())
    others = int((both[0].argmax(axis=1) != both[1].argmax(axis=1)).sum())
    if not difference < MAX_DIFFERENCE or others:
        raise UserError(
            f"The exported {checkpoint.spec.architecture} does not answer as the model does: of {len(reference)} "
            f"reference pictures {others} get another label, and probabilities differ by up to {difference:.2g} "
            f"(less than {MAX_DIFFERENCE:g} is allowed); nothing was exported. Train another architecture, for example "
            "resnet34."
        )
    logger.info(
        "For %d reference pictures ONNX Runtime's probabilities differ by at most %.1e from torch's, and no label does",
        len(reference),
        difference,
    )
    facts = {"pictures": len(reference), "largest_difference": difference, "other_labels": others}
    return Bundle(checkpoint, {ONNX_FILE: model, **_example(checkpoint.spec)}, {"parity": facts})


def with_int8(bundle: Bundle, calibration: list[str], validation: pd.DataFrame) -> Bundle:
    """Add the network with 8-bit integers to a bundle.

    Args:
        bundle: From ``make_bundle``.
        calibration: Paths of training pictures, in which the range of the activations is found.
        validation: ``path`` and ``label`` of pictures on which accuracies are compared.

    Raises:
        UserError: If it is less accurate by more than half a point.
    """
    spec = bundle.checkpoint.spec
    predictor = OnnxPredictor(spec, bundle.files[ONNX_FILE])
    logger.info("Quantising with %d pictures", len(calibration))
    model = quantised(bundle.files[ONNX_FILE], spec, [predictor.read(path) for path in calibration])
    labels = np.array([spec.classes.index(label) for label in validation["label"]])
    paths = list(validation["path"])
    accuracy, accuracy_int8 = (
        float((_probabilities(each, paths, f"Validating {name}").argmax(axis=1) == labels).mean())
        for name, each in (("float32", predictor), ("int8", OnnxPredictor(spec, model)))
    )
    if accuracy - accuracy_int8 > MAX_LOSS:
        raise UserError(
            f"With 8-bit integers the validation accuracy falls from {percent(accuracy)} to {percent(accuracy_int8)} "
            f"({percent(MAX_LOSS)} is allowed); nothing was exported. Export without export.int8."
        )
    logger.info("Validation accuracy: %.2f %% with float32, %.2f %% with int8", 100 * accuracy, 100 * accuracy_int8)
    facts = {"pictures": len(paths), "accuracy_float32": accuracy, "accuracy_int8": accuracy_int8}
    return Bundle(bundle.checkpoint, {**bundle.files, INT8_FILE: model}, {**bundle.facts, "int8": facts})


def with_pickle(bundle: Bundle) -> Bundle:
    """Add fastai's own export to a bundle. Whoever loads it needs this package, and trusts it with all they have."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PICKLE_FILE
        learner_for_inference(bundle.checkpoint, "cpu").export(path)
        return Bundle(bundle.checkpoint, {**bundle.files, PICKLE_FILE: path.read_bytes()}, bundle.facts)


def _probabilities(predictor: Predictor | OnnxPredictor, paths: list[str], title: str) -> np.ndarray:
    shown = track(chunked(paths, _BATCH), -(-len(paths) // _BATCH), title, "batches")
    return np.concatenate(
        [predictor.predict(np.stack(list(map(predictor.read, batch)))).probabilities for batch in shown]
    )


def _example(spec: ModelSpec) -> dict[str, bytes]:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("guitar_kedro.learning.export"), autoescape=False, keep_trailing_newline=True
    )
    of_colours = inspect.getsource(colours).partition('"""\n\n')[2].strip()  # as in this project, without its title
    height, width = height_width(spec.image_size)
    facts = {
        "height": height,
        "width": width,
        "square": height == width,
        "longest": "SIZE" if height == width else "max(HEIGHT, WIDTH)",
        "method": spec.resize_method,
        "interpolation": spec.interpolation.upper(),
        "colours": of_colours,
    }
    return {name: environment.get_template(f"{name}.j2").render(facts).encode() for name in EXAMPLE_FILES}
