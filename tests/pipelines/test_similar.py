"""Near duplicates that hashes miss, through the real command line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import ImageEnhance
from small_project import kedro_in

from guitar_kedro.demo import draw_guitar

CLASSES = ("fender_stratocaster", "gibson_SG")
TO_LIST = "--to-nodes=report.list_similar_images"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures in folders of classes; of some there is a crop, or a copy in other colours."""
    for label in CLASSES:
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(12):
            picture = draw_guitar(label, 160, number)
            picture.save(folder / f"{number}.png")
            if number < 4:
                picture.crop((10, 10, 150, 150)).save(folder / f"{number}_crop.png")
                ImageEnhance.Color(picture).enhance(0.3).save(folder / f"{number}_recoloured.png")
    return tmp_path / "photos"


def test_crops_and_recoloured_copies_are_listed_and_kept_on_one_side_on_request(project: Path, photos: Path):
    def run(duplicates: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
        parameters = f"images={photos},name=copies,ingestion.duplicates={duplicates}"
        ran = kedro_in(project, "run", "--env=photos", TO_LIST, f"--params={parameters}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        listed = pd.read_csv(max(project.glob("data/08_reporting/copies/similar_images.csv/*/*.csv")))
        splits = pd.read_csv(project / "data/05_model_input/copies/splits.csv", dtype=str)
        table = pd.read_csv(project / "data/03_primary/copies/image_table.csv", dtype=str)
        return listed, splits.merge(table[["image_id", "file", "duplicate_group"]], on="image_id"), ran.stdout

    def stem(files: pd.Series) -> pd.Series:
        return files.str.replace(r"(_crop|_recoloured)?\.png", "", regex=True)

    def copies(listed: pd.DataFrame) -> pd.DataFrame:
        return listed[stem(listed["file"]) == stem(listed["similar_file"])]

    listed, by_hashes, said = run("hashes")
    assert len(copies(listed)) >= 4
    assert "test" not in {*listed["split"], *listed["similar_split"]}  # which nobody looks at before the end
    assert (copies(listed)["split"] != copies(listed)["similar_split"]).any()
    assert (by_hashes["duplicate_group_x"] == by_hashes["duplicate_group_y"]).all()
    assert "look alike to a network, though their hashes differ" in said

    listed, by_features, said = run("features")
    assert len(copies(listed)) >= 8
    assert (listed["split"] == listed["similar_split"]).all()
    assert by_features.groupby("duplicate_group_x")["split"].nunique().max() == 1

    _, again, _ = run("hashes")
    assert (again["duplicate_group_x"] == again["duplicate_group_y"]).all()
    assert again["split"].equals(by_features["split"])  # what is in its part stays there
