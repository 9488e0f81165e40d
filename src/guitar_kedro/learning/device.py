"""Where and how exactly a network computes."""

from __future__ import annotations

import torch
from fastai.torch_core import default_device

from guitar_kedro.errors import UserError


def choose_device(wanted: str) -> torch.device:
    """Chooses where to train.

    Args:
        wanted: ``cpu``, ``cuda``, ``mps``, or ``auto``: a GPU where there is one.

    Raises:
        UserError: If this machine has no such device.
    """
    if wanted == "auto":
        return default_device(None)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[wanted]:
        raise UserError(f"training.device is {wanted}, but this machine has none that torch can use; set it to auto.")
    return torch.device(wanted)


def choose_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Chooses in which numbers to compute.

    Args:
        wanted: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the device computes with it natively.
        device: Where.

    Raises:
        UserError: If the device cannot compute in them.
    """
    if wanted == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    if wanted == "bfloat16" and device.type == "mps":
        raise UserError("training.precision is bfloat16, which is not for mps devices; set it to float32 or auto.")
    return getattr(torch, wanted)


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # CPUs with AMX have these instructions as well
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def set_precision(model: torch.nn.Module, precision: torch.dtype, device: torch.device) -> None:
    """Makes a network compute in a precision; weights, its outputs, and so loss and optimizer, stay float32.

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
