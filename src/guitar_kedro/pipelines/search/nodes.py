"""Nodes of the search. The test part stays sealed."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import yaml

from guitar_kedro import datasets, images, learning, metrics, plots
from guitar_kedro.errors import UserError
from guitar_kedro.files import named_files, sha256_of_file, sha256_of_lines
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.cross_validation.nodes import (
    CrossValidationOptions,
    accepted_in,
    deal_folds,
    in_both_parts,
    splits_of_folds,
)
from guitar_kedro.pipelines.search.options import SearchOptions
from guitar_kedro.pipelines.search.schemas import TrialRow
from guitar_kedro.pipelines.search.space import GROUPS, with_values
from guitar_kedro.pipelines.search.trial import train_recipe
from guitar_kedro.pipelines.training.nodes import with_paths
from guitar_kedro.session import run_options
from guitar_kedro.splits import TEST, TRAIN, VALIDATION
from guitar_kedro.versions import VERSIONS

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from guitar_kedro.pipelines.search.study import Search

logger = logging.getLogger(__name__)

_OF_TRIALS = ("decoded_pixels", "predictions", "trained_networks")  # in whose versions trials are comparable


def run_trials(
    study: Any,  # with its own type, Kedro would check no parameter where Optuna is not installed
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    start: learning.PretrainedWeights,
    cache: datasets.TrialCache,
    options: SearchOptions,
    cluster: str | None,
    **recipe: Any,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Run the trials that the study lacks, on the workers of a Dask cluster where the address of one is given.

    Args:
        study: Optuna's storage of it.
        splits: Of the images.
        prepared_images: Likewise.
        start: The weights that stages may start from.
        cache: What trials share.
        options: Of the search.
        cluster: Its address; its workers see the workspace under the same path.
        **recipe: ``stages``, ``training``, ``seed`` and ``device``, as they are configured.

    Returns:
        A row per trial, and the importance of each parameter.

    Raises:
        UserError: If the recipe as it is cannot be trained, the cluster cannot be used, or other machines have not
            ended their trials.
    """
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    from guitar_kedro.cluster import work_on
    from guitar_kedro.pipelines.search import study as trials

    search = search_of(study, splits, prepared_images, start, cache, options, recipe)
    found = trials.prepare(search)
    if done := len(trials.ended(found)):
        logger.info("Going on after %s", metrics.count(done, "trial"))
    try:
        with work_on(cluster, trials.__name__) as shared:
            jobs = -1 if cluster else options.workers
            parallel = Parallel(jobs, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
            while True:
                tickets = trials.tickets(found, options)
                for number in parallel(delayed(trials.run_trial)(shared(search)) for _ in tickets):
                    if number is not None:
                        _say(trials.table_of(found, options), number, options)
                if not trials.running_here(search, found):
                    break
                found = trials.prepare(search)  # a worker of the cluster died, and nobody knows of its trial
    except TerminatedWorkerError as error:
        raise UserError(
            f"A process of the search was ended, perhaps for want of memory (search.workers={options.workers}): run "
            "the same command again, with fewer of them. What was finished is kept."
        ) from error
    except FileNotFoundError as error:
        if not cluster:
            raise
        raise UserError(
            f"cluster={cluster}: a worker does not find {error.filename}; for a search, workers must see the workspace "
            "under the same path, on a disk that they share."
        ) from error
    except KeyboardInterrupt:
        if cluster:
            trials.prepare(search)  # what workers still train ends with its epoch, and is tried again
        raise
    if options.workers > 1 and not cluster:
        get_reusable_executor().shutdown()  # or idle workers stay for minutes
    if elsewhere := trials.running(found):
        raise UserError(
            f"{metrics.count(len(elsewhere), 'trial')} of the study still run elsewhere ("
            f"{elsewhere[0].user_attrs.get('who', 'on another machine')}): run the same command again when they have "
            "ended; if they were killed, run it there first."
        )
    return trials.table_of(found, options), trials.importances(found, options.space, recipe["seed"])


def search_of(
    study: BaseStorage,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    start: learning.PretrainedWeights,
    cache: datasets.TrialCache,
    options: SearchOptions,
    recipe: dict[str, Any],
) -> Search:
    """Say which study has the trials of these images, weights, recipes and ways to judge; arguments as ``run_trials``.

    Raises:
        UserError: If the images cannot be dealt to so many folds.
    """
    from guitar_kedro.pipelines.search.study import Search

    parts, decoded = [splits], splits
    if options.folds:
        parts, decoded = _folds(splits, options.folds, recipe["seed"], "search.folds"), in_both_parts(splits)
    how = options.model_dump(mode="json", include={"folds", "pruning", "space"})
    what = [
        how,
        recipe,
        {name: sha256_of_file(path) for name, path in sorted(named_files([how, recipe]).items())},
        {family: VERSIONS[family] for family in _OF_TRIALS},
        [splits_fingerprint(part) for part in parts],
    ]
    name = sha256_of_lines([json.dumps(part, sort_keys=True) for part in what])[:12]
    data = {"prepared_images": prepared_images, "pretrained_weights": start}
    return Search(study, name, options, recipe, data, tuple(parts), decoded, cache)


def _folds(splits: pd.DataFrame, folds: int, seed: int, parameter: str) -> list[pd.DataFrame]:
    """Return the split of each fold; pictures that were accepted for being hard are in training, and judge nothing."""
    accepted = splits[accepted_in(splits)].assign(split=TRAIN)
    dealt = deal_folds(splits.drop(accepted.index), CrossValidationOptions(folds=folds), seed, parameter)
    return [pd.concat([part, accepted], ignore_index=True) for part in splits_of_folds(dealt)]


def search_note(found: metrics.SearchResult | None, splits: pd.DataFrame, spec: learning.ModelSpec) -> str:
    """Say for the model card what a search has seen of the images; nothing if they were split otherwise since then.

    Args:
        found: From ``compare_on_fresh_folds``; ``None`` where there was no search.
        splits: As they are now.
        spec: Of the model.
    """
    if found is None or found.splits != splits_fingerprint(splits):
        return ""
    if found.sha256 == spec.sha256:
        return f"A search chose the recipe of this model. {metrics.search_sentence(found)}"
    # by folds, the best trial has many models
    not_it = "This model is not the best of them; but whatever" if found.sha256 else "Whatever"
    return (
        f"A search has judged {metrics.count(found.trials, 'trial')} by {metrics.count(found.images, 'image')}. "
        f"{not_it} was chosen by them looks better on these images than it is."
    )


def splits_fingerprint(splits: pd.DataFrame) -> str:
    """Return the checksum of which image is in which part, and of its label."""
    return sha256_of_lines(splits["image_id"] + " " + splits["label"] + " " + splits["split"])


def _say(trials: pd.DataFrame, number: int, options: SearchOptions) -> None:
    row = trials.set_index("trial").loc[number]
    values = ", ".join(f"{path}={row[path]}" for path in options.space if row[path]) or "the recipe as it is"
    ending = {"complete": f"error {metrics.percent(row['error_rate'], 2)}", "pruned": row["reason"] or "ended early"}
    done = int((trials["state"] != "failed").sum())
    best = metrics.best_trial(trials)
    so_far = (
        f"; the best is trial {best['trial']}, {metrics.percent(best['error_rate'], 2)}" if best is not None else ""
    )
    of_all = f" of {options.trials}" if options.trials else ""
    logger.info("Trial %d (%d%s): %s, with %s%s", number, done, of_all, ending[row["state"]], values, so_far)


def compare_on_fresh_folds(
    trials: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    start: learning.PretrainedWeights,
    cache: datasets.TrialCache,
    folds: int,
    fresh_folds: int,
    **recipe: Any,
) -> metrics.SearchResult:
    """Compare the best trial with the recipe as it is, on folds that no trial was trained or judged on.

    Args:
        trials: From ``run_trials``.
        splits: As of ``run_trials``.
        prepared_images: Likewise.
        start: Likewise.
        cache: Likewise.
        folds: By so many trials were judged; 0 stands for the validation part.
        fresh_folds: On so many they are compared.
        **recipe: As of ``run_trials``.
    """
    values, predictions = _best_values(trials), {}
    chose = splits[(splits["split"] != TEST) & ~accepted_in(splits) if folds else splits["split"] == VALIDATION]
    if fresh_folds:
        parts = _folds(splits, fresh_folds, (recipe["seed"] + 1) % 2**32, "search.fresh_folds")
        data = {"prepared_images": prepared_images, "pretrained_weights": start}
        for name, changed in ({"recipe": {}, "best": values} if values else {"recipe": {}}).items():
            predicted = _predict_folds(
                f"{name}, fresh folds", changed, parts, in_both_parts(splits), data, cache, recipe
            )
            if not folds:  # by the others, the search has chosen
                predicted = predicted[~predicted["image_id"].isin(chose["image_id"])]
            predictions[name] = predicted
    found = metrics.search_result(trials, len(chose), fresh_folds, predictions, splits_fingerprint(splits))
    logger.info(metrics.search_sentence(found))
    return found


def _predict_folds(
    title: str,
    values: dict[str, Any],
    parts: list[pd.DataFrame],
    decoded: pd.DataFrame,
    data: dict[str, Any],
    cache: datasets.TrialCache,
    recipe: dict[str, Any],
) -> pd.DataFrame:
    changed = {**recipe, **with_values({name: recipe[name] for name in GROUPS}, values)}
    predictions = []
    for number, part in enumerate(parts):
        checkpoint, _ = train_recipe(changed, data, part, decoded, cache)
        held_out = with_paths(part[part["split"] == VALIDATION], data["prepared_images"])
        wanted = held_out[["image_id", "label", "path"]].reset_index(drop=True)
        predictions.append(learning.predict(checkpoint, wanted, f"{title}, {number + 1}", recipe["device"]))
    return pd.concat(predictions, ignore_index=True)[["image_id", "label", "predicted"]]


def _space(columns: pd.Index) -> list[str]:
    return [name for name in columns if name not in TrialRow.model_fields]


def _best_values(trials: pd.DataFrame) -> dict[str, Any]:
    best = metrics.best_trial(trials)
    assert best is not None  # the recipe as it is has ended
    return {path: json.loads(best[path]) for path in _space(trials.columns) if best[path]}


def report_search(
    trials: pd.DataFrame,
    parameter_importances: dict[str, float],
    search_result: metrics.SearchResult,
    stages: dict[str, Any],
    training: dict[str, Any],
    seed: int,
) -> tuple[plots.Figure, str]:
    """Draw the search, and write the recipe of the best trial for ``kedro run --config``.

    Args:
        trials: From ``run_trials``.
        parameter_importances: Likewise.
        search_result: From ``compare_on_fresh_folds``.
        stages: As they are configured.
        training: Likewise.
        seed: Likewise.
    """
    values = _best_values(trials)
    sentence = metrics.search_sentence(search_result)
    recipe = {**with_values({"stages": stages, "training": training}, values), "seed": seed}
    changed = [f"{path}: {json.dumps(value)}" for path, value in values.items()] or ["nothing"]
    head = "".join(f"# {line}\n" for line in (sentence, "What differs from the recipe as it was:", *changed))
    figure = plots.search_figure(trials, _space(trials.columns), parameter_importances, sentence)
    return figure, head + yaml.safe_dump({"run": run_options(recipe)}, sort_keys=False, allow_unicode=True)
