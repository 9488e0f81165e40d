"""What the service answers: as JSON, and as its OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from guitar_kedro.learning.inference.decision import Decision, decide
from guitar_kedro.learning.networks.checkpoint import ModelSpec
from guitar_kedro.serving.model import Answer


class Prediction(BaseModel):
    """What the model says of a picture."""

    file: str = Field(description="What its sender calls the picture; empty where it came without a name.")
    decision: Decision = Field(description="How far the answer may be trusted.")
    predicted: str = Field(description="The likeliest class, also where the decision is none_of_these.")
    display_name: str = Field(description="What people call that class.")
    probability: float = Field(ge=0, le=1, description="Of that class, calibrated.")
    probabilities: dict[str, float] = Field(description="Of each class; they add up to 1.")
    energy: float = Field(description="High where no class fits.")


class Unread(BaseModel):
    """A picture that could not be read."""

    file: str = Field(description="What its sender calls the picture; empty where it came without a name.")
    reason: str = Field(description="Why, as a short code.")
    detail: str = Field(description="Why, as a sentence.")


class Predictions(BaseModel):
    """Answers in the order of the pictures."""

    model_version: str
    pictures: list[Prediction | Unread]


class KnownClass(BaseModel):
    """A class of the model."""

    label: str
    display_name: str


class Classes(BaseModel):
    """What the model tells apart, in the order of its outputs."""

    model_version: str
    classes: list[KnownClass]


class State(BaseModel):
    """How the service is."""

    status: str


class Problem(BaseModel):
    """Why a request was not answered."""

    reason: str = Field(description="A short code.")
    detail: str = Field(description="A sentence for people.")


def prediction(file: str, answer: Answer, spec: ModelSpec) -> Prediction:
    """Put an answer into words and numbers."""
    probability = max(answer.probabilities)
    predicted = spec.classes[answer.probabilities.index(probability)]
    return Prediction(
        file=file,
        decision=decide(spec, probability, answer.energy),
        predicted=predicted,
        display_name=spec.display_names.get(predicted, predicted),
        probability=probability,
        probabilities=dict(zip(spec.classes, answer.probabilities, strict=True)),
        energy=answer.energy,
    )


def known_classes(version: str, spec: ModelSpec) -> Classes:
    """List the classes of a model."""
    names = ((label, spec.display_names.get(label, label)) for label in spec.classes)
    return Classes(model_version=version, classes=[KnownClass(label=label, display_name=name) for label, name in names])


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for the OpenAPI document."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}


_MEANINGS = {
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is no picture in a format that is read. Its content tells, not its name or header.",
    422: "The form is damaged, has no or too many pictures, or the only picture cannot be read.",
    502: "The address could not be fetched.",
    503: "There is too much to do, or the service is ending; Retry-After says when to try again.",
}
