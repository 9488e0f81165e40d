"""What a user may rely on about the search."""

from __future__ import annotations

import dataclasses
import json
import signal
import threading
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from kedro.framework.project import pipelines
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from small_project import ONE_STAGE, ROOT, Command, kedro_in

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.datasets import StudyDataset, TrialCache
from guitar_kedro.errors import UserError
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.learning import ModelSpec
from guitar_kedro.metrics import search_result, search_sentence
from guitar_kedro.metrics.search import flattery
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.pipelines.search.nodes import compare_on_fresh_folds, search_note, search_of, splits_fingerprint
from guitar_kedro.pipelines.search.options import Range, SearchOptions
from guitar_kedro.pipelines.search.schemas import TrialRow
from guitar_kedro.pipelines.search.space import GROUPS, alternatives, suggest, with_values
from guitar_kedro.pipelines.search.study import (
    Search,
    SeededSampler,
    prepare,
    run_trial,
    running_here,
    table_of,
    tickets,
)
from guitar_kedro.plots import search_figure
from guitar_kedro.versions import VERSIONS

PHASE = {"epochs": 1, "learning_rate": 1e-3}
STAGE = {"architecture": "squeezenet1_1", "image_size": 32, "batch_size": 16, "frozen": PHASE, "unfrozen": PHASE}
RECIPE = with_values(
    {
        "stages": {"small": {**STAGE, "weights": "none"}, "large": {**STAGE, "start_from": "small"}},
        "training": {"finder_iterations": 20},
    },
    {},
)
SPACE = {"training.label_smoothing": {"low": 0.0, "high": 0.2}, "stages.small.unfrozen.epochs": {"low": 1, "high": 4}}
OPTIONS = SearchOptions.model_validate({"trials": 4, "space": SPACE})
LESS = """
search:
  trials: 4
  fresh_folds: 2
  space:
    stages.small.unfrozen.learning_rate: {low: 1.0e-4, high: 1.0e-3, log: true}
    stages.small.image_size: [32, [32, 40]]
"""


def test_a_parameter_is_named_by_its_path_or_as_params_nests_it():
    nested = {
        "training": {"label_smoothing": {"low": 0.0, "high": 0.2}},
        "stages.small": {"image_size": [32, [64, 48]]},
    }
    space = SearchOptions.model_validate({"space": nested}).space
    assert space["training.label_smoothing"] == Range(low=0.0, high=0.2)
    assert space["stages.small.image_size"] == (32, [64, 48])


@pytest.mark.parametrize(
    ("dimension", "problem"),
    [
        ({"low": 2, "high": 1}, "low is 2 and must be below high"),
        ({"low": 0.0, "high": 1, "log": True}, "with log, low must be above 0"),
        ({"low": 0, "high": 1, "step": 2}, "more than lies between"),
        ({"low": 0, "high": 1, "steps": 2}, "did you mean step"),
        ([1], "give two values or more"),
        (0.1, "give two values or more"),
    ],
)
def test_bounds_that_make_no_sense_are_named(dimension: Any, problem: str):
    with pytest.raises(UserError, match=rf"training.mixup.*{problem}"):
        SearchOptions.model_validate({"space": {"training.mixup": dimension}})


@pytest.mark.parametrize(
    ("path", "values", "problem"),
    [
        ("training.label_smothing", [0, 0.1], "no such parameter. Did you mean training.label_smoothing"),
        ("calibration.tta_views", [0, 1], "paths begin with stages. or training."),
        ("training.label_smoothing", [0.1, 2.0], "cannot be 2.0.*it must be less than 1"),
        ("stages.small.unfrozen.epochs", {"low": -1, "high": 2}, "cannot be -1.*at least 0"),
    ],
)
def test_what_cannot_be_tried_is_named_before_anything_runs(path: str, values: Any, problem: str):
    space = SearchOptions.model_validate({"space": {path: values}}).space
    with pytest.raises(UserError, match=rf"search.space.{path}.*{problem}"):
        list(alternatives(space, RECIPE))


