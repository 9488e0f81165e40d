"""Parameters of calibration."""

from typing import Literal

from pydantic import Field

from guitar_kedro.options import Options


class CalibrationOptions(Options):
    """The parameters under ``calibration``: when the model says that it is not sure, or that it knows none of this.

    Attributes:
        selective_accuracy: A prediction is sure above the lowest probability from which on so many predictions may be
            expected to be right, going by the validation images; none is where these are too few to tell (98 for 0.99).
        in_distribution_recall: A picture is "none of these" above the energy below which so many pictures of the
            classes may be expected to stay, going by the validation images; none is where these are too few to tell
            (19 for 0.95).
        precision: In which the body of the network computes its answers. bfloat16 is about twice as fast where the CPU
            or GPU has it; elsewhere it is slower than float32, the reference.
        tta_views: So many augmented views of each picture are predicted beside the plain one (test-time
            augmentation); it takes so many times longer.
    """

    selective_accuracy: float = Field(gt=0, lt=1)
    in_distribution_recall: float = Field(gt=0, le=1)
    precision: Literal["float32", "bfloat16"]
    tta_views: int = Field(ge=0, le=32)
