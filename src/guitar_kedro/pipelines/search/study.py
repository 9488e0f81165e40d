"""Trials of a study: who chooses their values, who judges them, and what becomes of those that were killed."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import optuna
import pandas as pd
import torch
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from guitar_kedro.datasets import TrialCache
from guitar_kedro.errors import UserError
from guitar_kedro.pipelines.search.options import SearchOptions
from guitar_kedro.pipelines.search.schemas import TrialRow
from guitar_kedro.pipelines.search.space import GROUPS, Space, suggest, with_values
from guitar_kedro.pipelines.search.trial import train_recipe
from guitar_kedro.splits import VALIDATION

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
_DRAWN_FIRST = 5  # trials at random, before the sampler goes by what it knows
_REDUCTION = 2  # of successive halving: the better half goes on; with few epochs, a quarter would be chance
_ATTEMPTS = 3  # at the same values, if the process dies each time
_SECONDS_TO_CLAIM = 2  # in which a machine that has just begun a trial says so; one that was killed before never does
_ONE_AT_A_TIME = threading.Lock()  # in the threads that a worker of a cluster has: torch's random numbers are global


class SeededSampler(TPESampler):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), drawn anew for each parameter of each trial.

    What it draws depends on the seed, the place of the trial in the study and the trials that have ended: not on how
    often the search was interrupted. Trials whose process was killed have no place.
    """

    def __init__(self, seed: int) -> None:
        """Take the seed."""
        super().__init__(multivariate=False)  # no parameters are drawn together
        self._seed_of_all = seed

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw a parameter."""
        failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        place = trial.number - sum(each.number < trial.number for each in failed)
        sampler = TPESampler(
            n_startup_trials=_DRAWN_FIRST, seed=self._seed_of_all ^ zlib.crc32(f"{place} {param_name}".encode())
        )
        return sampler.sample_independent(study, trial, param_name, param_distribution)


@dataclass(frozen=True, eq=False)  # it is sent to a cluster once, and so told from others by being itself
class Search:
    """All that a process needs to run trials.

    Attributes:
        storage: Of the study.
        name: Of the study.
        options: The parameters of the search.
        recipe: ``stages``, ``training``, ``seed`` and ``device``, as they are configured.
        data: As of ``train_recipe``.
        parts: Splits by which a trial is judged one after the other.
        decoded: As of ``train_recipe``.
        cache: Likewise.
        host: The machine that began the search.
        process: There.
        threads: Of that process. Another one takes as many, or what it sums up is rounded otherwise.
    """

    storage: BaseStorage
    name: str
    options: SearchOptions
    recipe: dict[str, Any]
    data: Mapping[str, Any]
    parts: tuple[pd.DataFrame, ...]
    decoded: pd.DataFrame
    cache: TrialCache
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    threads: int = field(default_factory=torch.get_num_threads)

    @property
    def who(self) -> str:
        """This workspace, among those that share the study."""
        return f"{self.host}:{self.cache.folder.resolve()}"

    def open(self) -> optuna.Study:
        """Open the study, and begin it where it is new."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # what became of a trial, the search says itself
        pruner = SuccessiveHalvingPruner(1, _REDUCTION) if self.options.pruning else NopPruner()
        return optuna.create_study(
            storage=self.storage,
            study_name=self.name,
            sampler=SeededSampler(self.recipe["seed"]),
            pruner=pruner,
            load_if_exists=True,
        )


def prepare(search: Search) -> optuna.Study:
    """Open the study; let the recipe as it is be its first trial, and try again those whose process was killed.

    Nobody else runs trials in this workspace meanwhile: it is locked.
    """
    study = search.open()
    search.cache.folder.mkdir(parents=True, exist_ok=True)
    if unclaimed := {trial.number for trial in running(study) if "who" not in trial.user_attrs}:
        time.sleep(_SECONDS_TO_CLAIM)
    for trial in running(study):
        lost = "who" not in trial.user_attrs and trial.number in unclaimed
        if trial.user_attrs.get("who") == search.who or lost:
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (UpdateFinishedTrialError, ValueError):  # another search has found it meanwhile
                continue
            attempt = trial.user_attrs.get("attempt", 1) + 1
            if attempt <= _ATTEMPTS and not trial.user_attrs.get("is_recipe"):
                study.enqueue_trial(trial.params, user_attrs={"attempt": attempt})
    if not _recipes(study, TrialState.WAITING, TrialState.RUNNING, *ENDED):
        study.enqueue_trial({}, user_attrs={"is_recipe": True})
    return study


