"""What a user may rely on about augmentation: it is fastai's, in one pass."""

from __future__ import annotations

import inspect

import pytest
import torch
from fastai.data.transforms import IntToFloatTensor, Normalize
from fastai.torch_core import TensorImage, set_seed
from fastai.vision.augment import aug_transforms
from fasttransform import Pipeline

from guitar_kedro.learning.data.augmentation import Augment, Normalise, fastai_transforms
from guitar_kedro.learning.data.options import AugmentationOptions
from guitar_kedro.sizes import ImageSize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FASTAI_DEFAULTS = {
    "max_rotate": 10,
    "min_zoom": 1,
    "max_zoom": 1.1,
    "max_lighting": 0.2,
    "max_warp": 0.2,
    "p_affine": 0.75,
    "p_lighting": 0.75,
}


def test_what_is_not_configured_is_as_fastai_has_it():
    theirs = inspect.signature(aug_transforms).parameters
    ours = AugmentationOptions().model_dump(exclude={"flip"})
    assert ours == {name: theirs[name].default for name in FASTAI_DEFAULTS}


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """Pictures of many colours, neither smooth nor mere noise."""
    torch.manual_seed(0)
    coarse = torch.rand(12, 3, 9, 9)
    fine = torch.nn.functional.interpolate(coarse, (74, 74), mode="bicubic").clamp(0, 1)
    return (255 * fine).round().byte().contiguous(memory_format=torch.channels_last)


def by_fastai(pixels: torch.Tensor, options: AugmentationOptions, size: ImageSize) -> torch.Tensor:
    transforms = [IntToFloatTensor(), *fastai_transforms(options, size), Normalize.from_stats(MEAN, STD, cuda=False)]
    return Pipeline(transforms, split_idx=0)(TensorImage(pixels.contiguous())).as_subclass(torch.Tensor)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"p_affine": 1, "p_lighting": 1, "max_rotate": 60, "max_warp": 0.4, "max_zoom": 2, "max_lighting": 0.5},
        {"min_zoom": 0.4, "max_zoom": 0.5, "p_affine": 1},  # borders
        {"max_warp": 0, "max_lighting": 0},
        {"max_rotate": 0, "max_zoom": 1},
        {"flip": "horizontal"},
        {"flip": "dihedral", "p_affine": 1},
    ],
    ids=["defaults", "much", "borders", "moves without warp", "warp alone", "mirrored", "turned"],
)
def test_with_the_same_seed_pictures_are_those_of_fastai(pixels: torch.Tensor, changes: dict):
    options = AugmentationOptions(**(FASTAI_DEFAULTS | changes))
    augment = Augment(options, 64, MEAN, STD)
    for seed in range(3):
        set_seed(seed)
        theirs = by_fastai(pixels, options, 64)
        after_theirs = torch.rand(1)
        set_seed(seed)
        ours = augment(pixels)
        assert torch.rand(1) == after_theirs  # the same numbers were drawn
        assert ours.shape == theirs.shape == (12, 3, 64, 64)
        assert ours.is_contiguous(memory_format=torch.channels_last)
        grey_levels = (ours - theirs).abs() * 255 * torch.tensor(STD)[:, None, None]
        assert grey_levels.mean() < 0.2
        assert grey_levels.quantile(0.999) < 2


def test_pictures_that_are_no_squares_are_turned_as_fastai_turns_them():
    torch.manual_seed(0)
    coarse = torch.rand(12, 3, 9, 9)
    upright = torch.nn.functional.interpolate(coarse, (110, 74), mode="bicubic").clamp(0, 1)
    pixels = (255 * upright).round().byte().contiguous(memory_format=torch.channels_last)
    options = AugmentationOptions(**(FASTAI_DEFAULTS | {"p_affine": 1, "max_rotate": 60, "flip": "dihedral"}))
    set_seed(1)
    theirs = by_fastai(pixels, options, (96, 64))
    set_seed(1)
    ours = Augment(options, (96, 64), MEAN, STD)(pixels)
    assert ours.shape == theirs.shape == (12, 3, 96, 64)
    assert ((ours - theirs).abs() * 255 * torch.tensor(STD)[:, None, None]).mean() < 0.2


def test_thousands_of_pictures_of_a_batch_are_each_looked_up_in_their_own_table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 10_000)  # all in one go, as on a GPU
    few = torch.randint(0, 256, (10_000, 3, 2, 2), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    options = AugmentationOptions(**(FASTAI_DEFAULTS | {"p_affine": 0, "p_lighting": 0}))
    assert torch.allclose(Augment(options, 2, MEAN, STD)(few), Normalise(MEAN, STD)(few), atol=0.005)
    lit = AugmentationOptions(**(FASTAI_DEFAULTS | {"p_affine": 0, "p_lighting": 1}))
    set_seed(1)
    in_one_go = Augment(lit, 2, MEAN, STD)(few)
    monkeypatch.undo()
    set_seed(1)
    assert torch.allclose(Augment(lit, 2, MEAN, STD)(few), in_one_go, atol=0.02)  # a grey level


def test_pictures_can_all_be_changed_alike(pixels: torch.Tensor):
    options = AugmentationOptions(**(FASTAI_DEFAULTS | {"p_affine": 1, "p_lighting": 1}))
    one = pixels[:1].repeat(5, 1, 1, 1)
    alike = Augment(options, 64, MEAN, STD, same_for_all=True)(one)
    apart = Augment(options, 64, MEAN, STD)(one)
    assert torch.allclose(alike[0], alike[4], atol=0.01)  # a quarter of a grey level
    assert (apart[0] - apart[4]).abs().max() > 0.1


def test_validation_pictures_are_normalised_as_fastai_does(pixels: torch.Tensor):
    images = TensorImage(pixels.float() / 255)
    theirs = Normalize.from_stats(MEAN, STD, cuda=False).encodes(images).as_subclass(torch.Tensor)
    assert torch.allclose(Normalise(MEAN, STD)(pixels), theirs, atol=1e-5)
