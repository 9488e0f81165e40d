"""What was tried in a workspace, side by side.

An *experiment* is a model with what is known of how it came to be. Two of them are compared on the images that both
held out: those of both validation parts. An image is *fixed* where the later model is right and the other was wrong,
and *broken* the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel

from guitar_kedro.errors import UserError, listed
from guitar_kedro.metrics.calibration import expected_calibration_error
from guitar_kedro.metrics.differences import OF_THE_WAY, differing, flattened, value_changes
from guitar_kedro.metrics.errors import Errors, compare_answers, count_errors, is_right, share_of
from guitar_kedro.metrics.openings import last_opening

PARAMETER = "params:"  # begins the name of the column of a parameter
UNKNOWN_SPLIT = 0
_NAN = float("nan")
_NOT_THERE = "not installed"
_LIBRARIES = 5  # that are named, of those that differ
_SHORT = {"epochs", "images"}  # for the epochs of a phase, and for pictures that have a checksum


@dataclass(frozen=True)
class Experiment:
    """A model, and what is known of how it came to be.

    Attributes:
        version: Of the model, which is that of the run that made it.
        note: What a person called it; may be empty.
        record: ``run_record`` of that run; empty where it is not there.
        predictions: ``image_id``, ``file``, ``label``, ``predicted`` and ``probability`` (of the prediction) of each
            image of the validation part; without rows where they are not there.
        history: ``stage``, ``phase`` and what ``EpochRow`` says of each epoch, in the order of training.
        test: Errors on the test part; ``None`` where it was not opened for this model.
        megabytes: Of the weights; NaN where they are not there.
    """

    version: str
    note: str
    record: Mapping[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame
    test: Errors | None
    megabytes: float

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.note or self.version

    @property
    def parameters(self) -> dict[str, Any]:
        """Those parameters of its run that may have an effect on the model."""
        given = self.record.get("parameters", {})
        return {name: value for name, value in given.items() if name not in OF_THE_WAY | _SHORT}

    @property
    def split(self) -> str | None:
        """Checksum of the split; ``None`` where it is not known."""
        return self.record.get("data", {}).get("splits")

    @property
    def seconds(self) -> float:
        """How long it was trained, with the stages that it goes on from; NaN where that is not known."""
        return float(self.history["seconds"].sum()) if len(self.history) else _NAN

    @property
    def calibration_error(self) -> float:
        """Expected calibration error on the validation part, 0 to 1; NaN without predictions."""
        if self.predictions.empty:
            return _NAN
        return expected_calibration_error(
            self.predictions["probability"].to_numpy(), is_right(self.predictions).to_numpy()
        )


class ExperimentRow(BaseModel, extra="allow"):
    """An experiment; further columns are ``params:<path>``, one for each parameter that differs.

    Attributes:
        version: Of the model.
        note: What a person called it.
        split: Number of its split, the oldest one is 1; 0 where it is not known.
        images: Of the validation part.
        errors: Of them, those that are predicted wrong.
        error_rate: Their share.
        error_low: Lower end of its Wilson 95 % interval.
        error_high: Upper end.
        test_images: Of the test part, where it was opened; else 0.
        test_errors: Of them, those that are predicted wrong.
        test_error_rate: Their share.
        calibration_error: Expected calibration error on the validation part, 0 to 1.
        seconds: Of training.
        megabytes: Of the weights.
        compared_with: Version of the model that the rest compares it with; empty where there is none.
        same_split: Whether both are of one split.
        images_of_both: Images that both held out.
        fixed: Of them, those that became right.
        broken: Of them, those that became wrong.
        p_value: Of the exact McNemar test.
    """

    __pydantic_extra__: dict[str, str]
    version: str
    note: str
    split: int
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float
    test_images: int
    test_errors: int
    test_error_rate: float
    calibration_error: float
    seconds: float
    megabytes: float
    compared_with: str
    same_split: bool
    images_of_both: int
    fixed: int
    broken: int
    p_value: float


def compare_experiments(experiments: Sequence[Experiment], against: Experiment | None = None) -> pd.DataFrame:
    """Put experiments into a table.

    Args:
        experiments: The newest first.
        against: What each is compared with; ``None`` stands for the newest earlier one of each.

    Returns:
        A row per experiment, as ``ExperimentRow`` describes it, in the same order.
    """
    splits, parameters = split_numbers(experiments), differing_parameters(experiments)
    rows = []
    for number, (experiment, earlier) in enumerate(zip(experiments, [*experiments[1:], None], strict=True)):
        other = against or earlier
        row = {
            "version": experiment.version,
            "note": experiment.note,
            "split": splits.get(experiment.split, UNKNOWN_SPLIT),
            **count_errors(experiment.predictions).model_dump(),
            **_of_test(experiment.test),
            "calibration_error": experiment.calibration_error,
            "seconds": experiment.seconds,
            "megabytes": experiment.megabytes,
            **_compared(other if other is not experiment else None, experiment),
        }
        rows.append(row | {f"{PARAMETER}{path}": values[number] for path, values in parameters.items()})
    columns = [*ExperimentRow.model_fields, *(f"{PARAMETER}{path}" for path in parameters)]
    floats = [name for name, field in ExperimentRow.model_fields.items() if field.annotation is float]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(floats, float))


def find_experiment(experiments: Sequence[Experiment], wanted: str) -> Experiment:
    """Find an experiment by its version, the beginning of that, or its note.

    Args:
        experiments: Among these.
        wanted: What it is called.

    Raises:
        UserError: If there is none, or more than one.
    """
    exact = [each for each in experiments if wanted in (each.version, each.note)]
    found = exact or [each for each in experiments if wanted and each.version.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    names = [f"{each.version} ({each.note})" if each.note else each.version for each in found or experiments]
    what = f"{len(found)} models are called {wanted}" if found else f"There is no model {wanted}"
    raise UserError(f"{what}; choose one of {listed(names, 20)}.")


def differing_parameters(experiments: Sequence[Experiment]) -> dict[str, list[str]]:
    """Find the parameters that are not the same in all experiments.

    Returns:
        By path, what each of the experiments has there: text as it is, all else as JSON, and nothing where the
        parameter, or the record, is not there.
    """
    flat = [flattened(experiment.parameters) for experiment in experiments]
    paths = dict.fromkeys(path for each in flat for path in each)
    values = {path: [written(each[path]) if path in each else "" for each in flat] for path in paths}
    known = [place for place, each in enumerate(flat) if each]
    return {path: texts for path, texts in values.items() if len({texts[place] for place in known}) > 1}


def held_out_by_both(before: Experiment, now: Experiment) -> pd.DataFrame:
    """Take the images that two models held out.

    Returns:
        The predictions of the later one, with those of the other as ``predicted_before``; the labels are those of the
        later one.
    """
    earlier = before.predictions[["image_id", "predicted"]].rename(columns={"predicted": "predicted_before"})
    return now.predictions.merge(earlier, on="image_id", validate="one_to_one")


def step(before: Experiment, now: Experiment) -> pd.Series:
    """Count what a model fixed and broke of another one: as ``guitar_kedro.metrics.stages.effect`` takes it."""
    both = held_out_by_both(before, now)
    found = compare_answers(both["label"] == both["predicted_before"], is_right(both))
    names = (before.name, now.name) if before.name != now.name else (before.version, now.version)
    return pd.Series({"stage_before": names[0], "stage": names[1], **found}, dtype=object)


def changed_sides(before: Experiment, now: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the images that became right, and those that became wrong, the surest answers first.

    Returns:
        Of both the rows of ``held_out_by_both``.
    """
    both = held_out_by_both(before, now).sort_values("probability", ascending=False, kind="stable")
    right_before, right = both["label"] == both["predicted_before"], is_right(both)
    return both[right & ~right_before], both[right_before & ~right]


