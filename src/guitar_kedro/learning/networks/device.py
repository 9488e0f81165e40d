"""Where and how exactly a network computes."""

from __future__ import annotations

import functools
import logging
import os

import torch

from guitar_kedro.errors import UserError

logger = logging.getLogger(__name__)


def choose_device(wanted: str) -> torch.device:
    """Choose where networks compute: in training, prediction, evaluation, explanation, export and service.

    Args:
        wanted: The parameter ``device``: ``cpu``, ``cuda``, ``mps``, or ``auto``, a GPU that works where there is one.

    Raises:
        UserError: If this machine has no such device.
    """
    # fastai's default_device would take an Apple GPU for which torch was compiled, whether or not it is there
    for name, is_there in (("cuda", torch.cuda.is_available), ("mps", torch.backends.mps.is_available)):
        if wanted not in ("auto", name):
            continue
        problem = _problem(name) if is_there() else "torch finds none"
        if not problem:
            return torch.device(name, torch.cuda.current_device() if name == "cuda" else 0)
        if wanted == name:
            raise UserError(
                f"device is {name}, but this machine has none that torch can use ({problem}); set it to auto or cpu."
            )
    return torch.device("cpu")


@functools.cache
def _problem(name: str) -> str:
    """Try a GPU that torch finds; return why it does not work, or nothing."""
    try:
        (torch.ones(1, device=name) + 1).item()
    except Exception as error:  # drivers fail in many ways
        problem = str(error).strip().partition("\n")[0] or type(error).__name__
        logger.warning("The GPU (%s) cannot be used: %s", name, problem)
        return problem
    return ""


def device_name(device: torch.device) -> str:
    """Name a device as a person would."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else f"CPU, {os.cpu_count()} cores"


def choose_precision(
    wanted: str,
    device: torch.device,
    parameter: str = "training.precision",
    trained: torch.nn.Module | None = None,
) -> torch.dtype:
    """Choose in which numbers to compute.

    Args:
        wanted: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the device computes with it natively.
        device: Where.
        parameter: What asked for it, for the message.
        trained: The network, if it is to be trained: depthwise convolutions (MobileNet, EfficientNet) are trained in
            float32 on CPUs without AMX, where ``auto`` may choose; there, bfloat16 takes up to 1.4 times as long.

    Raises:
        UserError: If the device cannot compute in them.
    """
    if wanted == "auto":
        has_amx = torch.cpu._is_amx_tile_supported()
        slower = device.type == "cpu" and trained is not None and _is_depthwise(trained) and not has_amx
        return torch.bfloat16 if _has_bfloat16(device) and not slower else torch.float32
    if wanted == "bfloat16" and device.type == "mps":
        raise UserError(f"{parameter} is bfloat16, which is not for mps devices; set it to float32, or device to cpu.")
    return getattr(torch, wanted)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # CPUs with AMX have these instructions as well
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def _is_depthwise(network: torch.nn.Module) -> bool:
    convolutions = (layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d))
    return any(layer.groups == layer.in_channels > 1 for layer in convolutions)


def set_precision(model: torch.nn.Module, precision: torch.dtype, device: torch.device) -> None:
    """Make a network compute in a precision; weights, its outputs, and so loss and optimizer, stay float32.

    In bfloat16, torch's autocast chooses what is computed in it. fastai's ``to_fp16`` does nothing on a CPU.

    Args:
        model: The network, as it is used from now on.
        precision: ``torch.float32`` or ``torch.bfloat16``.
        device: Where it computes.
    """
    # what a GPU rounds on its own account (TF32) goes with the precision that was asked for
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != torch.float32
    if precision == torch.float32:
        return
    forward = model.forward

    def in_precision(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, precision):
            return forward(images).float()

    model.forward = in_precision
