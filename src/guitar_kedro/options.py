"""Groups of parameters that are checked before anything runs, and what is wrong with them in a user's words."""

from __future__ import annotations

import difflib
import functools
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from guitar_kedro.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self

_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text: put it in quotes"}
_LIMITS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "one of {expected}",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "written as {pattern}",
}


class Options(BaseModel):
    """Parameters that belong together; one that is unknown is refused, and so is true or false for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would take them for 1 and 0
        annotation = cls.model_fields[str(info.field_name)].annotation
        values = value if isinstance(value, (list, tuple)) else [value]
        if annotation is not bool and any(isinstance(each, bool) for each in values):
            words = [name for name in get_args(annotation) if isinstance(name, str)]
            allowed = f"; give {' or '.join(words)}" if get_origin(annotation) is Literal and words else ""
            raise ValueError(f"it cannot be true or false, which is also how on, off, yes and no are read{allowed}")
        return value

    @classmethod
    def model_validate(cls, obj: Any, **kwargs: Any) -> Self:
        """Check and convert, as pydantic does; Kedro calls this for the parameters of a pipeline.

        Raises:
            UserError: If something is wrong; a line for each thing, to be read after the name of the parameter.
        """
        try:
            return super().model_validate(obj, **kwargs)
        except ValidationError as error:
            raise UserError("\n".join(_problem(found, cls) for found in error.errors())) from None

    @classmethod
    def of_parameter(cls, name: str, value: Any) -> Self:
        """Check and convert a parameter that Kedro does not check, for it belongs to no pipeline.

        Args:
            name: Of the parameter; empty where its parts are parameters themselves.
            value: Of the parameter.

        Raises:
            UserError: If something is wrong.
        """
        try:
            return cls.model_validate(value)
        except UserError as error:
            found = "; ".join(f"{name}{problem}".lstrip(".: ") for problem in str(error).splitlines())
            raise UserError(f"The parameters cannot be used: {found}.") from None


def completed(parameters: dict[str, Any], groups: dict[str, type[Options]]) -> dict[str, Any]:
    """Check groups of parameters, and fill in what may be left out.

    Nodes ask for single parameters (``params:stages.small.batch_size``), so that none runs again for another one. By
    that alone, nobody would notice a misspelt one.

    Args:
        parameters: As they stand in the configuration.
        groups: What the groups are, by path (``stages.small``); one that is missing is left out.

    Raises:
        UserError: If one is misspelt, missing, or of a value that it cannot have; it names all of these.
    """
    found, wrong = deepcopy(parameters), []
    for path, options in groups.items():
        *above, name = path.split(".")
        group = functools.reduce(lambda inside, part: inside[part], above, found)
        if name not in group:
            continue
        try:
            group[name] = options.model_validate(group[name]).model_dump(mode="json")
        except UserError as error:
            wrong += [f"{path}{problem}" for problem in str(error).splitlines()]
    if wrong:
        raise UserError(f"The parameters cannot be used: {'; '.join(wrong)}.")
    return found


def _problem(found: ErrorDetails, options: type[Options]) -> str:
    """Say what is wrong, to be read after the name of the group: ``.frozen.epochs is -1; it must be at least 0``."""
    path = "".join(f".{part}" for part in found["loc"])
    kind, allowed = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(found["loc"][-1]), _fields(options, found["loc"][:-1]), n=1)
        return f"{path}: there is no such parameter{f'; did you mean {close[0]}?' if close else ''}"
    if kind == "missing":
        return f"{path} is missing"
    if kind == "value_error":
        words = str(allowed["error"])
        return f"{path} is {found['input']}; {words}" if path else f": {words}"
    if kind in _LIMITS:
        must = _LIMITS[kind].format(**allowed)
    elif kind.partition("_")[0] in _KINDS:
        must = _KINDS[kind.partition("_")[0]]
    elif kind.startswith("model_"):
        must = f"the parameters {', '.join(_fields(options, found['loc']))}"
    else:  # none that these options can have
        return f"{path} is {found['input']}; {found['msg']}"
    return f"{path} is {found['input']}; it must be {must}"


def _fields(options: type[Options], path: tuple[int | str, ...]) -> list[str]:
    """Return the names of the parameters of a group within a group."""
    found: Any = options
    for name in path:
        annotation = found.model_fields[str(name)].annotation
        found = next(iter(get_args(annotation)), annotation)  # a group that may be left out is one of two things
    return list(found.model_fields)
