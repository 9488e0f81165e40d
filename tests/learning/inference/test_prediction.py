"""What a user may rely on about predictions, plain and with augmented views."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.images.sources import ImageStream, find_images
from guitar_kedro.learning import (
    Checkpoint,
    Predictions,
    predict,
    predict_in_chunks,
    with_labels,
)
from guitar_kedro.pipelines.evaluation.nodes import predict_ood
from guitar_kedro.versions import VERSIONS


def with_views(checkpoint: Checkpoint, **augmentation: float) -> Checkpoint:
    options = {
        "max_rotate": 20,
        "min_zoom": 1,
        "max_zoom": 1.2,
        "max_lighting": 0.2,
        "max_warp": 0,
        "p_affine": 1,
        "p_lighting": 1,
    }
    spec = {"tta_views": 2, "augmentation": options | augmentation}
    return Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update=spec))


def at_temperature(checkpoint: Checkpoint, temperature: float) -> Checkpoint:
    return Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update={"temperature": temperature}))


def probabilities(checkpoint: Checkpoint, table: pd.DataFrame) -> np.ndarray:
    return predict(checkpoint, table, "Predicting").filter(like="probability_").to_numpy()


def test_pictures_without_labels_are_predicted_without_losses(checkpoint: Checkpoint, shapes: pd.DataFrame):
    predictions = predict(checkpoint, shapes[["image_id", "path"]].head(3), "Predicting")
    assert list(predictions.columns) == ["image_id", "predicted", "energy", "probability_disc", "probability_square"]


def test_a_temperature_changes_how_sure_the_answers_are_and_not_what_they_are(
    checkpoint: Checkpoint, shapes: pd.DataFrame
):
    plain, warm = (predict(at_temperature(checkpoint, t), shapes.head(6), "Predicting") for t in (1, 3))
    assert warm["predicted"].tolist() == plain["predicted"].tolist()
    assert (warm["energy"] == plain["energy"]).all()
    highest = [table.filter(like="probability_").max(axis=1) for table in (plain, warm)]
    assert (highest[1] < highest[0]).all()


def test_augmented_views_are_the_same_for_the_same_seed_and_differ_from_the_plain_view(
    checkpoint: Checkpoint, shapes: pd.DataFrame
):
    table = shapes.head(6)
    views = probabilities(with_views(checkpoint), table)
    assert np.array_equal(views, probabilities(with_views(checkpoint), table))
    assert np.abs(views - probabilities(checkpoint, table)).max() > 1e-6
    assert np.allclose(views.sum(axis=1), 1)


def test_views_that_change_nothing_give_the_plain_probabilities(checkpoint: Checkpoint, shapes: pd.DataFrame):
    table = shapes.head(6)
    still = with_views(checkpoint, p_affine=0, p_lighting=0, max_zoom=1)
    assert np.allclose(probabilities(still, table), probabilities(checkpoint, table), atol=1e-5)


def test_what_cannot_be_read_is_left_out_and_told_and_the_others_are_answered_as_ever(
    checkpoint: Checkpoint, shapes: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for number, path in enumerate(shapes["path"].head(5)):
        shutil.copy(path, tmp_path / f"{number}.jpg")
    (tmp_path / "0_notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "3.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:200])
    (tmp_path / "link.jpg").symlink_to("/nowhere.jpg")
    files = find_images(str(tmp_path), tmp_path)
    table = predict_ood(checkpoint, files, "cpu")
    readable = [file for file in files if file.file in ("0.jpg", "1.jpg", "2.jpg", "4.jpg")]
    as_ever = predict(checkpoint, pd.DataFrame({"file": table["file"], "path": readable}), "Predicting")
    pd.testing.assert_frame_equal(table, as_ever, check_exact=True)
    assert "3 of 7 other pictures could not be read, for example 0_notes.txt: " in caplog.text


def test_other_pictures_of_which_none_can_be_read_are_none(checkpoint: Checkpoint, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    for files in (find_images(str(tmp_path), tmp_path), []):
        table = predict_ood(checkpoint, files, "cpu")
        assert table.empty
        assert list(table.columns[:3]) == ["file", "predicted", "energy"]


def test_labels_that_come_later_give_the_same_table(checkpoint: Checkpoint, shapes: pd.DataFrame):
    table = shapes[["image_id", "label", "path"]].head(6)
    labelled = predict(checkpoint, table, "Predicting")
    unlabelled = predict(checkpoint, table.drop(columns="label"), "Predicting")
    later = with_labels(unlabelled, table.set_index("image_id")["label"])
    pd.testing.assert_frame_equal(later, labelled)


def test_a_probability_too_small_to_be_a_number_has_a_finite_loss(checkpoint: Checkpoint, shapes: pd.DataFrame):
    sharp = predict(at_temperature(checkpoint, 1e-6), shapes.head(8), "Predicting")
    assert (sharp.filter(like="probability_") == 0).any(axis=None)
    assert np.isfinite(sharp["loss"]).all()
    assert sharp["loss"].max() > 100


@pytest.mark.parametrize("answers", [([[np.nan, 0.5]], [1.0]), ([[0.5, 0.5]], [-np.inf])])
def test_what_is_no_number_is_no_answer(answers: tuple[list, list]):
    with pytest.raises(UserError, match="infinite or no numbers"):
        Predictions(*map(np.array, answers))


def test_chunks_are_predicted_again_by_another_model_and_in_a_newer_way_alone(
    checkpoint: Checkpoint, shapes: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    files = ImageStream(Path(shapes["path"].iloc[0]).parent)

    def keys(model: Checkpoint) -> list[str]:
        return [chunk.key for chunk in predict_in_chunks(model, files)]

    before = keys(checkpoint)
    assert keys(checkpoint) == before
    assert keys(at_temperature(checkpoint, 2)) != before
    monkeypatch.setitem(VERSIONS, "predictions", VERSIONS["predictions"] + 1)
    assert keys(checkpoint) != before
