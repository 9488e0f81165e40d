"""Runtime parameters: what ``--params`` says, with texts as they were typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from guitar_kedro.errors import UserError
from guitar_kedro.images.downloads import is_address, parts_of

# the last part of the name of each parameter that is a text, whatever it looks like: 007 is no number here
TEXTS = {
    "architecture",
    "cluster",
    "contact",
    "folders",
    "group_from",
    "images",
    "labels",
    "mlflow",
    "name",
    "names_encoding",
    "note",
    "ood_images",
    "published_accuracy",
    "queries",
    "rdzv_endpoint",
    "sha256",
    "start_from",
    "study",
    "tensorboard",
    "to",
    "unlabelled",
    "weights",
}
# what parameters and pipelines were called before, and catalog entries
RENAMED = {
    "audit": "cross_validation",
    "calibration.augmented_views": "calibration.tta_views",
    "calibration.known_share": "calibration.in_distribution_recall",
    "calibration.sure_accuracy": "calibration.selective_accuracy",
    "endpoint": "rdzv_endpoint",
    "machines": "nnodes",
    "other_images": "ood_images",
    "processes": "nproc_per_node",
    "training.device": "device",
}
RENAMED_ENTRIES = {
    "attention_by_class": "grad_cam_by_class",
    "attention_of_errors": "grad_cam_of_errors",
    "audit_pixels": "cross_validation_pixels",
    "augmented_views": "tta_gain",
    "epoch_states": "epochs_per_state, a parameter,",
    "ledger": "run_cache",
    "model_before_curation": "model_before_change",
    "other_images": "ood_images",
    "other_predictions": "ood_predictions",
    "predictions_before_curation": "predictions_before_change",
    "processes": "nproc_per_node, a parameter,",
}
_ADDRESSES = {"cluster": re.compile(r"(?:\w+://)?\S+:(\d+)"), "rdzv_endpoint": re.compile(r"[^\s:]+:(\d+)")}
_KINDS = {bool: "true or false", int: "a number", float: "a number", type(None): "nothing", list: "a list"}


def parse_parameters(text: str) -> dict[str, Any]:
    """Read ``NAME=VALUE,NAME=VALUE``; a value is YAML, unless the parameter is a text.

    A comma after which no ``NAME=`` comes belongs to the value: of a list, or of a path.

    Args:
        text: What stands behind ``--params=``.

    Returns:
        Values by name, nested where names have dots.

    Raises:
        UserError: If it cannot be read.
    """
    parameters = OmegaConf.create()
    for name, value in _items(text):
        _refuse_reference(name, value)
        try:
            if is_text(name) and not _is_quoted(value) and (value != "null" or name == "name"):
                OmegaConf.update(parameters, name, value)
            else:
                _refuse_octal(name, value)
                parameters.merge_with_dotlist([f"{name}={value}"])
        except (OmegaConfBaseException, YAMLError, ValueError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"--params={name}={value} cannot be read ({reason}); put it in quotes.") from None
    return cast(dict[str, Any], OmegaConf.to_container(parameters))


def _items(text: str) -> Iterator[tuple[str, str]]:
    items: list[str] = []
    for part in text.split(","):
        if "=" in part:
            items.append(part)
        elif items:
            items[-1] += f",{part}"
        elif part.strip():
            raise UserError(f"--params={text}: {part.strip()} has no value; write NAME=VALUE.")
    for item in items:
        name, _, value = item.partition("=")
        if not name.strip():
            raise UserError(f"--params={text}: ={value} has no name; write NAME=VALUE.")
        value = value.strip(", \t\n")
        if not value:
            raise UserError(f"--params={name.strip()}=: there is no value; write NAME=VALUE.")
        yield name.strip(), value


def is_text(name: str) -> bool:
    """Whether a parameter, named by its path, is a text; what a search tries of it are several."""
    if name.startswith("search."):
        return False
    return name.rpartition(".")[2] in TEXTS or name.startswith("display_names.")


def _is_quoted(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] and value[0] in "'\""


def check_runtime_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse what is not what a person typed, or will not be taken for it.

    Not all that reads ``--params`` reads it as this module does: kedro-viz and notebooks make numbers of texts.

    Raises:
        UserError: If a text is none, a value is what the configuration takes for a reference, or an address holds a
            password.
    """
    for name, value in _leaves(parameters):
        if isinstance(value, str):
            if is_address(value):
                parts_of(value)  # refuses a password before anything is written
            _refuse_reference(name, value)
    for name, address in _ADDRESSES.items():
        value = parameters.get(name)
        found = address.fullmatch(value) if isinstance(value, str) else None
        if isinstance(value, str) and not (found and int(found.group(1)) < 2**16):
            raise UserError(f"--params={name}={value}: write the address with its port, as HOST:PORT.")
    if "name" in parameters and parameters["name"] is None:
        raise UserError("--params=name=null is read as nothing; put it in quotes: --params=\"name='null'\".")
    check_texts(parameters, "--params=")


def refuse_renamed(names: Iterable[str], renamed: Mapping[str, str] = RENAMED, where: str = "") -> None:
    """Refuse names of before, so that nothing is set under a name that nobody reads.

    Args:
        names: Of parameters, by their paths, or of catalog entries.
        renamed: What they are called now, by what they were called before.
        where: What stands before the name in the message.

    Raises:
        UserError: If one is called otherwise now.
    """
    for name in names:
        for old, new in renamed.items():
            if name == old or name.startswith(f"{old}."):
                raise UserError(f"{where}{name} is called {new}{name.removeprefix(old)} now: write that instead.")


def paths(parameters: Mapping[str, Any]) -> Iterator[str]:
    """List the paths of all parameters: ``calibration.precision``."""
    return (path for path, _ in _leaves(parameters))


def _refuse_reference(name: str, value: str) -> None:
    found = "${...}" if "${" in value else "???" if value == "???" else None
    if found:
        raise UserError(
            f"--params={name}={value}: nothing is put in for {found} here. Write it out, or let the shell do it, "
            "without single quotes around it."
        )


def _refuse_octal(name: str, value: str) -> None:
    """Refuse what YAML reads as another number than people do: 042 counts eights, 1:30 counts sixties."""
    if re.fullmatch(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9]+)+)", value):
        raise UserError(
            f"--params={name}={value}: YAML does not read this as the number that it looks like; write it without a "
            "leading 0 and without colons, or, if it is a text, in quotes."
        )


def check_texts(parameters: Mapping[str, Any], where: str = "") -> None:
    """Refuse names and texts that YAML reads as something else, as it does with 1, no and 007 without quotes.

    Args:
        parameters: Nested by name.
        where: What stands before the name of a parameter in the message.

    Raises:
        UserError: If there is one.
    """
    for name, value in _leaves(parameters):
        if is_text(name) and not (value is None or isinstance(value, str)):
            kind = _KINDS.get(type(value), "a group of parameters")
            raise UserError(
                f"{where}{name} is read as {kind} ({value}), but it is a text: put it in quotes, "
                f"{name.rpartition('.')[2]}='...'."
            )


def _leaves(parameters: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """List all values by their paths; of a group whose name is that of a text, the group."""
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise UserError(
                f"{above.rstrip('.') or 'The parameters'}: the name {str(name).lower()} is read as "
                f"{_KINDS.get(type(name), 'no text')}; put it in quotes as it is written, for example '1' or 'no'."
            )
        path = f"{above}{name}"
        if isinstance(value, Mapping) and not is_text(path):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value
