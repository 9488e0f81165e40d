"""What a user may rely on when an answer is called sure."""

from __future__ import annotations

import pytest

from guitar_kedro.learning.inference.decision import Decision, decide
from guitar_kedro.learning.networks.checkpoint import ModelSpec


@pytest.mark.parametrize(
    ("sure", "known", "probability", "energy", "wanted"),
    [
        (0.8, -5.0, 0.8, -5.0, Decision.SURE),
        (0.8, -5.0, 0.79, -5.0, Decision.NOT_SURE),
        (0.8, -5.0, 0.99, -4.9, Decision.NONE_OF_THESE),
        (None, -5.0, 1.0, -6.0, Decision.NOT_SURE),
        (0.8, None, 0.9, 10.0, Decision.SURE),
    ],
)
def test_an_answer_is_judged_by_the_thresholds_of_its_model_and_strangeness_counts_first(
    sure: float | None, known: float | None, probability: float, energy: float, wanted: Decision
):
    spec = ModelSpec(
        architecture="resnet18",
        classes=("a", "b"),
        display_names={},
        image_size=32,
        resize_method="squish",
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        confidence_threshold=sure,
        ood_threshold=known,
    )
    assert decide(spec, probability, energy) == wanted
