"""What trials change of the recipe."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any

from guitar_kedro.errors import UserError
from guitar_kedro.learning.training.recipe import StageOptions, TrainingOptions
from guitar_kedro.options import completed
from guitar_kedro.parameters import paths
from guitar_kedro.pipelines.networks.plan import plan_networks
from guitar_kedro.pipelines.search.options import Range
from guitar_kedro.pipelines.training.plan import plan_stages

if TYPE_CHECKING:
    from optuna import Trial

GROUPS = ("stages", "training")  # of the parameters, those that the recipe is made of
_DIGITS = 3  # of what is tried: people read it, and more make no difference

Space = Mapping[str, Range | tuple[Any, ...]]


def alternatives(space: Space, recipe: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the recipes in which one parameter has another value: each choice, the least and the largest number.

    Args:
        space: What is tried, by the path of the parameter.
        recipe: ``stages`` and ``training``, complete.

    Yields:
        The parameter with its value, in words, and the recipe.

    Raises:
        UserError: If there is no such parameter, or it cannot have one of the values.
    """
    for path, dimension in space.items():
        _check_path(path, recipe)
        for value in (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension:
            try:
                changed = with_values(recipe, {path: value})
            except UserError as error:
                raise UserError(f"search.space.{path} cannot be {value}. {error}") from None
            yield f"search.space.{path}={value}", changed


def _check_path(path: str, recipe: dict[str, Any]) -> None:
    if path.partition(".")[0] not in GROUPS:
        raise UserError(
            f"search.space.{path}: a search tries parameters of training, whose paths begin with stages. or training."
        )
    try:
        reduce(getitem, path.split("."), recipe)
    except (KeyError, TypeError):
        close = difflib.get_close_matches(path, [*paths(recipe)], n=1)
        hint = f"Did you mean {close[0]}?" if close else "Look for its path in conf/*/parameters_training.yml."
        raise UserError(f"search.space.{path}: there is no such parameter. {hint}") from None


def with_values(recipe: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe with other values.

    An architecture may name its weights, as ``resnet18:default``; stages that go on with its network get it as well.

    Args:
        recipe: ``stages`` and ``training``, complete; it stays as it is.
        values: By the path of the parameter.

    Raises:
        UserError: If it cannot be trained with them.
    """
    found = deepcopy(recipe)
    # weights that are tried by themselves come after those of the architecture
    for path, value in sorted(values.items(), key=lambda item: not item[0].endswith(".architecture")):
        *groups, name = path.split(".")
        if name == "architecture":
            _set_network(found["stages"], groups[-1], value)
        else:
            reduce(getitem, groups, found)[name] = value
    plan_stages(found["stages"])
    return completed(
        found, {"training": TrainingOptions, **{f"stages.{stage}": StageOptions for stage in found["stages"]}}
    )


def _set_network(stages: dict[str, Any], stage: str, value: Any) -> None:
    [network] = plan_networks([value])
    origin_of = {plan.name: plan.origin for plan in plan_stages(stages)}
    for name, origin in origin_of.items():
        if origin == origin_of[stage]:
            stages[name]["architecture"] = network.architecture
    stages[origin_of[stage]]["weights"] = network.weights


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Let a trial choose from the space.

    Returns:
        Values by the path of the parameter.
    """
    return {path: _suggest(trial, path, dimension) for path, dimension in space.items()}


def _suggest(trial: Trial, path: str, dimension: Range | tuple[Any, ...]) -> Any:
    if not isinstance(dimension, Range):  # of lists and the like, Optuna knows the text
        return json.loads(str(trial.suggest_categorical(path, [json.dumps(value) for value in dimension])))
    low, high, log = dimension.low, dimension.high, dimension.log
    if dimension.is_whole:
        return trial.suggest_int(path, int(low), int(high), step=int(dimension.step or 1), log=log)
    value = trial.suggest_float(path, low, high, step=dimension.step, log=log)
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)
