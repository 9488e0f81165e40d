"""A ``Predictor`` that computes with ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np

from guitar_kedro.errors import UserError
from guitar_kedro.learning.inference.backend import NoFeatureMaps, Predictions, Reader
from guitar_kedro.learning.networks.checkpoint import ModelSpec

PICTURES, PROBABILITIES, ENERGIES = "pictures", "probabilities", "energies"  # names of inputs and outputs


class OnnxPredictor(Reader):
    """A ``Predictor`` that computes with ONNX Runtime. It cannot say where it looked."""

    def __init__(self, spec: ModelSpec, model: bytes) -> None:
        """Load a network.

        Args:
            spec: What it is.
            model: The file that ``to_onnx`` made.

        Raises:
            UserError: If ONNX Runtime is not installed.
        """
        require_onnx("onnxruntime")
        import onnxruntime

        super().__init__(spec)
        options = onnxruntime.SessionOptions()
        # threads that wait would keep the cores from those that decode pictures
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict(self, pixels: np.ndarray) -> Predictions:
        """Predict the classes of pictures.

        Args:
            pixels: uint8 of n x 3 x height x width, from ``read``.
        """
        pictures = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        outputs = self._session.run([PROBABILITIES, ENERGIES], {PICTURES: pictures})
        return Predictions(*(output.astype(np.float64) for output in outputs))

    def maps(self, pixels: np.ndarray, targets: Sequence[int]) -> np.ndarray:
        """Refuse.

        Raises:
            NoFeatureMaps: Always.
        """
        raise NoFeatureMaps("ONNX Runtime does not tell where a network looked; torch does.")


def require_onnx(*packages: str) -> None:
    """Check that packages are installed: ``onnx``, which makes networks, ``onnxruntime``, which computes with them.

    Raises:
        UserError: If one is not.
    """
    if missing := [name for name in packages if not importlib.util.find_spec(name)]:
        raise UserError(f"{missing[0]} is not installed: install what export needs with pip install -e '.[export]'.")
