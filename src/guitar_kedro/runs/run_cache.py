"""What each node's results were made from, so that the next run does not make them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from kedro.io import DataCatalog, DatasetError
from kedro.io.core import is_parameter
from kedro.pipeline.node import Node

from guitar_kedro.errors import UserError
from guitar_kedro.files import named_files, strict_json
from guitar_kedro.metrics.differences import OF_THE_WAY, differing, value_changes
from guitar_kedro.runs.units import RUN_CACHE, in_memory
from guitar_kedro.versions import version_changes, versions_of

_OF_THE_WAY = {f"params:{name}" for name in OF_THE_WAY}
# what a dataset may say of itself: that its first load makes what it gives; that it may be removed at any time
MADE_BY_LOADING, CACHE = "made_by_loading", "is_cache"


@dataclass(frozen=True)
class Fingerprint:
    """What the results of a node depend on.

    Attributes:
        inputs: Checksum of each dataset that it loads; ``None`` where there is nothing to load.
        parameters: Value of each parameter.
        files: Size and time of each file that a parameter names.
        versions: Of the families of what it makes.
    """

    inputs: dict[str, str | None]
    parameters: dict[str, Any]
    files: dict[str, str]
    versions: dict[str, int]

    def changes_since(self, earlier: dict[str, dict[str, Any]]) -> list[str]:
        """Say what differs from an earlier fingerprint, in a few words each."""
        if "versions" not in earlier:
            return ["it was made before versions of results were noted"]
        words = version_changes(self.versions, earlier["versions"])
        words += [f"{name} changed" for name in differing(self.inputs, earlier["inputs"])]
        for name in differing(self.parameters, earlier["parameters"]):
            path = name.removeprefix("params:")
            words += value_changes(self.parameters.get(name), earlier["parameters"].get(name), path)
        return words + [f"the file {name} changed" for name in differing(self.files, earlier["files"])]


class RunCache:
    """The run cache of a workspace: of each node the last run, its fingerprint, and the checksums of the results.

    It is a dataset of the catalog, written anew after each node. A process that dies in between leaves a node that
    runs again, never one that is taken for finished.
    """

    def __init__(self, catalog: DataCatalog, parameters: dict[str, Any]) -> None:
        """Open the run cache.

        Args:
            catalog: Of the run.
            parameters: Of the run, as they stand in the configuration.

        Raises:
            UserError: If it cannot be read.
        """
        self._catalog, self._parameters = catalog, parameters
        self._checksums: dict[str, str | None] = {}
        self._dataset = cast(Any, catalog[RUN_CACHE])
        try:
            self._entries: dict[str, dict[str, Any]] = self._dataset.load() if self._dataset.exists() else {}
            if not _is_run_cache(self._entries):
                raise DatasetError("It holds something else.")
        except DatasetError:
            raise UserError(
                f"{self._dataset._filepath} cannot be read: remove it, and the next run makes everything anew."
            ) from None

    def version(self, node: Node) -> str | None:
        """Return the run that made a node's results last, or ``None``."""
        entry = self._entries.get(node.name)
        return entry["version"] if entry else None

    def results(self, node: Node) -> list[str]:
        """Return the datasets that a node leaves behind when the run ends."""
        return [name for name in node.outputs if not in_memory(self._catalog, name)]

    def fingerprint(self, node: Node) -> Fingerprint:
        """Take the fingerprint of a node as it would run now.

        Raises:
            UserError: If an input is not as it was saved.
        """
        values = {name: self._value(name) for name in node.inputs if is_parameter(name) and name not in _OF_THE_WAY}
        if "params:nproc_per_node" in values:  # how many there are changes what is rounded, and BatchNorm
            values["processes"] = values.pop("params:nproc_per_node") * values.pop("params:nnodes")
        return Fingerprint(
            inputs={name: self.checksum(name) for name in node.inputs if not is_parameter(name)},
            parameters=values,
            files={name: _state(path) for name, path in named_files(values).items()},
            versions=versions_of(node.tags),
        )

    def reasons(self, node: Node, fingerprint: Fingerprint) -> list[str]:
        """Say why a node must run, in a few words each; nothing if its results are there and valid.

        What a node leaves only in memory is no result: whoever needs it says so.

        Raises:
            UserError: If a result is not as it was saved.
        """
        results = self.results(node)
        if not results:
            return []
        unknown = [name for name in (*node.inputs, *results) if self._keeps_no_checksum(name)]
        if unknown:
            return [f"{unknown[0]} keeps no checksum"]
        if (entry := self._entries.get(node.name)) is None:
            return ["never run"]
        reasons = fingerprint.changes_since(entry["fingerprint"])
        if "versions" not in entry["fingerprint"]:  # nor were checksums those of now
            return reasons
        for name in results:
            found = self.checksum(name)
            if found is None:
                reasons.append(f"{name} is missing")
            elif found != entry["outputs"].get(name):
                reasons.append(f"{name} is not the one that was made then")
        return reasons

    def note_memory(self, node: Node, fingerprint: Fingerprint) -> None:
        """Note what a node leaves only in memory by what it is made from."""
        digest = hashlib.sha256(json.dumps(asdict(fingerprint), sort_keys=True).encode()).hexdigest()
        self._checksums |= {name: digest for name in node.outputs if in_memory(self._catalog, name)}

    def note_run(self, node: Node, fingerprint: Fingerprint, version: str | None) -> None:
        """Note that a node ran, and what it saved."""
        # what loading made or completed was made as it was asked for; what came to another input meanwhile is not in
        # the results
        made = [name for name, known in fingerprint.inputs.items() if known is None and self._is(name, MADE_BY_LOADING)]
        for name in (*made, *node.outputs):
            self._checksums.pop(name, None)
        inputs = {**fingerprint.inputs, **{name: self.checksum(name) for name in made}}
        fingerprint = replace(fingerprint, inputs=inputs)
        self.note_memory(node, fingerprint)
        self._entries[node.name] = {
            "version": version,
            "fingerprint": asdict(fingerprint),
            "outputs": {name: self.checksum(name) for name in self.results(node)},
        }
        self._dataset.save(self._entries)

    def checksum(self, name: str) -> str | None:
        """Return the checksum of a dataset as it would be loaded now; ``None`` where there is nothing, or no checksum.

        A cache that was removed counts as what it was: it is made again when somebody needs it.
        """
        if name not in self._checksums:
            take = getattr(self._catalog[name], "fingerprint", None)
            found = take() if take else None
            self._checksums[name] = self._noted(name) if found is None and self._is(name, CACHE) else found
        return self._checksums[name]

    def must_be_made_again(self, name: str) -> bool:
        """Tell whether a dataset is a cache that was removed."""
        return self._is(name, CACHE) and cast(Any, self._catalog[name]).fingerprint() is None

    def _noted(self, name: str) -> str | None:
        return next((entry["outputs"][name] for entry in self._entries.values() if name in entry["outputs"]), None)

    def _is(self, name: str, kind: str) -> bool:
        return not is_parameter(name) and getattr(self._catalog[name], kind, False)

    def _keeps_no_checksum(self, name: str) -> bool:
        return not (is_parameter(name) or self._checksums.get(name) or hasattr(self._catalog[name], "fingerprint"))

    def _value(self, name: str) -> Any:
        value: Any = self._parameters
        for part in name.removeprefix("params:").split(".") if name != "parameters" else ():
            value = value.get(part) if isinstance(value, dict) else None
        return json.loads(strict_json(value, default=str))  # as it comes back from the run cache


def _is_run_cache(entries: Any) -> bool:
    parts = {field.name for field in fields(Fingerprint)} - {"versions"}  # earlier ones have none
    return isinstance(entries, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("version"), str)
        and isinstance(entry.get("outputs"), dict)
        and isinstance(entry.get("fingerprint"), dict)
        and {name for name, part in entry["fingerprint"].items() if isinstance(part, dict)} >= parts
        for entry in entries.values()
    )


def _state(path: Path) -> str:
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"
