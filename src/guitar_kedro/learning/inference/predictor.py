"""Predictions of a network: the one way from pixels to probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from fastai.torch_core import no_random

from guitar_kedro.learning.data.augmentation import Augment, Normalise
from guitar_kedro.learning.data.options import AugmentationOptions
from guitar_kedro.learning.inference.backend import Predictions, Reader
from guitar_kedro.learning.inference.grad_cam import coarse_maps
from guitar_kedro.learning.inference.learner import learner_for_inference
from guitar_kedro.learning.inference.packing import pack
from guitar_kedro.learning.networks.checkpoint import Checkpoint
from guitar_kedro.learning.networks.device import choose_device, choose_precision, set_precision
from guitar_kedro.memory import keep_freed_memory

PLAIN_SHARE = 0.25  # of the plain view among augmented ones, as in fastai's Learner.tta


class Predictor(Reader):
    """A network that is ready to predict. A prediction does not depend on which pictures are predicted together."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto") -> None:
        """Build the network, in evaluation mode and the precision that its spec names.

        Args:
            checkpoint: The model.
            device: Where it predicts: see ``choose_device``.

        Raises:
            UserError: If this machine has no such device, or that cannot compute in the precision.
        """
        keep_freed_memory()
        super().__init__(checkpoint.spec)
        self._checkpoint, self._wanted = checkpoint, device
        self._device = choose_device(device)
        body, head = learner_for_inference(checkpoint, "cpu").model
        # not the head: in bfloat16 a matrix product depends on how many pictures are asked for, convolutions do not
        precision = choose_precision(self.spec.precision, self._device, "calibration.precision")
        body = pack(body, self.spec.image_size, precision, self._device)
        set_precision(body, precision, self._device)
        self._model = torch.nn.Sequential(body, head)
        self._model.to(self._device).to(memory_format=torch.channels_last)
        self._normalise = Normalise(self.spec.mean, self.spec.std)

    def __reduce__(self) -> tuple[type[Predictor], tuple[Checkpoint, str]]:
        """Go to another process as the checkpoint, and be built there, on a device of that machine."""
        return Predictor, (self._checkpoint, self._wanted)

    def predict(self, pixels: np.ndarray) -> Predictions:
        """Predict the classes of pictures.

        Args:
            pixels: uint8 of n x 3 x height x width, from ``read``.

        Returns:
            Of n pictures. With augmented views, the same for all pictures, they are mixed as in fastai's
            ``Learner.tta``: a quarter is the plain view's, three quarters are the mean of the others.
        """
        with torch.inference_mode():
            batch = torch.from_numpy(pixels).to(self._device, non_blocking=True)
            batch = batch.contiguous(memory_format=torch.channels_last)
            plain = self._logits(self._normalise(batch))
            logs, energies = torch.log_softmax(plain, dim=1), -torch.logsumexp(plain, dim=1)
            if self.spec.tta_views:
                views = torch.stack([self._logits(view) for view in self._augmented(batch)])
                logs = torch.lerp(torch.softmax(views, dim=2).mean(dim=0), logs.exp(), PLAIN_SHARE).log()
                energies = torch.lerp(-torch.logsumexp(views, dim=2).mean(dim=0), energies, PLAIN_SHARE)
            # the temperature acts on the mean of the views, as it was fitted
            return Predictions(torch.softmax(logs / self.spec.temperature, dim=1).numpy(), energies.numpy())

    def maps(self, pixels: np.ndarray, targets: Sequence[int]) -> np.ndarray:
        """Compute Grad-CAM maps: where in a picture the network sees classes.

        Args:
            pixels: uint8 of 3 x height x width, from ``read``.
            targets: Numbers of the classes.

        Returns:
            float32 of targets x rows x columns, as ``coarse_maps`` gives them, of the plain view.

        Raises:
            NoFeatureMaps: If the body of the network does not end in feature maps.
        """
        image = self._normalise(torch.from_numpy(pixels)[None].to(self._device))
        return coarse_maps(self._model, self.spec, image, targets).float().cpu().numpy()

    def _augmented(self, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the augmented views, each float32 of n x 3 x height x width."""
        options = AugmentationOptions(**self.spec.augmentation)
        augment = Augment(options, self.spec.image_size, self.spec.mean, self.spec.std, same_for_all=True)
        for view in range(self.spec.tta_views):
            with no_random(self.spec.provenance["seed"] + view):
                yield augment(pixels)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return float64 of n x classes for float32 of n x 3 x height x width."""
        # in double precision, unlikely classes keep a probability above 0, from which a temperature can be taken back
        return self._model(images).cpu().double()
