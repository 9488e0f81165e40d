"""The recipe as configuration: what a stage is, and what all stages share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from guitar_kedro.learning.data.options import AugmentationOptions
from guitar_kedro.options import Options

Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


class PhaseOptions(Options):
    """One phase of a stage: the body frozen, or everything trained.

    Attributes:
        epochs: How many; 0 skips the phase.
        learning_rate: Highest rate of the one-cycle policy. A pair gives the rates of the first and the last layer
            group, those between lie evenly on a log scale (discriminative rates); ``suggested`` takes the one that
            the learning-rate finder suggests.
    """

    epochs: int = Field(ge=0)
    learning_rate: Rate | tuple[Rate, Rate] | Literal["suggested"]

    @field_validator("learning_rate", mode="wrap")
    @classmethod
    def _is_a_rate_in_one_sentence(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError:  # which says what is wrong with it as each of the three
            raise ValueError(
                "it must be a number above 0 and up to 10, two of them such as [1.0e-5, 1.0e-3], or suggested"
            ) from None


class ProbeOptions(Options):
    """The phase of a stage that fits a linear head to the features of the body, which are computed once.

    Attributes:
        C: Inverse strengths of regularisation, as of scikit-learn's ``LogisticRegression``; validation chooses one.
    """

    C: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        default=(1e-3, 1e-2, 1e-1, 1.0), min_length=1
    )


class NetworkOptions(Options):
    """What both phases of a stage share.

    Attributes:
        architecture: Name of a network of torchvision or timm; that of timm may carry the tag of its weights, such as
            ``convnext_tiny.in12k_ft_in1k``. A name that both know is torchvision's.
        image_size: Side of the square that the network sees, in pixels; at most 4096, which are 50 MB a picture.
        batch_size: Images in a training step.
        weights: What the network starts from: ``default``, the best that its library publishes for it; the name of a
            set (torchvision's ``IMAGENET1K_V1``, timm's ``in12k_ft_in1k``); ``imagenet``, torchvision's first set;
            ``packaged``, from an installed package; ``none``; or the path of a state dict. ``None`` where it starts
            from an earlier stage.
    """

    architecture: str
    image_size: int = Field(gt=0, le=4096)
    batch_size: int = Field(ge=2)  # BatchNorm measures nothing of one
    weights: str | None = None


class StageOptions(NetworkOptions):
    """One stage of training, as it is configured.

    Attributes:
        start_from: An earlier stage whose network is trained further, instead of ``weights``.
        probe: The phase that fits a linear head to the frozen body; ``None`` leaves it out.
        frozen: The phase that trains the head alone.
        unfrozen: The phase that trains everything.
    """

    start_from: str | None = None
    probe: ProbeOptions | None = None
    frozen: PhaseOptions
    unfrozen: PhaseOptions

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> StageOptions:
        if (self.weights is None) == (self.start_from is None):
            raise ValueError("a stage starts either from weights or, with start_from, from an earlier stage: give one")
        return self


class LoopOptions(Options):
    """What the training of every phase shares.

    Attributes:
        resize_method: How a picture becomes a square: ``squish`` (distorts), ``crop`` (loses the ends), ``pad``.
        presize: Pictures are loaded at this multiple of the image size, so that rotating and zooming lose no detail.
        augmentation: Random changes in training.
        precision: ``float32`` is the reference; ``bfloat16`` is faster where the device computes with it natively, and
            there ``auto`` takes it.
    """

    resize_method: Literal["squish", "crop", "pad"] = "squish"
    presize: float = Field(default=1.15, ge=1, le=2)
    augmentation: AugmentationOptions = AugmentationOptions()
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class TrainingOptions(LoopOptions):
    """What all stages share: the parameters under ``training``.

    Attributes:
        finder_iterations: Steps of the learning-rate finder.
    """

    finder_iterations: int = Field(ge=20, le=1000)
