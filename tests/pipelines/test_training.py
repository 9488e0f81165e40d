"""What a user may rely on when a phase has ended."""

from __future__ import annotations

import pandas as pd
import pytest

from guitar_kedro.pipelines.training.nodes import warn_of_guessing, warn_of_probe

SPLITS = pd.DataFrame({"label": [*"aab", *"aabb"], "split": ["train"] * 3 + ["validation"] * 4})


def history(valid_loss: float, error_rate: float) -> pd.DataFrame:
    return pd.DataFrame({"valid_loss": [0.1, valid_loss], "error_rate": [0.0, error_rate], "kept": [False, True]})


@pytest.mark.parametrize(("loss", "error"), [(4e30, 0.25), (float("nan"), 0.25), (0.71, 0.25), (0.5, 0.75)])
def test_a_phase_that_ends_worse_than_guessing_is_warned_of(
    loss: float, error: float, caplog: pytest.LogCaptureFixture
):
    warn_of_guessing("small, frozen", history(loss, error), SPLITS)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("small, frozen: It ended worse than guessing: ")
    assert record.getMessage().endswith("Lower learning_rate of this phase, or train for more epochs.")
    warn_of_guessing("small, probe", history(loss, error), SPLITS)
    assert caplog.messages[-1].endswith("Give it other values of C, weights that know more, or more photos.")
    assert "e+" not in record.getMessage()
    assert "Lower learning_rate" in record.getMessage()


def test_a_phase_that_ends_better_than_guessing_is_not(caplog: pytest.LogCaptureFixture):
    warn_of_guessing("small, frozen", history(0.69, 0.5), SPLITS)
    assert not caplog.records


def test_a_phase_that_ends_worse_than_the_probe_is_warned_of_and_what_may_be_chance_is_said(
    caplog: pytest.LogCaptureFixture,
):
    splits = pd.DataFrame({"split": ["train"] * 7 + ["validation"] * 100})
    for errors in (0.25, float("nan")):
        warn_of_probe("small, frozen", history(0.5, errors), history(0.6, 0.25), splits)
    assert not caplog.records
    for errors in (0.30, 0.31):
        warn_of_probe("small, frozen", history(0.5, errors), history(0.6, 0.25), splits)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    few, more = (record.getMessage() for record in caplog.records)
    assert "worse than the probe of its stage: it is wrong on 31.0 % of the validation images" in more
    assert "5 of 100 images may be chance." in few
    assert "chance" not in more
    for message in (few, more):
        assert message.endswith("Where it stays so, give this phase another learning_rate, or leave it out.")
