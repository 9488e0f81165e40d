"""The recipe as configuration: what a stage is, and what all stages share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from guitar_kedro.learning.data.options import BatchOptions
from guitar_kedro.options import Options
from guitar_kedro.sizes import height_width

Rate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]
Side = Annotated[int, Field(gt=0, le=4096)]


class PhaseOptions(Options):
    """One phase of a stage: the body frozen, or everything trained.

    Attributes:
        epochs: How many; 0 skips the phase.
        learning_rate: Highest rate of the one-cycle policy. A pair gives the rates of the first and the last layer
            group, those between lie evenly on a log scale (discriminative rates); ``auto`` takes those that suit the
            family of the network, ``suggested`` the one that the learning-rate finder suggests.
    """

    epochs: int = Field(ge=0)
    learning_rate: Rate | tuple[Rate, Rate] | Literal["auto", "suggested"]

    @field_validator("learning_rate", mode="wrap")
    @classmethod
    def _is_a_rate_in_one_sentence(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError:  # which says what is wrong with it as each of the three
            raise ValueError(
                "it must be a number above 0 and up to 10, two of them such as [1.0e-5, 1.0e-3], auto, or suggested"
            ) from None


class ProbeOptions(Options):
    """The phase of a stage that fits a linear head to the features of the body, which are computed once.

    Attributes:
        C: Inverse strengths of regularisation, as of scikit-learn's ``LogisticRegression``; validation chooses one.
    """

    C: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = (1e-3, 1e-2, 1e-1, 1.0)

    @field_validator("C", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError("give a list of numbers above 0, such as [0.01, 0.1]")
        return value


class NetworkOptions(Options):
    """What both phases of a stage share.

    Attributes:
        architecture: Name of a network of torchvision or timm; that of timm may carry the tag of its weights, such as
            ``convnext_tiny.in12k_ft_in1k``. A name that both know is torchvision's.
        image_size: Of the pictures that the network sees, in pixels: the side of a square, or a pair, height and width;
            at most 4096, which are 50 MB a picture.
        batch_size: Images in a training step.
        weights: What the network starts from: ``default``, the best that its library publishes for it; the name of a
            set (torchvision's ``IMAGENET1K_V1``, timm's ``in12k_ft_in1k``); ``imagenet``, torchvision's first set;
            ``packaged``, from an installed package; ``none``; or the path of a state dict. ``None`` where it starts
            from an earlier stage.
    """

    architecture: str
    image_size: Side | tuple[Side, Side]
    batch_size: int = Field(ge=2)  # BatchNorm measures nothing of one
    weights: str | None = None

    @field_validator("image_size", mode="wrap")
    @classmethod
    def _is_a_size_in_one_sentence(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            size = check(value)
        except ValidationError:  # which says what is wrong with it as a number and as a pair
            raise ValueError(
                "it must be a whole number from 1 to 4096, or two of them, height and width, such as [256, 192]"
            ) from None
        height, width = height_width(size)
        return height if height == width else size


class StageOptions(NetworkOptions):
    """One stage of training, as it is configured.

    Attributes:
        start_from: An earlier stage whose network is trained further, instead of ``weights``.
        probe: The phase that fits a linear head to the frozen body; ``None`` leaves it out.
        frozen: The phase that trains the head alone.
        unfrozen: The phase that trains everything.
        finder: Whether the learning-rate finder looks before each phase, also where nothing is trained with what it
            suggests.
    """

    start_from: str | None = None
    probe: ProbeOptions | None = None
    frozen: PhaseOptions
    unfrozen: PhaseOptions
    finder: bool = True

    @model_validator(mode="after")
    def _suggests_what_it_finds(self) -> StageOptions:
        if not self.finder and "suggested" in (self.frozen.learning_rate, self.unfrozen.learning_rate):
            raise ValueError("learning_rate is suggested, but finder is false: nothing would suggest one")
        return self

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> StageOptions:
        if (self.weights is None) == (self.start_from is None):
            raise ValueError("a stage starts either from weights or, with start_from, from an earlier stage: give one")
        return self


class LoopOptions(BatchOptions):
    """What the training of every phase shares.

    Attributes:
        precision: ``float32`` is the reference; ``bfloat16`` is faster where the device computes with it natively, and
            there ``auto`` takes it.
        weight_decay: Share of a weight that is taken off in a step, times the learning rate (Loshchilov and Hutter
            2019).
        clip: The largest norm of all gradients together; 0 leaves them as they are.
        layer_decay: Each layer learns at this multiple of the rate of the layer behind it (timm's ``layer_decay``), the
            head at ``learning_rate``; 1 makes two or three groups of layers instead of one for each.
        freeze_to: The first layer group that unfrozen phases train, as of fastai's ``freeze_to``: 0 trains everything;
            1 leaves the stem and the first half of the body as they are, their BatchNorm included, which saves up to
            half of the time of a step.
        frozen_views: In frozen phases, the body runs once for each of so many views of a picture, and the head is
            trained on its features: 1 is the plain picture, 2 is this and an augmented one. 0 lets the body run in each
            epoch, on pictures that are augmented anew, and trains its BatchNorm (fastai's way).
        batch_norm: In unfrozen phases, BatchNorm goes by the statistics of each batch and follows them (``train``, as
            in fastai), or by those that the body and the head of a probe have (``eval``), so that the first steps do
            not forget what these know. What begins at random always trains.
        accumulate: Batches of a step: their gradients are averaged, as if they were one.
        ema: Decay of an exponential moving average of the weights (timm's ``ModelEmaV3``), which is validated and kept;
            0 keeps the weights themselves.
        best_epoch: Whether the weights of the epoch with the lowest validation loss are kept, or those of the last one.
        stop_after: A phase ends when the validation loss has not become lower for so many epochs; 0 trains all of them.
    """

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    clip: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    freeze_to: Literal[0, 1] = 0
    frozen_views: int = Field(default=0, ge=0)
    batch_norm: Literal["train", "eval"] = "train"
    accumulate: int = Field(default=1, ge=1)
    ema: float = Field(default=0.0, ge=0, lt=1)
    best_epoch: bool = False
    stop_after: int = Field(default=0, ge=0)

    def switched_on(self) -> dict[str, Any]:
        """Return what is not as it is by default, but for how pictures are loaded and moved."""
        found = self.model_dump(mode="json", exclude_defaults=True)
        for name in ("resize_method", "presize", "augmentation", "precision", "finder_iterations"):
            found.pop(name, None)
        flip = self.augmentation.flip
        return found if flip == "none" else {"flip": flip, **found}


class TrainingOptions(LoopOptions):
    """What all stages share: the parameters under ``training``.

    Attributes:
        finder_iterations: Steps of the learning-rate finder.
    """

    finder_iterations: int = Field(ge=20, le=1000)
