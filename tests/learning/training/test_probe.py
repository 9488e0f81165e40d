"""What a user may rely on of the probe of a stage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from guitar_kedro.datasets import FeaturesDataset
from guitar_kedro.learning import (
    Checkpoint,
    Features,
    Phase,
    ProbeOptions,
    StageOptions,
    build_start,
    compute_features,
    fit_probe,
    grad_cam_maps,
    make_bundle,
    predict,
    train_phase,
)
from guitar_kedro.pipelines import cross_validation
from guitar_kedro.pipelines.cross_validation.nodes import _train
from guitar_kedro.pipelines.training import plan_stages

NETWORKS = ["squeezenet1_1", "test_efficientnet", "test_vit"]


def features_of(phase: Phase, folder: Path, table: pd.DataFrame | None = None) -> Features:
    dataset = FeaturesDataset(str(folder))
    pictures = phase.table if table is None else table
    dataset.save(compute_features(build_start(phase), phase.spec(), pictures, "features", "float32", "cpu"))
    return dataset.load()


@pytest.fixture(params=NETWORKS)
def probe(phase: Phase, request: pytest.FixtureRequest) -> Phase:
    size = 160 if request.param == "test_vit" else 32
    stage = StageOptions(**{**phase.stage.model_dump(), "architecture": request.param, "image_size": size})
    return dataclasses.replace(phase, name="probe", stage=stage, pixels=None, epochs=1)


def test_the_checkpoint_of_a_probe_predicts_what_its_history_says(probe: Phase, tmp_path: Path):
    checkpoint, history = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions())
    checkpoint.save(tmp_path / "checkpoint")
    checkpoint = Checkpoint.load(tmp_path / "checkpoint")
    validation = probe.table[probe.table["split"] == "validation"]
    predictions = predict(checkpoint, validation, "probe", "cpu")
    assert len(history) == 1
    assert history["error_rate"][0] == (predictions["predicted"] != predictions["label"]).mean()
    assert history["valid_loss"][0] == pytest.approx(predictions["loss"].mean(), rel=1e-3)
    assert checkpoint.spec.head == "linear"
    assert checkpoint.spec.provenance["phase"] == "probe"


def test_a_probe_learns_and_leaves_the_body_as_it_was(probe: Phase, tmp_path: Path):
    checkpoint, history = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions(C=[1.0]))
    body = build_start(probe).state_dict()
    assert all(torch.equal(checkpoint.weights[f"0.{name}"], value) for name, value in body.items())
    assert history["train_loss"][0] < 0.3
    assert checkpoint.spec.provenance["C"] == 1


def test_training_goes_on_from_the_head_of_the_probe(phase: Phase, tmp_path: Path):
    probe = dataclasses.replace(phase, name="probe", pixels=None, epochs=1)
    start, _ = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions())
    after, _ = train_phase(dataclasses.replace(phase, name="frozen", start=start, epochs=1), (1e-9,))
    assert after.spec.head == "linear"
    assert torch.allclose(after.weights["1.3.weight"], start.weights["1.3.weight"], atol=1e-6)
    assert after.spec.provenance["started_from"] == "small, probe"


def test_three_classes_and_two_are_fitted_alike(phase: Phase, tmp_path: Path):
    table = phase.table.assign(label=[f"class {number % 3}" for number in range(len(phase.table))])
    probe = dataclasses.replace(phase, name="probe", table=table, pixels=None, epochs=1)
    checkpoint, _ = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions())
    assert checkpoint.weights["1.3.weight"].shape == (3, 1024)


def test_new_photos_alone_are_computed(phase: Phase, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    first = features_of(phase, tmp_path, phase.table[:40])
    caplog.set_level("INFO")
    both = features_of(phase, tmp_path)
    assert "Features of 40 pictures are there already, of 8 not" in caplog.text
    assert both.image_ids == tuple(phase.table["image_id"])
    assert np.array_equal(both.values[:40], first.values)


def test_features_of_other_weights_sizes_and_preprocessing_are_others(phase: Phase, tmp_path: Path):
    def key(phase: Phase) -> str:
        return compute_features(build_start(phase), phase.spec(), phase.table, "features", "float32").key

    larger = StageOptions(**{**phase.stage.model_dump(), "image_size": 48})
    cropped = phase.training.model_copy(update={"resize_method": "crop"})
    others = [{"seed": 7}, {"stage": larger}, {"training": cropped}]
    assert len({key(phase), *(key(dataclasses.replace(phase, **other)) for other in others)}) == 4


def test_a_run_that_was_killed_goes_on_after_the_features_that_it_kept(phase: Phase, tmp_path: Path):
    class Killed(Exception): ...

    stream = compute_features(build_start(phase), phase.spec(), phase.table, "features", "float32")
    kept: list[str] = []

    def until_killed(image_ids):
        yield from stream.compute(image_ids[:16])
        raise Killed

    def remembered(image_ids):
        kept.extend(image_ids)
        return stream.compute(image_ids)

    dataset = FeaturesDataset(str(tmp_path))
    with pytest.raises(Killed):
        dataset.save.__wrapped__(dataset, dataclasses.replace(stream, compute=until_killed))
    assert dataset.fingerprint() is None
    dataset.save(dataclasses.replace(stream, compute=remembered))
    assert len(kept) == 32
    assert dataset.load().image_ids == stream.image_ids
    next(tmp_path.glob("*.npz")).write_bytes(b"cut off")
    assert dataset.fingerprint() is None


def test_grad_cam_looks_into_a_network_with_a_linear_head(probe: Phase, tmp_path: Path):
    checkpoint, _ = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions())
    maps = grad_cam_maps(checkpoint, probe.table[:2], [["disc"], ["disc", "square"]], "maps", "cpu")
    assert all(np.isfinite(each).all() for each in maps)


def test_a_network_with_a_linear_head_is_exported_with_the_answers_that_it_gives(phase: Phase, tmp_path: Path):
    probe = dataclasses.replace(phase, name="probe", pixels=None, epochs=1)
    checkpoint, _ = fit_probe(probe, features_of(probe, tmp_path / "features"), ProbeOptions())
    assert make_bundle(checkpoint, probe.table["path"][:8].tolist(), "cpu")  # raises where they differ


def test_a_cross_validation_fits_the_probe_anew_for_each_fold(phase: Phase, tmp_path: Path):
    once = {"epochs": 1, "learning_rate": 1e-3}
    stages = {"a": {"image_size": 32, "weights": "none", "probe": {}, "frozen": once, "unfrozen": once}}
    assert "train.a.features" in cross_validation.create_pipeline(plan_stages(stages)[0]).inputs()
    options = {"features": features_of(phase, tmp_path), "probe": {"C": [0.1]}, "frozen": once}
    recipe = {**phase.stage.model_dump(), **phase.training.model_dump(), "seed": 1, "device": "cpu", **options}
    checkpoint = _train("fold 1", ("probe", "frozen"), phase.start, phase.table, phase.pixels, recipe)
    assert checkpoint.spec.head == "linear"
    assert checkpoint.spec.provenance["started_from"] == "fold 1, probe"
