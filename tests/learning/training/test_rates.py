"""Learning rates where nobody names any."""

from __future__ import annotations

import dataclasses

import pytest

from guitar_kedro.learning import Checkpoint, Phase, suitable_rates


def of(phase: Phase, architecture: str) -> Phase:
    stage = phase.stage.model_copy(update={"architecture": architecture, "image_size": 64})
    return dataclasses.replace(phase, stage=stage)


@pytest.mark.parametrize("with_batch_norm", ["resnet18", "test_efficientnet"])
@pytest.mark.parametrize("without", ["test_vit", "test_convnext"])
def test_a_network_with_batch_norm_learns_faster_than_one_without(with_batch_norm: str, without: str, phase: Phase):
    assert suitable_rates(of(phase, with_batch_norm))[0] > suitable_rates(of(phase, without))[0]


def test_a_network_that_was_trained_whole_is_trained_further_at_lower_rates(phase: Phase):
    anew = suitable_rates(phase)
    for name, lower in (("unfrozen", True), ("frozen", False), ("probe", False)):
        start = Checkpoint({}, phase.spec({"phase": name}))
        assert (suitable_rates(dataclasses.replace(phase, start=start)) < anew) is lower


def test_a_head_that_a_probe_has_fitted_learns_slower_than_one_that_begins_at_random(phase: Phase):
    anew, spec = suitable_rates(phase), phase.spec({"phase": "probe"})
    fitted = Checkpoint({}, spec.model_copy(update={"head": "linear"}))
    first, last = suitable_rates(dataclasses.replace(phase, start=fitted))
    assert first == anew[0]
    assert last < anew[1]
