"""What a training batch is, as configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from guitar_kedro.options import Options


class AugmentationOptions(Options):
    """What training does to pictures at random, each time it sees them (fastai's ``aug_transforms``).

    What is not given is as fastai has it, without flips.

    Attributes:
        max_rotate: Degrees, either way.
        min_zoom: Least magnification.
        max_zoom: Largest magnification.
        max_lighting: Largest change of brightness and contrast, 0 to 1.
        max_warp: Largest perspective warp, 0 to 1.
        p_affine: Chance that a picture is rotated, zoomed or warped.
        p_lighting: Chance that its light is changed.
        flip: ``horizontal`` mirrors half of the pictures; ``dihedral`` turns half of them by a multiple of 90 degrees,
            mirrored or not, for pictures without an up.
    """

    max_rotate: float = Field(default=10.0, ge=0, le=180)
    min_zoom: float = Field(default=1.0, gt=0)
    max_zoom: float = Field(default=1.1, gt=0)
    max_lighting: float = Field(default=0.2, ge=0, lt=1)
    max_warp: float = Field(default=0.2, ge=0, lt=1)
    p_affine: float = Field(default=0.75, ge=0, le=1)
    p_lighting: float = Field(default=0.75, ge=0, le=1)
    flip: Literal["none", "horizontal", "dihedral"] = "none"

    @model_validator(mode="after")
    def _zooms_in_order(self) -> AugmentationOptions:
        if self.min_zoom > self.max_zoom:
            raise ValueError("min_zoom is the least magnification and must not be above max_zoom")
        return self


class BatchOptions(Options):
    """What a training batch is.

    Attributes:
        resize_method: How a picture gets its shape: ``squish`` (distorts), ``crop`` (loses the ends), ``pad``.
        presize: Pictures are loaded at this multiple of the image size, so that rotating and zooming lose no detail.
        augmentation: Random changes in training.
        label_smoothing: Share of a label that is spread evenly over all classes (Szegedy et al. 2016).
        mixup: How much pictures of a batch are blended: alpha of the beta distribution (Zhang et al. 2018); 0 is none.
        cutmix: How large the boxes are that pictures of a batch exchange: alpha of the beta distribution (Yun et al.
            2019); 0 is none. Where ``mixup`` is on as well, a coin decides for each batch.
        random_erasing: Chance that a box of a picture is painted in the mean colour (Zhong et al. 2020).
        balance: What rare classes get: ``class_weights``, as much of the loss as frequent ones; ``sampling``, as many
            pictures of an epoch.
    """

    resize_method: Literal["squish", "crop", "pad"] = "squish"
    presize: float = Field(default=1.15, ge=1, le=2)
    augmentation: AugmentationOptions = AugmentationOptions()
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    mixup: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cutmix: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    random_erasing: float = Field(default=0.0, ge=0, le=1)
    balance: Literal["none", "class_weights", "sampling"] = "none"

    def without_chance(self) -> BatchOptions:
        """Return these options without what changes pictures at random."""
        unchanged = AugmentationOptions(max_rotate=0, max_zoom=1, max_lighting=0, max_warp=0, p_affine=0, p_lighting=0)
        return self.model_copy(update={"augmentation": unchanged, "mixup": 0.0, "cutmix": 0.0, "random_erasing": 0.0})

    @property
    def has_soft_targets(self) -> bool:
        """Whether targets of training are shares of classes."""
        return bool(self.label_smoothing or self.mixup or self.cutmix) or self.balance == "class_weights"
