"""The recipe as configuration: what a stage is, and what all stages share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

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


class NetworkOptions(Options):
    """What both phases of a stage share.

    Attributes:
        architecture: Name of a network of torchvision, or of timm where that is installed.
        image_size: Side of the square that the network sees, in pixels.
        batch_size: Images in a training step.
        weights: What the network starts from: ``imagenet``, ``none``, or the path of a state dict; ``None`` where it
            starts from an earlier stage.
    """

    architecture: str
    image_size: int = Field(gt=0)
    batch_size: int = Field(ge=2)  # BatchNorm measures nothing of one
    weights: str | None = None


class StageOptions(NetworkOptions):
    """One stage of training, as it is configured.

    Attributes:
        start_from: An earlier stage whose network is trained further, instead of ``weights``.
        frozen: The phase that trains the head alone.
        unfrozen: The phase that trains everything.
    """

    start_from: str | None = None
    frozen: PhaseOptions
    unfrozen: PhaseOptions

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> StageOptions:
        if (self.weights is None) == (self.start_from is None):
            raise ValueError("a stage starts either from weights or, with start_from, from an earlier stage: give one")
        return self


class AugmentationOptions(Options):
    """What training does to pictures at random, each time it sees them (fastai's ``aug_transforms``, without flips).

    Attributes:
        max_rotate: Degrees, either way.
        min_zoom: Least magnification.
        max_zoom: Largest magnification.
        max_lighting: Largest change of brightness and contrast, 0 to 1.
        max_warp: Largest perspective warp, 0 to 1.
        p_affine: Chance that a picture is rotated, zoomed or warped.
        p_lighting: Chance that its light is changed.
    """

    max_rotate: float = Field(ge=0, le=180)
    min_zoom: float = Field(gt=0)
    max_zoom: float = Field(gt=0)
    max_lighting: float = Field(ge=0, lt=1)
    max_warp: float = Field(ge=0, lt=1)
    p_affine: float = Field(ge=0, le=1)
    p_lighting: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _zooms_in_order(self) -> AugmentationOptions:
        if self.min_zoom > self.max_zoom:
            raise ValueError("min_zoom is the least magnification and must not be above max_zoom")
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

    resize_method: Literal["squish", "crop", "pad"]
    presize: float = Field(ge=1, le=2)
    augmentation: AugmentationOptions
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class TrainingOptions(LoopOptions):
    """What all stages share: the parameters under ``training``.

    Attributes:
        finder_iterations: Steps of the learning-rate finder.
    """

    finder_iterations: int = Field(ge=20, le=1000)


class Processes(Options):
    """In how many processes a network is trained, and where.

    Attributes:
        processes: On each machine.
        machines: How many run the same command.
        endpoint: Where they meet: ``host:port`` of the one that keeps the artifacts.
        max_restarts: So many times training goes on after its last recorded epoch when a process has died.
        folder: Scratch; what processes hand each other.
        imports: Modules that each process imports first.
    """

    processes: int = Field(1, ge=1)
    machines: int = Field(1, ge=1)
    endpoint: str | None = Field(None, pattern=r"^[^:]+:\d+$")
    max_restarts: int = Field(3, ge=0)
    folder: Path
    imports: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _know_where_to_meet(self) -> Processes:
        if (self.machines > 1) != (self.endpoint is not None):
            raise ValueError("several machines need an endpoint=HOST:PORT to meet at, and one machine needs none")
        return self

    @property
    def total(self) -> int:
        """On all machines."""
        return self.processes * self.machines

    @property
    def here(self) -> Processes:
        """Those of this machine alone."""
        return self.model_copy(update={"machines": 1, "endpoint": None})
