"""The table of what is to be collected, and what becomes of the pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node, Pipeline
from PIL import Image

from guitar_kedro.datasets import CollectedImagesDataset, PhotosDataset, QueriesDataset
from guitar_kedro.hooks import GivenImages


def draw(folder: Path, *labels: str) -> Path:
    for label in labels:
        (folder / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / label / "a.png")
    return folder


def photos(tmp_path: Path, images: Path | None = None) -> PhotosDataset:
    collected = str(tmp_path / "01_raw/pets/collected")
    return PhotosDataset(str(tmp_path / "02/pets"), str(images) if images else None, collected=collected)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("tabby,cat", None),
        ("tabby;cat", None),
        ("tabby,", "line 2: the label is missing"),
        (",cat", "line 2: it needs a query or the url of a picture"),
        ("tabby,../cat", "line 2: the label '../cat' cannot name a folder"),
        ("tabby,.cat", "line 2: the label '.cat' cannot name a folder"),
        ("tabby,cat\nbeagle,dog,small", "line 3: it has 3 fields"),
        ("", "has no line but the first one"),
    ],
)
def test_a_line_that_says_no_search_is_told_by_its_number(tmp_path: Path, lines: str, wrong: str | None):
    table = tmp_path / "queries.csv"
    table.write_text(f"{'query;label' if ';' in lines else 'query,label'}\n{lines}")
    if wrong is None:
        assert QueriesDataset(str(table)).load()[["query", "label"]].to_numpy().tolist() == [["tabby", "cat"]]
    else:
        with pytest.raises(DatasetError) as caught:
            QueriesDataset(str(table)).load()
        assert wrong in str(caught.value.__cause__)


def test_a_workspace_takes_what_was_collected_unless_images_were_named(tmp_path: Path):
    draw(tmp_path / "01_raw/pets/collected", "cat", "dog")
    assert [image.file for image in photos(tmp_path).load()] == ["cat/a.png", "dog/a.png"]
    mine = draw(tmp_path / "mine", "cat", "owl")
    photos(tmp_path, mine).remember()
    assert [image.file for image in photos(tmp_path).load()] == ["cat/a.png", "owl/a.png"]


def test_where_the_images_of_the_workspace_are_others_collecting_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    draw(tmp_path / "01_raw/pets/collected", "cat", "dog")
    pipeline = Pipeline([Node(lambda queries: queries, "queries", "collected_images", name="collect")])
    entries = {"queries": MemoryDataset(), "collected_images": CollectedImagesDataset(str(tmp_path / "collected"))}
    photos(tmp_path, draw(tmp_path / "mine", "cat", "owl")).remember()
    GivenImages().after_pipeline_run(pipeline, DataCatalog({**entries, "raw_images": photos(tmp_path)}))
    assert "This workspace has its images in" in caplog.text
