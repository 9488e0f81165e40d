"""A model as an ONNX file, in float32 or quantised."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from guitar_kedro.errors import UserError
from guitar_kedro.learning.inference.learner import learner_for_inference
from guitar_kedro.learning.inference.onnx import ENERGIES, PICTURES, PROBABILITIES, require_onnx
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.sizes import height_width

if TYPE_CHECKING:
    import onnx

# the layers that take the time; what is around the network stays in float32
_QUANTISED = ["Conv", "Gemm", "MatMul", "Add", "Relu", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool"]


class _WholeModel(torch.nn.Module):
    """All from pixels to probabilities, so that whoever uses it can do nothing differently."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = learner_for_inference(checkpoint, "cpu").model
        self.temperature = checkpoint.spec.temperature
        for name in ("mean", "std"):
            self.register_buffer(name, 255 * torch.tensor(getattr(checkpoint.spec, name))[:, None, None])

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.network((pictures.permute(0, 3, 1, 2).float() - self.mean) / self.std)
        return torch.softmax(logits / self.temperature, dim=1), -torch.logsumexp(logits, dim=1)


def to_onnx(checkpoint: Checkpoint) -> bytes:
    """Export a model as an ONNX file.

    Its input ``pictures`` is uint8 of n x height x width x 3; its outputs are ``probabilities`` (n x classes, at the
    temperature) and ``energies`` (n). Its metadata hold the spec and the classes, as JSON.

    Raises:
        UserError: If ONNX is not installed, or if the model answers with augmented views, which a network alone cannot,
            or in bfloat16.
    """
    require_onnx("onnx", "onnxruntime")
    import onnx

    spec = checkpoint.spec
    if spec.tta_views:
        raise UserError(
            f"This model answers with {spec.tta_views} augmented views, which an exported network does not have: "
            "calibrate it again with calibration.tta_views=0 first."
        )
    if spec.precision != "float32":
        raise UserError(
            f"This model answers in {spec.precision}, an exported network in float32: "
            "calibrate it again with calibration.precision=float32 first."
        )
    module = _WholeModel(checkpoint).eval()
    example = torch.zeros(2, *height_width(spec.image_size), 3, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch recommends another exporter
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[PICTURES],
            output_names=[PROBABILITIES, ENERGIES],
            dynamic_axes={name: {0: "n"} for name in (PICTURES, PROBABILITIES, ENERGIES)},
            dynamo=False,
        )
        model = onnx.load(path)
    return _described(model, spec)


def _described(model: onnx.ModelProto, spec: ModelSpec) -> bytes:
    import onnx

    onnx.helper.set_model_props(model, {"spec": spec.model_dump_json(), "classes": json.dumps(spec.classes)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def quantised(model: bytes, spec: ModelSpec, pictures: Sequence[np.ndarray]) -> bytes:
    """Quantise weights and activations of a network to 8-bit integers.

    Args:
        model: From ``to_onnx``.
        spec: What it is.
        pictures: uint8 of 3 x height x width each, in which the range of the activations is found.
    """
    import onnx
    from onnxruntime import quantization

    class Pictures(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self._left, None)
            return None if picture is None else {PICTURES: picture.transpose(1, 2, 0)[None]}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        logging.getLogger().addFilter(_is_no_advice)
        try:
            quantization.quantize_static(
                onnx.load_from_string(model),
                path,
                Pictures(),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                reduce_range=True,  # exact also on CPUs that add 8-bit products in 16 bits
                op_types_to_quantize=_QUANTISED,
            )
        finally:
            logging.getLogger().removeFilter(_is_no_advice)
        return _described(onnx.load(path), spec)


def _is_no_advice(record: logging.LogRecord) -> bool:
    return "pre-processing" not in record.getMessage()
