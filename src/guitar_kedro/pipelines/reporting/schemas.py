"""What stands in the tables of reporting: a row of each. Shares lie between 0 and 1, intervals are Wilson's of 95 %."""

from pydantic import BaseModel


class ClassRow(BaseModel):
    """How well a class is recognised; the last two rows are averages.

    Attributes:
        label: The class.
        precision: Share of right ones among what was called that class.
        recall: Share of the class that was found.
        f1: Harmonic mean of both.
        support: Images of the class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class ConfusedRow(BaseModel):
    """A pair of classes of which one is taken for the other.

    Attributes:
        actual: Display name of the class of the images.
        predicted: Display name of what they are taken for.
        count: Images.
    """

    actual: str
    predicted: str
    count: int


class PhaseRow(BaseModel):
    """What a phase of a stage brought, measured on the validation images, and what it cost.

    Attributes:
        stage: Its name.
        phase: ``probe``, ``frozen`` or ``unfrozen``.
        architecture: Of the network.
        image_size: Of its input, in pixels: a side, or height x width.
        epochs: Trained in the phase.
        images: That it was measured on.
        errors: Of them, those that were predicted wrong.
        error_rate: Their share.
        error_low: Lower end of its interval.
        error_high: Upper end of its interval.
        minutes: That the phase took.
        warning: A sentence where it is worse than a guess or than the probe of its stage; else empty.
    """

    stage: str
    phase: str
    architecture: str
    image_size: str
    epochs: int
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float
    minutes: float
    warning: str


class StepRow(BaseModel):
    """What a stage fixed and broke of the stage before it, on the same validation images.

    Attributes:
        stage_before: The earlier stage.
        stage: The later stage.
        images: That both were measured on.
        errors_before: Of the earlier stage.
        errors: Of the later stage.
        fixed: Images that became right.
        broken: Images that became wrong.
        p_value: Of the exact McNemar test.
        seconds: That the later stage took; missing where it is not known.
        seconds_per_error_removed: Missing where no error was removed.
    """

    stage_before: str
    stage: str
    images: int
    errors_before: int
    errors: int
    fixed: int
    broken: int
    p_value: float
    seconds: float
    seconds_per_error_removed: float


class LossRow(BaseModel):
    """An image with a high loss.

    Attributes:
        image_id: As in ``image_table``.
        file: Name of the file in the source.
        label: Its class.
        predicted: The class with the highest probability.
        actual_name: Display name of ``label``.
        predicted_name: Display name of ``predicted``.
        probability: Of ``predicted``.
        probability_of_label: Of ``label``.
        loss: Cross-entropy, in nats.
    """

    image_id: str
    file: str
    label: str
    predicted: str
    actual_name: str
    predicted_name: str
    probability: float
    probability_of_label: float
    loss: float


class SliceRow(BaseModel):
    """Images that have something in common.

    Attributes:
        slice: What they are sorted by: ``class``, ``original size``, ``aspect ratio`` or ``near duplicates``.
        value: What they have in common, in words.
        images: How many.
        errors: Of them, those that were predicted wrong.
        error_rate: Their share.
        error_low: Lower end of its interval.
        error_high: Upper end of its interval.
    """

    slice: str
    value: str
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float


class SuspectRow(BaseModel):
    """An image whose label is likely to be wrong.

    Attributes:
        image_id: As in ``image_table``.
        file: Name of the file in the source.
        label: Its class.
        suggested: The most probable class.
        probability: Of ``suggested``.
        probability_of_label: Of ``label``.
    """

    image_id: str
    file: str
    label: str
    suggested: str
    probability: float
    probability_of_label: float