def split_numbers(experiments: Sequence[Experiment]) -> dict[str | None, int]:
    """Give the splits of experiments, the newest of which comes first, numbers from that of the oldest on."""
    known = dict.fromkeys(each.split for each in reversed(experiments) if each.split is not None)
    return {split: number for number, split in enumerate(known, 1)}


def same_split(one: Experiment, other: Experiment) -> bool:
    """Tell whether two experiments are known to be of one split."""
    return one.split is not None and one.split == other.split


def errors_on_test(openings: pd.DataFrame, checksum: str) -> Errors | None:
    """Look up what a model got wrong when the test part was last opened for it.

    Args:
        openings: As of ``last_opening``, with ``images`` and ``errors`` of each.
        checksum: Of the model.

    Returns:
        Its errors; ``None`` where it was not opened.
    """
    opening = last_opening(openings, checksum)
    if opening is None:
        return None
    images, errors = int(opening["images"]), int(opening["errors"])
    rate, low, high = share_of(errors, images)
    return Errors(images=images, errors=errors, error_rate=rate, error_low=low, error_high=high)


def what_changed(before: Experiment, now: Experiment) -> list[str]:
    """Say in what two experiments differ, in a few words each: parameters, images, split, code, machine."""
    if not before.record or not now.record:
        return [f"no record is left of the run that made {(now if before.record else before).version}"]
    then, is_now = before.record, now.record
    words = value_changes(now.parameters, before.parameters)
    words += [
        f"the {name} changed"
        for key, name in (("image_table", "images"), ("splits", "split"))
        if then["data"].get(key) != is_now["data"].get(key)
    ]
    code = [code_version(record) for record in (is_now, then)]
    words += [f"code is {code[0]}, was {code[1]}"] if code[0] != code[1] else []
    words += [f"{key} is {is_now[key]}, was {then[key]}" for key in ("python", "device") if is_now[key] != then[key]]
    packages, packages_then = is_now["packages"], then["packages"]
    names = differing(packages, packages_then)
    changes = [
        f"{name} {packages.get(name, _NOT_THERE)} (was {packages_then.get(name, _NOT_THERE)})" for name in sorted(names)
    ]
    return [*words, f"packages: {listed(changes, _LIBRARIES)}"] if changes else words


def code_version(record: Mapping[str, Any]) -> str:
    """Return the version and the commit of the code of a run."""
    code = record["code"]
    commit = f" at {code['commit'][:9]}" if code["commit"] else ""
    return f"{code['version']}{commit}{' with changes in no commit' if code['modified'] else ''}"


def _of_test(test: Errors | None) -> dict[str, Any]:
    if test is None:
        return {"test_images": 0, "test_errors": 0, "test_error_rate": _NAN}
    return {"test_images": test.images, "test_errors": test.errors, "test_error_rate": test.error_rate}


def _compared(before: Experiment | None, now: Experiment) -> dict[str, Any]:
    if before is None:
        return {
            "compared_with": "",
            "same_split": False,
            "images_of_both": 0,
            "fixed": 0,
            "broken": 0,
            "p_value": _NAN,
        }
    found = step(before, now)
    return {
        "compared_with": before.version,
        "same_split": same_split(before, now),
        "images_of_both": found["images"],
        "fixed": found["fixed"],
        "broken": found["broken"],
        "p_value": found["p_value"] if found["images"] else _NAN,
    }


def written(value: Any) -> str:
    """Write the value of a parameter: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
