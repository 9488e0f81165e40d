"""Parameters that are checked as a whole, before any node asks for the one that it uses."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from guitar_kedro.errors import UserError


def checked(parameters: dict[str, Any]) -> dict[str, Any]:
    """Checks the groups of parameters, and fills in what may be left out.

    Nodes ask for single parameters (``params:stages.small.batch_size``), so that none runs again for another one. By
    that alone, nobody would notice a misspelt one.

    Args:
        parameters: As they stand in the configuration.

    Raises:
        UserError: If one is misspelt, missing, or of a value that it cannot have; it names all of these.
    """
    from guitar_kedro.learning.recipe import StageOptions, TrainingOptions
    from guitar_kedro.pipelines.ingestion.options import IngestionOptions
    from guitar_kedro.pipelines.training.options import CalibrationOptions

    groups = {"ingestion": IngestionOptions, "training": TrainingOptions, "calibration": CalibrationOptions}
    wrong: list[str] = []
    found = dict(parameters)
    for name, options in groups.items():
        if name in parameters:
            found[name] = _checked(name, parameters[name], options, wrong)
    if isinstance(stages := parameters.get("stages"), dict):
        found["stages"] = {
            name: _checked(f"stages.{name}", stage, StageOptions, wrong) for name, stage in stages.items()
        }
    if wrong:
        raise UserError(f"The parameters cannot be used: {'; '.join(wrong)}.")
    return found


def _checked(name: str, value: Any, options: type[BaseModel], wrong: list[str]) -> Any:
    try:
        return options.model_validate(value).model_dump(mode="json")
    except ValidationError as error:
        wrong += [_sentence(name, each) for each in error.errors()]
        return value


def _sentence(name: str, error: Any) -> str:
    what = "there is no such parameter" if error["type"] == "extra_forbidden" else error["msg"]
    place = ".".join(map(str, (name, *error["loc"])))
    return f"{place}: {what} (it is {error['input']!r})"