def _recipes(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """List the trials of the recipe as it is, with which all others are compared."""
    return [trial for trial in study.get_trials(deepcopy=False, states=states) if trial.user_attrs.get("is_recipe")]


def running(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have begun and not ended."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def running_here(search: Search, study: optuna.Study) -> list[FrozenTrial]:
    """List those of them that this workspace has begun, or its workers; those that nobody claims may be of them."""
    return [trial for trial in running(study) if trial.user_attrs.get("who", search.who) == search.who]


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that count."""
    return study.get_trials(deepcopy=False, states=ENDED)


def tickets(study: optuna.Study, options: SearchOptions) -> Iterator[None]:
    """Yield once for each trial that may begin."""
    begun = len(ended(study)) + len(running(study))
    while _may_begin(study, options, begun):
        yield
        begun += 1


def _may_begin(study: optuna.Study, options: SearchOptions, begun: int) -> bool:
    if _recipes(study, TrialState.WAITING):  # which others may have outlived
        return True
    seconds = sum((trial.duration or timedelta()).total_seconds() for trial in ended(study))
    return begun < (options.trials or begun + 1) and seconds / 60 < (options.minutes or math.inf)


def run_trial(search: Search) -> int | None:
    """Run the next trial of a study.

    Args:
        search: Of which trial.

    Returns:
        Its number; ``None`` if others have begun the last one meanwhile, or have given this one up.

    Raises:
        UserError: If the recipe as it is cannot be trained.
        FileNotFoundError: If this is another machine, and it does not see the workspace.
    """
    with _ONE_AT_A_TIME, _as_in_search(search):
        for folder in (search.cache.folder, search.data["prepared_images"].folder):
            if not folder.is_dir():  # of another machine; its trials would all fail
                raise FileNotFoundError(errno.ENOENT, "", str(folder))
        study = search.open()
        if not _may_begin(study, search.options, len(ended(study)) + len(running(study))):
            return None
        trial = study.ask()
        try:
            _claim_and_judge(search, study, trial)
        except UpdateFinishedTrialError:  # another machine has waited too long for a word of it, and gave it up
            return None
        return trial.number


@contextmanager
def _as_in_search(search: Search) -> Iterator[None]:
    """Compute with as many threads as the search, and in another process say nothing.

    Lines and bars of several trials would mix; what became of them is told where the search began.
    """
    threads, disabled = torch.get_num_threads(), logging.root.manager.disable
    torch.set_num_threads(search.threads)
    if (socket.gethostname(), os.getpid()) != (search.host, search.process):
        logging.disable()
        os.environ["TERM"] = "dumb"
    try:
        yield
    finally:  # a worker of a cluster has other things to do as well
        torch.set_num_threads(threads)
        logging.disable(disabled)


def _claim_and_judge(search: Search, study: optuna.Study, trial: optuna.Trial) -> None:
    trial.set_user_attr("who", search.who)
    is_recipe = trial.user_attrs.get("is_recipe", False)
    values = {} if is_recipe else suggest(trial, search.options.space)
    trial.set_user_attr("values", values)
    try:
        error_rate = _judge(search, trial, values)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except UserError as error:
        if is_recipe:
            study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr("reason", str(error).splitlines()[-1].strip())  # fastai says before it where it was raised
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, error_rate)


def _judge(search: Search, trial: optuna.Trial, values: Mapping[str, Any]) -> float:
    """Train with the values of a trial, and return its error rate on all parts together."""
    recipe = {**search.recipe, **with_values({name: search.recipe[name] for name in GROUPS}, values)}
    epochs, sums, images = count(1), {"error_rate": 0.0, "valid_loss": 0.0}, 0
    is_recipe = trial.user_attrs.get("is_recipe", False)  # what others are compared with is trained to the end
    for part in search.parts:
        # on the first part alone, trials of as many epochs have seen the same
        report = partial(_report, trial, epochs, part is search.parts[0] and not is_recipe)
        checkpoint, kept = train_recipe(recipe, search.data, part, search.decoded, search.cache, report)
        judged = int((part["split"] == VALIDATION).sum())
        sums = {name: value + judged * kept[name] for name, value in sums.items()}
        images += judged
    trial.set_user_attr("valid_loss", sums["valid_loss"] / images)
    trial.set_user_attr("sha256", checkpoint.spec.sha256 if len(search.parts) == 1 else "")
    return float(sums["error_rate"] / images)


def _report(trial: optuna.Trial, epochs: Iterator[int], may_prune: bool, row: dict[str, Any]) -> None:
    trial.report(row["error_rate"], next(epochs))
    if may_prune and trial.should_prune():
        raise optuna.TrialPruned("others were better")  # fastai asks exceptions for words


def table_of(study: optuna.Study, options: SearchOptions) -> pd.DataFrame:
    """Return a row per trial that has ended, as ``TrialRow`` describes it."""
    trials = study.get_trials(deepcopy=False, states=tuple(_STATES))
    rows = [
        {
            "trial": trial.number,
            "is_recipe": trial.user_attrs.get("is_recipe", False),
            "state": _STATES[trial.state],
            "error_rate": trial.value if trial.state == TrialState.COMPLETE else float("nan"),
            "valid_loss": trial.user_attrs.get("valid_loss", float("nan")),
            "epochs": trial.last_step or 0,
            "seconds": round((trial.duration or timedelta()).total_seconds(), 2),
            "sha256": trial.user_attrs.get("sha256", ""),
            "reason": trial.user_attrs.get("reason", ""),
            **{
                path: json.dumps(trial.user_attrs["values"][path]) if path in trial.user_attrs.get("values", {}) else ""
                for path in options.space
            },
        }
        for trial in trials
    ]
    return pd.DataFrame(rows, columns=[*TrialRow.model_fields, *options.space])


def importances(study: optuna.Study, space: Space, seed: int) -> dict[str, float]:
    """Say how much of what parts the trials each parameter explains (fANOVA, Hutter et al. 2014), 0 to 1.

    Returns:
        Shares by the path of the parameter, the largest first; none where too few trials have ended.
    """
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    try:
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(space)))
    except (ValueError, RuntimeError):  # too few trials, or they are all as good
        return {}
