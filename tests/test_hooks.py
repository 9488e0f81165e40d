"""What happens around a run."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from PIL import Image

from guitar_kedro.datasets import PhotosDataset
from guitar_kedro.hooks import DisplayNamesMustBeUsed, GivenImages

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


@pytest.mark.parametrize(
    ("output", "noted"), [("image_predictions", False), ("predictions_table", False), ("model", True)]
)
def test_images_of_a_prediction_that_runs_in_part_are_not_noted_as_those_to_train_on(
    output: str, noted: bool, tmp_path: Path
):
    pets = tmp_path / "pets"
    for label in ("cat", "dog"):
        (pets / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(pets / label / "a.png")
    catalog = DataCatalog({"raw_images": PhotosDataset(str(tmp_path / "workspace"), str(pets))})
    pipeline = Pipeline([Node(lambda images: images, inputs="raw_images", outputs=output, name="use_images")])
    GivenImages().after_pipeline_run(pipeline, catalog)
    assert (tmp_path / "workspace/source.json").exists() is noted
