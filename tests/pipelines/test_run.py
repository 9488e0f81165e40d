"""What `kedro run` leaves behind, on a small project in which it has ended."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from PIL import Image
from small_project import kedro_in

from guitar_kedro import metrics
from guitar_kedro.demo import MODELS, OTHERS
from guitar_kedro.learning import ModelSpec
from guitar_kedro.pipelines.reporting.nodes import CARD_FIGURES, report_calibration


@pytest.fixture(scope="module")
def catalog(finished_project: Path) -> DataCatalog:
    bootstrap_project(finished_project)
    with KedroSession.create(finished_project) as session:
        return session.load_context().catalog


def test_every_drawn_image_is_in_the_dataset_with_its_class(catalog: DataCatalog):
    table = catalog.load("image_table")
    assert set(table["label"]) == set(MODELS)
    assert len(table) == 8 * len(MODELS)
    assert table["image_id"].is_unique
    assert (table[["width", "height"]].max(axis=1) == 64).all()
    assert catalog.load("rejected_images").empty


def test_every_image_is_in_one_part_and_every_class_in_each(catalog: DataCatalog):
    splits = catalog.load("splits")
    assert set(splits["image_id"]) == set(catalog.load("image_table")["image_id"])
    assert splits.groupby("label")["split"].nunique().eq(3).all()


def test_each_stage_leaves_a_checkpoint_of_each_phase_that_it_trained(finished_project: Path):
    models = finished_project / "data" / "06_models" / "demo"
    trained = {(path.parts[-5], path.parts[-4]) for path in models.glob("*/*/*/*/spec.json")}
    assert trained == {("small", "frozen"), ("small", "unfrozen"), ("larger", "unfrozen")}


def test_the_model_is_the_checkpoint_of_the_last_stage_with_a_temperature_and_thresholds(catalog: DataCatalog):
    model, last = catalog.load("model"), catalog.load("train.larger.unfrozen_checkpoint")
    assert model.spec.sha256 == last.spec.sha256
    assert last.spec.temperature == 1
    assert model.spec.temperature != 1
    validation = _of_last_stage(catalog, "validation")
    assert (validation["energy"] <= model.spec.ood_threshold).mean() >= 0.95
    assert model.spec.model_copy(update=_uncalibrated(last.spec)) == last.spec
    assert model.spec.image_size == 48
    assert model.spec.classes == tuple(sorted(MODELS))
    assert model.spec.provenance["started_from"] == "small, unfrozen"


def _of_last_stage(catalog: DataCatalog, part: str) -> pd.DataFrame:
    predictions = catalog.load("predictions")
    return predictions[(predictions["stage"] == "larger") & (predictions["split"] == part)]


def _uncalibrated(spec: ModelSpec) -> dict[str, object]:
    names = ("temperature", "confidence_threshold", "ood_threshold", "display_names")
    return {name: getattr(spec, name) for name in names}


def test_the_history_has_a_row_for_each_epoch(catalog: DataCatalog):
    history = catalog.load("train.small.unfrozen_history")
    assert list(history["epoch"]) == [0, 1]
    assert (history[["train_loss", "valid_loss", "seconds"]] > 0).all(axis=None)
    assert history["error_rate"].between(0, 1).all()


def test_the_learning_rate_finder_leaves_its_curve_and_suggestion(catalog: DataCatalog):
    curve = catalog.load("train.small.frozen_learning_rate_curve")
    rate = catalog.load("train.small.frozen_learning_rate")
    assert curve["learning_rate"].is_monotonic_increasing
    assert len(curve) > 10
    assert 1e-7 <= rate["suggested"] <= 10
    # this phase asks for the suggested rate, and the next one for its own
    assert _rates_of(catalog, "train.small.frozen_checkpoint") == [rate["suggested"]]
    assert _rates_of(catalog, "train.small.unfrozen_checkpoint") == [1e-4, 1e-3]


def _rates_of(catalog: DataCatalog, checkpoint: str) -> list[float]:
    return catalog.load(checkpoint).spec.provenance["learning_rates"]


def test_predictions_have_a_row_for_each_image_with_probabilities_that_sum_to_one(catalog: DataCatalog):
    predictions, splits = catalog.load("predictions"), catalog.load("splits")
    validation, test = (splits[splits["split"] == part]["image_id"] for part in ("validation", "test"))
    assert len(predictions) == 2 * len(validation) + len(test)  # two stages on validation, the last one on test
    assert set(predictions.loc[predictions["split"] == "test", "stage"]) == {"larger"}
    probabilities = predictions.filter(like="probability_")
    assert list(probabilities.columns) == [f"probability_{name}" for name in sorted(MODELS)]
    assert probabilities.sum(axis=1).sub(1).abs().max() < 1e-5


def test_the_metrics_are_those_of_the_predictions(catalog: DataCatalog):
    predictions, metrics = catalog.load("predictions"), catalog.load("metrics")
    test = predictions[predictions["split"] == "test"]
    found = metrics.test["larger"]
    assert found.images == len(test)
    assert found.accuracy == pytest.approx((test["label"] == test["predicted"]).mean())
    assert found.accuracy_low < found.accuracy < found.accuracy_high or found.accuracy in (0, 1)
    assert set(metrics.validation) == {"small", "larger"}


def test_the_error_in_the_comparison_is_the_one_that_evaluation_measures(catalog: DataCatalog):
    comparison, metrics = catalog.load("stage_comparison"), catalog.load("metrics")
    assert list(zip(comparison["stage"], comparison["phase"], strict=True)) == [
        ("small", "frozen"),
        ("small", "unfrozen"),
        ("larger", "unfrozen"),
    ]
    after = comparison.drop_duplicates("stage", keep="last").set_index("stage")["error_rate"]
    for stage, error_rate in after.items():
        assert error_rate == pytest.approx(metrics.validation[stage].error_rate, abs=1e-6)


def test_the_temperature_is_the_one_that_is_fitted_to_validation(catalog: DataCatalog):
    validation = _of_last_stage(catalog, "validation")
    numbers = catalog.load("calibration")
    assert numbers.temperature == catalog.load("model").spec.temperature
    probabilities = validation.filter(like="probability_").to_numpy()
    targets = [sorted(MODELS).index(label) for label in validation["label"]]
    uncalibrated = metrics.tempered(probabilities, 1 / numbers.temperature)
    assert metrics.fit_temperature(uncalibrated, np.array(targets)) == pytest.approx(numbers.temperature, rel=1e-3)


def test_what_is_taken_for_none_of_the_classes_does_not_count_as_sure(catalog: DataCatalog):
    model, validation = catalog.load("model"), _of_last_stage(catalog, "validation")
    median = validation["energy"].median()
    spec = model.spec.model_copy(update={"confidence_threshold": 0.0, "ood_threshold": median})
    numbers, *_ = report_calibration(
        catalog.load("predictions"),
        catalog.load("ood_predictions"),
        spec,
        catalog.load("params:calibration.selective_accuracy"),
        catalog.load("params:calibration.in_distribution_recall"),
    )
    sure = validation[validation["energy"] <= median]
    assert numbers.sure.validation.coverage == len(sure) / len(validation)
    assert numbers.sure.validation.accuracy == (sure["label"] == sure["predicted"]).mean()


def test_a_model_without_thresholds_is_reported_as_one_that_refuses_nothing(catalog: DataCatalog):
    model = catalog.load("model")
    spec = model.spec.model_copy(update={"confidence_threshold": None, "ood_threshold": None})
    predictions, others = catalog.load("predictions"), catalog.load("ood_predictions")
    numbers, *_ = report_calibration(predictions, others, spec, 0.99, 0.95)
    assert numbers.sure.test.images == 0
    assert numbers.sure.test.accuracy is None
    assert numbers.unknown.test.share == 1
    assert numbers.unknown.refused == 0


def test_other_pictures_have_energies_of_their_own(catalog: DataCatalog):
    others, numbers = catalog.load("ood_predictions"), catalog.load("calibration").unknown
    assert len(others) == numbers.ood_images == 2 * len(OTHERS)
    known = _of_last_stage(catalog, "test")["energy"]
    assert numbers.test.share == (known <= catalog.load("model").spec.ood_threshold).mean()
    assert numbers.auroc == pytest.approx(metrics.auroc(known.to_numpy(), others["energy"].to_numpy()))


def test_each_opening_of_the_test_part_is_noted(catalog: DataCatalog):
    log, test = catalog.load("test_log"), catalog.load("metrics").test["larger"]
    assert len(log) == 1
    assert log["model_version"].iloc[0] == catalog.load("model").spec.checksum[:12]
    assert (log["images"].iloc[0], log["errors"].iloc[0]) == (test.images, test.errors)


def test_the_steps_between_stages_add_up(catalog: DataCatalog):
    step = catalog.load("stage_steps").iloc[0]
    metrics = catalog.load("metrics").validation
    assert (step["stage_before"], step["stage"]) == ("small", "larger")
    assert (step["errors_before"], step["errors"]) == (metrics["small"].errors, metrics["larger"].errors)
    assert step["errors_before"] - step["fixed"] + step["broken"] == step["errors"]


def test_the_model_card_says_what_the_metrics_say_and_needs_nothing_else(catalog: DataCatalog):
    page, text = catalog.load("model_card"), catalog.load("model_card_markdown")
    test = catalog.load("metrics").test["larger"]
    right = f"{test.images - test.errors} of {test.images} test images"
    assert right in page
    assert right in text
    assert "data:image" in page
    assert "://" not in page


def test_the_proposal_for_curation_can_be_used_as_it_is(catalog: DataCatalog):
    proposal = catalog.load("curation_proposal")
    assert list(proposal.columns) == ["file", "action", "label"]
    assert set(proposal["file"]) <= set(catalog.load("image_table")["file"])


def test_every_figure_is_a_picture(finished_project: Path):
    figures = list((finished_project / "data" / "08_reporting" / "demo").rglob("*.png"))
    figures = [path for path in figures if path.is_file()]
    names = {path.name for path in figures}
    assert {"class_contact_sheet.png", "frozen_batch.png", "stage_comparison_plot.png"} <= names
    assert {f"{name}.png" for name in CARD_FIGURES} <= names
    for path in figures:
        with Image.open(path) as picture:
            picture.verify()


def test_the_learner_predicts_as_the_evaluation_did(catalog: DataCatalog):
    learner, predictions = catalog.load("learner"), catalog.load("predictions")
    row = predictions[predictions["split"] == "test"].iloc[0]
    label, _, probabilities = learner.predict(catalog.load("prepared_images").path(row["image_id"]))
    assert label == row["predicted"]
    expected = row.filter(like="probability_").to_numpy(dtype=float)
    assert abs(probabilities.numpy() - expected).max() < 1e-5


def test_the_console_shows_the_epochs_and_the_result(finished_project: Path):
    console = (finished_project / "console.txt").read_text()
    assert "epoch  train_loss  valid_loss  error_rate" in console
    assert "Accuracy on test" in console
    assert "confusion_matrix.png" in console
    assert "Warning" not in console
    assert "Traceback" not in console


def test_the_log_file_gets_plain_lines(finished_project: Path):
    log = (finished_project / "logs" / "guitar_kedro.log").read_text()
    assert "small, frozen: 1 epoch of" in log
    assert "\x1b" not in log


def test_no_json_holds_what_other_programs_refuse(finished_project: Path):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    files = [path for path in (finished_project / "data").rglob("*.json") if path.is_file()]
    names = {path.name for path in files}
    assert {"metrics.json", "calibration.json", "run_record.json", "spec.json", "confusion_explorer.json"} <= names
    for path in files:
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_metrics_and_specs_are_plain_json(finished_project: Path):
    metrics = next((finished_project / "data/08_reporting/demo/metrics.json").glob("*/metrics.json"))
    assert set(json.loads(metrics.read_text())) == {"validation", "test"}
    spec = next((finished_project / "data/06_models/demo/model").glob("*/model/spec.json"))
    assert json.loads(spec.read_text())["architecture"] == "squeezenet1_1"


def test_nothing_loads_pickles(finished_project: Path):
    assert not [path for path in (finished_project / "data").rglob("*") if path.suffix in {".pkl", ".pickle", ".pth"}]


def test_tables_open_as_csv(finished_project: Path):
    table = next((finished_project / "data/07_model_output/demo/predictions.csv").glob("*/predictions.csv"))
    assert "image_id" in pd.read_csv(table).columns


def test_augmented_views_and_precision_are_parameters_that_need_no_training(finished_project: Path, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(finished_project, project)
    changed = "--params=calibration.tta_views=2,calibration.precision=bfloat16"
    run = kedro_in(project, "run", "--from-nodes=calibrate.predict_validation", changed)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "epoch  train_loss" not in run.stdout
    specs = sorted((project / "data/06_models/demo/model").glob("*/model/spec.json"))
    answers = [(spec["tta_views"], spec["precision"]) for spec in map(json.loads, map(Path.read_text, specs))]
    assert answers == [(0, "float32"), (2, "bfloat16")]
    reports = project / "data/08_reporting/demo"
    numbers = json.loads(sorted(reports.glob("tta_gain.json/*/*.json"))[-1].read_text())
    metrics = json.loads(sorted(reports.glob("metrics.json/*/*.json"))[-1].read_text())
    assert numbers["errors"] == metrics["validation"]["larger"]["errors"]
    assert numbers["errors"] == numbers["errors_plain"] - numbers["fixed"] + numbers["broken"]
    assert numbers["times_slower"] > 0
    assert pd.read_csv(reports / "test_log.csv")["model_version"].nunique() == 2
    card = sorted(reports.glob("model_card.md/*/*.md"))[-1].read_text()
    assert "2 augmented views" in card
    assert "The test part was opened twice, with 2 versions of the model" in card
    earlier, _ = sorted(path.name for path in (project / "data/06_models/demo/model").iterdir())
    run = kedro_in(project, "run", "--nodes=report.report_calibration", f"--load-versions=model:{earlier}")
    assert run.returncode == 0, run.stdout + run.stderr
    record = json.loads(sorted(reports.glob("run_record.json/*/*.json"))[-1].read_text())
    assert record["loaded"]["model_spec"] == earlier, "what was made together is loaded together"


def test_reports_open_no_weights(finished_project: Path, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(finished_project, project)
    for weights in (project / "data/06_models").rglob("*.safetensors"):
        weights.write_bytes(b"no weights")
    run = kedro_in(project, "run", "--pipeline=reporting", "--params=resume=false")
    assert run.returncode == 0, run.stdout + run.stderr


def test_of_removed_features_a_report_says_how_to_make_them_again(used_project: Path):
    shutil.rmtree(used_project / "data/05_model_input/demo/features")
    draw = ("run", "--pipeline=reporting", "--nodes=report.draw_embedding_map")
    refused = kedro_in(used_project, *draw, COLUMNS="400")
    command = re.search(r"model_features, which was removed: make it again with `kedro (.+)`, and", refused.stderr)
    assert command, refused.stdout + refused.stderr
    for arguments in (command[1].split(), draw):
        run = kedro_in(used_project, *arguments)
        assert run.returncode == 0, run.stdout + run.stderr


def test_a_cache_that_no_usual_run_makes_is_told_with_its_place(finished_project: Path, tmp_path: Path):
    project = shutil.copytree(finished_project, tmp_path / "project")
    nodes = "--nodes=cross_validation.train_random_split"
    run = kedro_in(project, "run", "--pipeline=cross_validation", nodes, COLUMNS="400")
    assert run.returncode == 1
    assert "cross_validation_pixels is not there yet" in run.stderr


def test_the_proposal_becomes_the_curation_and_the_next_report_says_what_it_changed(
    finished_project: Path, tmp_path: Path
):
    project = tmp_path / "project"
    shutil.copytree(finished_project, project)
    reports = project / "data/08_reporting/demo"
    proposal = next(reports.glob("curation_proposal.csv/*/*.csv"))
    splits = pd.read_csv(project / "data/05_model_input/demo/splits.csv")
    lines = ["file,action,label", *proposal.read_text().splitlines()[1:4]]
    assert len(lines) > 1
    (project / "data/01_raw/demo").mkdir()
    (project / "data/01_raw/demo/curation.csv").write_text("\n".join(lines) + "\n")
    run = kedro_in(project, "run")
    assert run.returncode == 0, run.stdout + run.stderr
    after = pd.read_csv(project / "data/05_model_input/demo/splits.csv")
    shared = splits.merge(after, on="image_id")
    mended = shared[shared["label_x"] != shared["label_y"]]
    assert len(mended) == len(lines) - 1
    assert (shared["split_x"] == shared["split_y"]).all()
    effect = json.loads(sorted(reports.glob("curation_effect.json/*/*.json"))[-1].read_text())
    assert effect["decisions"] == {"relabel": len(lines) - 1}
    assert effect["both"]["images"] > 0
    assert "Since the model before: " in sorted(reports.glob("model_card.md/*/*.md"))[-1].read_text()