@pytest.mark.parametrize("env", [None, "photos", "modern", "guitars"])
def test_all_that_the_search_of_an_env_tries_can_be_trained_with(env: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(StagesConfigLoader, "current", None)
    loader = StagesConfigLoader(ROOT / "conf", env, base_env="base", default_run_env="local")
    parameters = loader["parameters"]
    pipelines.configure(None)
    options = SearchOptions.model_validate(parameters["search"])
    assert list(alternatives(options.space, {name: parameters[name] for name in GROUPS}))


def test_an_architecture_brings_its_weights_and_stages_that_go_on_with_it_get_it_as_well():
    changed = with_values(RECIPE, {"stages.small.architecture": "resnet18:none", "training.mixup": 0.1})
    assert [stage["architecture"] for stage in changed["stages"].values()] == ["resnet18", "resnet18"]
    assert [stage["weights"] for stage in changed["stages"].values()] == ["none", None]
    assert (changed["training"]["mixup"], RECIPE["training"]["mixup"]) == (0.1, 0.0)


def values_of(place: int, ended: int) -> dict[str, Any]:
    """What the next trial of a study tries, in which others were killed before it."""
    study = optuna.create_study(sampler=SeededSampler(1))
    for number in range(ended):
        study.add_trial(optuna.trial.create_trial(value=number / 10, user_attrs={}))
    for _ in range(place - ended):
        study.tell(study.ask(), state=TrialState.FAIL)
    return suggest(study.ask(), OPTIONS.space)


def test_what_a_trial_tries_depends_on_the_seed_and_its_place_and_not_on_those_that_were_killed():
    assert values_of(2, 2) == values_of(4, 2)
    assert values_of(2, 2) != values_of(3, 3)


def search_in(folder: Path) -> Search:
    """A search that has run no trial."""
    storage = StudyDataset(str(folder / "study.journal")).load()
    recipe = {**RECIPE, "seed": 1, "device": "cpu"}
    return Search(storage, "study", OPTIONS, recipe, {}, (), pd.DataFrame(), TrialCache(folder / "trials"))


def test_a_trial_whose_process_was_killed_is_marked_as_failed_and_tried_again(tmp_path: Path):
    study = prepare(search_in(tmp_path))
    first = study.ask()  # the recipe as it is
    study.tell(first, 0.5)
    killed = study.ask()
    killed.set_user_attr("who", search_in(tmp_path).who)
    tried = suggest(killed, OPTIONS.space)
    elsewhere = study.ask()
    elsewhere.set_user_attr("who", "another machine")
    again = prepare(search_in(tmp_path))
    assert [trial.state for trial in again.trials] == [
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.RUNNING,
        TrialState.WAITING,
    ]
    assert suggest(again.ask(), OPTIONS.space) == tried
    assert table_of(again, OPTIONS)["state"].tolist() == ["complete", "failed"]


def test_the_recipe_as_it_is_is_tried_until_it_has_ended_however_often_it_is_killed_or_fails(tmp_path: Path):
    search = search_in(tmp_path)
    for _ in range(4):
        killed = prepare(search).ask()
        assert killed.user_attrs["is_recipe"]
        killed.set_user_attr("who", search.who)
    study = prepare(search)
    for _ in range(OPTIONS.trials):  # others have ended meanwhile
        study.add_trial(optuna.trial.create_trial(value=0.1))
    assert len(list(islice(tickets(study, OPTIONS), 1))) == 1
    recipe = study.ask()
    assert not list(tickets(study, OPTIONS))
    study.tell(recipe, state=TrialState.FAIL)  # killed as the search looked after it
    assert prepare(search).ask().user_attrs["is_recipe"]


def test_a_trial_that_another_machine_has_given_up_ends_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    search = search_in(tmp_path)
    study = prepare(search)
    given_up = study.ask()
    study.tell(given_up.number, state=TrialState.FAIL)
    with pytest.raises(UpdateFinishedTrialError):
        given_up.set_user_attr("who", search.who)
    images = tmp_path / "images"
    images.mkdir()
    late = dataclasses.replace(search, data={"prepared_images": PreparedImages(images, pd.DataFrame())})
    monkeypatch.setattr(optuna.Study, "ask", lambda _: given_up)  # before that, in its search
    assert run_trial(late) is None


def test_a_trial_that_was_killed_as_it_began_is_marked_as_failed_and_one_that_begins_elsewhere_is_not(tmp_path: Path):
    study = prepare(search_in(tmp_path))
    study.ask()
    begins = study.ask()
    assert len(running_here(search_in(tmp_path), study)) == 2  # so that the search looks again
    claim = threading.Timer(0.5, lambda: begins.set_user_attr("who", "another machine"))
    claim.start()
    again = prepare(search_in(tmp_path))
    claim.join()
    assert [trial.state for trial in again.trials] == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    assert not running_here(search_in(tmp_path), again)


def test_a_trial_that_is_better_after_each_epoch_is_not_ended_for_the_first_epoch_of_its_second_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    of_trials = ([0.9], [0.5, 0.4, 0.3, 0.2], [0.45, 0.25, 0.05])  # the recipe, four epochs, three
    rates_of_folds = iter([rates for rates in of_trials for _ in range(2)])

    def train(*arguments: Any) -> tuple[Any, dict[str, float]]:
        report, rates = arguments[-1], next(rates_of_folds)
        for rate in rates:
            report({"error_rate": rate})
        return SimpleNamespace(spec=SimpleNamespace(sha256="1")), {"error_rate": rates[-1], "valid_loss": 1.0}

    monkeypatch.setattr("guitar_kedro.pipelines.search.study.train_recipe", train)
    fold, pictures = pd.DataFrame({"split": ["validation"]}), PreparedImages(tmp_path, pd.DataFrame())
    search = dataclasses.replace(search_in(tmp_path), parts=(fold, fold.copy()), data={"prepared_images": pictures})
    study = prepare(search)
    for _ in of_trials:
        run_trial(search)
    table = table_of(study, OPTIONS)
    assert table["state"].tolist() == ["complete"] * 3
    assert table["error_rate"].tolist() == [0.9, 0.2, 0.05]
    assert table["epochs"].tolist() == [2, 8, 6]


def test_trials_of_other_weights_folds_or_predictions_are_of_another_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    splits = pd.DataFrame({"image_id": [f"i{number}" for number in range(24)], "label": ["a", "b"] * 12})
    splits = splits.assign(split="train", duplicate_group=range(24))
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"1")
    recipe = with_values({**RECIPE, "seed": 1, "device": "cpu"}, {"stages.small.weights": str(weights)})
    with_file = {"stages.small.architecture": ["resnet18:none", f"resnet18:{weights}"]}
    tried = OPTIONS.model_copy(update={"space": SearchOptions.model_validate({"space": with_file}).space})

    def tries() -> str:
        plain = {**RECIPE, "seed": 1, "device": "cpu"}
        return search_of(None, splits, None, None, TrialCache(tmp_path), tried, plain).name

    def study(of: pd.DataFrame = splits, folds: int = 0) -> str:
        options = OPTIONS.model_copy(update={"folds": folds})
        return search_of(None, of, None, None, TrialCache(tmp_path), options, recipe).name

    grouped = splits.assign(duplicate_group=[number // 4 for number in range(24)])
    first = study()
    assert study(grouped) == first  # groups make folds alone
    assert len({first, study(folds=3), study(grouped, folds=3)}) == 3
    with monkeypatch.context() as newer:
        newer.setitem(VERSIONS, "predictions", VERSIONS["predictions"] + 1)
        assert study() != first
    before = tries()
    weights.write_bytes(b"2")
    assert study() != first
    assert tries() != before


def test_the_fresh_folds_of_the_largest_seed_are_dealt_by_one_that_there_is(monkeypatch: pytest.MonkeyPatch):
    splits = pd.DataFrame({"image_id": [f"i{number}" for number in range(24)], "label": ["a", "b"] * 12})
    splits = splits.assign(split=["train"] * 20 + ["validation"] * 4, duplicate_group=range(24))

    def predict(_title: str, _values: dict[str, Any], parts: list[pd.DataFrame], *_: Any) -> pd.DataFrame:
        judging = pd.concat([part[part["split"] == "validation"] for part in parts])
        return judging[["image_id", "label"]].assign(predicted=judging["label"])

    monkeypatch.setattr("guitar_kedro.pipelines.search.nodes._predict_folds", predict)
    largest = {**RECIPE, "seed": 2**32 - 1, "device": "cpu"}
    found = compare_on_fresh_folds(trials_table([0.2]), splits, None, None, None, 0, 2, **largest)
    assert (found.folds, found.fresh.errors) == (2, 0)


def test_no_trial_is_judged_by_pictures_that_were_accepted_for_being_hard(tmp_path: Path):
    splits = pd.DataFrame({"image_id": [f"i{number}" for number in range(24)], "label": ["a", "b"] * 12})
    splits = splits.assign(split="train", duplicate_group=range(24), accepted=[True] * 8 + [False] * 16)
    recipe, options = {**RECIPE, "seed": 1, "device": "cpu"}, OPTIONS.model_copy(update={"folds": 3})
    parts = search_of(None, splits, None, None, TrialCache(tmp_path), options, recipe).parts
    judging = pd.concat([part[part["split"] == "validation"] for part in parts])
    assert sorted(judging["image_id"]) == sorted(splits.loc[~splits["accepted"], "image_id"])
    assert all(len(part) == 24 for part in parts)
    many = pd.concat([splits, *(splits[:8].assign(image_id=f"more {number}") for number in range(9))]).assign(
        duplicate_group=range(96)
    )
    for seed in range(5):  # many accepted pictures leave no fold without others
        parts = search_of(None, many, None, None, TrialCache(tmp_path), options, {**recipe, "seed": seed}).parts
        assert {(part["split"] == "validation").sum() for part in parts} <= {5, 6}


def test_a_missing_optuna_is_told_with_what_brings_it():
    assert "pip install 'guitar-kedro[search]'" in str(user_error_behind(ImportError("No module named 'optuna'")))


def trials_table(errors: list[float]) -> pd.DataFrame:
    """Complete trials, of which the first is the recipe as it was."""
    rows = [
        {
            **dict.fromkeys(TrialRow.model_fields, ""),
            "trial": number,
            "is_recipe": number == 0,
            "state": "complete",
            "error_rate": error,
            "valid_loss": error,
            "sha256": f"weights {number}",
            "training.label_smoothing": json.dumps(number / 10) if number else "",
            "stages.small.image_size": json.dumps([32, 40] if number % 2 else 32) if number else "",
        }
        for number, error in enumerate(errors)
    ]
    return pd.DataFrame(rows)


def test_the_best_of_equally_good_networks_looks_as_much_better_as_in_a_simulation():
    drawn = np.random.default_rng(1).binomial(300, 0.1, (20_000, 12)).min(axis=1).mean() / 300
    assert flattery(0.1, 300, 12) == pytest.approx(0.1 - drawn, abs=2e-4)
    assert flattery(0.1, 300, 1) == pytest.approx(0, abs=1e-9)


def test_the_winner_is_told_with_what_it_is_worth_on_fresh_folds():
    labels = pd.DataFrame({"image_id": range(100), "label": "a"}).astype({"image_id": str})
    recipe, best = (labels.assign(predicted=["b"] * wrong + ["a"] * (100 - wrong)) for wrong in (20, 8))
    trials = trials_table([0.2, 0.1, 0.1])
    found = search_result(trials, 50, 4, {"recipe": recipe, "best": best}, "checksum")
    sentence = search_sentence(found)
    assert "Of 3 trials, the best is trial 1: wrong on 10.0 % of the 50 images that chose it" in sentence
    assert "percentage points" in sentence
    assert "On 4 fresh folds it is wrong on 8.0 % of 100 images" in sentence
    assert "the recipe as it was on 20.0 % of 100 images" in sentence
    assert "it is better, by more than chance (p < 0.001)" in sentence
    plain = search_sentence(search_result(trials, 50, 0, {}, "checksum"))
    assert plain.endswith("It was measured on no other images: the rate of the next ones will be higher.")
    assert search_figure(trials, ["training.label_smoothing", "stages.small.image_size"], {}, sentence).axes


def test_a_search_survives_kill_9_never_opens_the_test_part_and_its_best_trial_is_trained_again_bit_by_bit(
    used_project: Path, tmp_path: Path
):
    local, reports = used_project / "conf/local", used_project / "data/08_reporting/demo"
    (local / "parameters_training.yml").write_text(ONE_STAGE)
    (local / "parameters_search.yml").write_text(LESS)
    openings = (reports / "test_log.csv").read_bytes()
    killed = Command(used_project, "run", "--pipeline=search", output=tmp_path)
    killed.wait_for("Trial 0")
    killed.wait_for("epoch  train_loss")
    killed.kill()
    killed.wait(60)
    run = kedro_in(used_project, "run", "--pipeline=search", "--params=search.workers=2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Going on after" in run.stdout
    trials = pd.read_csv(reports / "latest/trials.csv")
    assert (trials["state"] != "failed").sum() in (4, 5)  # two may begin the last one at once
    again = kedro_in(used_project, "run", "--pipeline=search", "--params=search.workers=2")
    assert "search.run_trials: unchanged" in again.stdout, again.stdout + again.stderr
    found = json.loads((reports / "latest/search_result.json").read_text())
    assert not found["is_recipe"]
    best = reports / "latest/best_trial.yml"
    assert set(yaml.safe_load(best.read_text())["run"]["params"]) == {"stages", "training", "seed"}
    own = "--params=note=the best,stages.small.batch_size=16"  # beside those of the file
    run = kedro_in(used_project, "run", own, f"--config={best}", "--to-outputs=train.small.unfrozen_checkpoint")
    assert run.returncode == 0, run.stdout + run.stderr
    spec = ModelSpec.read(max(used_project.glob("data/06_models/demo/small/unfrozen_spec.json/*/*.json")))
    assert spec.sha256 == found["sha256"]
    assert (reports / "test_log.csv").read_bytes() == openings


def test_a_search_by_folds_in_a_database_goes_on_after_ctrl_c_until_its_minutes_are_used(
    used_project: Path, tmp_path: Path
):
    local, reports = used_project / "conf/local", used_project / "data/08_reporting/demo"
    (local / "parameters_training.yml").write_text(ONE_STAGE)
    (local / "parameters_search.yml").write_text(LESS)
    address = f"sqlite:///{tmp_path / 'study.db'}"
    search = f"--params=study={address},search.folds=2,search.fresh_folds=0"
    stopped = Command(used_project, "run", "--pipeline=search", f"{search},search.trials=50", output=tmp_path)
    stopped.wait_for("Trial 0")
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(60) == 1
    assert "the same command goes on after it" in stopped.said()
    (study,) = optuna.get_all_study_names(address)
    trials = optuna.load_study(study_name=study, storage=address).get_trials(states=(TrialState.COMPLETE,))
    seconds = sum(trial.duration.total_seconds() for trial in trials) + 0.1
    run = kedro_in(
        used_project, "run", "--pipeline=search", f"{search},search.trials=null,search.minutes={seconds / 60}"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Going on after {len(trials)} trial" in run.stdout
    table = pd.read_csv(reports / "latest/trials.csv").query("state != 'failed'")
    assert len(table) > len(trials)
    assert table["seconds"].iloc[:-1].sum() <= seconds + 0.01 * len(table) < table["seconds"].sum() + 0.1
    found = json.loads((reports / "latest/search_result.json").read_text())
    splits = pd.read_csv(used_project / "data/05_model_input/demo/splits.csv")
    assert found["images"] == (splits["split"] != "test").sum()


def test_the_card_of_the_winner_says_how_many_trials_chose_it():
    splits = pd.DataFrame({"image_id": ["1"], "label": ["a"], "split": ["validation"]})
    found = search_result(trials_table([0.2, 0.1]), 50, 0, {}, splits_fingerprint(splits))
    spec = ModelSpec(
        architecture="resnet18",
        classes=("a",),
        image_size=32,
        resize_method="squish",
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        sha256="weights 1",
    )
    assert search_note(found, splits, spec).startswith("A search chose the recipe of this model. Of 2 trials")
    other = spec.model_copy(update={"sha256": "others"})
    assert search_note(found, splits, other).startswith("A search has judged 2 trials by 50 images. This model is not")
    by_folds = found.model_copy(update={"sha256": ""})
    told = "A search has judged 2 trials by 50 images. Whatever was chosen by them looks better on these images than"
    assert search_note(by_folds, splits, spec).startswith(told)
    assert search_note(found, splits.assign(label="b"), spec) == ""
    assert search_note(None, splits, spec) == ""
