"""What happens around a run."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from guitar_kedro.hooks import DisplayNamesMustBeUsed

SPLITS = pd.DataFrame({"label": ["cat", "1", "cat"]})


def warnings_of(display_names: dict[str, str], caplog: pytest.LogCaptureFixture) -> list[str]:
    hook = DisplayNamesMustBeUsed()
    hook.before_pipeline_run()
    with caplog.at_level(logging.WARNING):
        for inputs in ({"image_table": SPLITS}, *2 * [{"splits": SPLITS, "params:display_names": display_names}]):
            hook.before_node_run(inputs)
    return [record.getMessage() for record in caplog.records]


def test_a_display_name_that_names_no_class_is_said_once(caplog: pytest.LogCaptureFixture):
    found = warnings_of({"catt": "Cat", "1": "One", "dog": "Dog"}, caplog)
    assert found == ["display_names: no class is called catt, dog; the classes are 1, cat"]


def test_display_names_of_classes_are_not_mentioned(caplog: pytest.LogCaptureFixture):
    assert not warnings_of({"1": "One"}, caplog)
