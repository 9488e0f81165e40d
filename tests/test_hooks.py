"""What happens around a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from PIL import Image

from guitar_kedro.datasets import PhotosDataset
from guitar_kedro.hooks import GivenImages


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
