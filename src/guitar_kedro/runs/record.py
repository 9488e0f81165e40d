"""What a run did, and with what: the parts of its record."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import psutil

from guitar_kedro import __version__
from guitar_kedro.errors import UserError

_SECONDS_BETWEEN_SAMPLES = 0.5
_FACT = re.compile(r"^(Name|Version): (.+)$", re.MULTILINE)  # a line of the metadata of a package
_PROJECT = Path(__file__).parents[3]


class NodeMeter:
    """Measures how long each node takes, and how much memory at most, with all processes that it starts."""

    def __init__(self) -> None:
        """Begin to measure."""
        self.nodes: dict[str, dict[str, float]] = {}
        self._began: dict[str, float] = {}
        self._running: set[str] = set()
        self._of_children = 0  # bytes; to find them takes longer than a small node
        self._ended = threading.Event()
        threading.Thread(target=self._sample_until_the_end, daemon=True).start()

    def begin(self, node: str) -> None:
        """Note that a node loads its first input; later calls change nothing."""
        if node not in self._began:
            self._began[node] = time.perf_counter()
            self.nodes[node] = {"seconds": 0.0, "peak_memory": 0}
            self._running.add(node)
            self._sample()

    def end(self, node: str) -> None:
        """Note that a node saved an output: it ends with the last one."""
        self._sample()
        self._running.discard(node)
        self.nodes[node]["seconds"] = round(time.perf_counter() - self._began[node], 3)

    def stop(self) -> None:
        """End measuring."""
        self._ended.set()

    def _sample_until_the_end(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_SAMPLES):
            self._of_children = _memory_in_use(psutil.Process().children(recursive=True))
            self._sample()

    def _sample(self) -> None:
        used = _memory_in_use([psutil.Process()]) + self._of_children
        for node in list(self._running):
            self.nodes[node]["peak_memory"] = max(self.nodes[node]["peak_memory"], used)


def _memory_in_use(processes: Iterable[psutil.Process]) -> int:
    """Resident memory of processes, in bytes."""
    used = 0
    for process in processes:
        try:
            used += process.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
    return used


def environment(device: str) -> dict[str, Any]:
    """Describe what a run runs with.

    Args:
        device: The parameter: where networks compute.

    Returns:
        ``code`` (version of this package, git commit, and whether files differ from it; ``None`` outside a git
        repository), ``python``, ``platform``, ``device`` (``None`` if the run did not use torch), ``packages``.
    """
    installed = (_facts(found) for found in distributions())
    changes = _git("status", "--porcelain", "--", "src", "conf", "pyproject.toml")
    modified = None if changes is None else bool(changes)
    return {
        "code": {"version": __version__, "commit": _git("rev-parse", "HEAD"), "modified": modified},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device_name(device),
        "packages": dict(sorted((facts["Name"], facts.get("Version")) for facts in installed if "Name" in facts)),
    }


def _facts(installed: Distribution) -> dict[str, str]:
    """Find the name and the version of a package; ``metadata`` would parse its description as well, which is long."""
    # where importlib.metadata looks; the last one is for an egg-info that is a file
    text = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or installed.read_text("") or ""
    return dict(_FACT.findall(text.partition("\n\n")[0]))


def _git(*arguments: str) -> str | None:
    if not (_PROJECT / ".git").exists():  # an installed package may lie in the repository of something else
        return None
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=_PROJECT, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError:  # there is no git
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def _device_name(wanted: str) -> str | None:
    if "torch" not in sys.modules:
        return None
    from guitar_kedro.learning.networks.device import choose_device, device_name

    try:
        return device_name(choose_device(wanted))
    except UserError:  # that is how the run ended
        return f"{wanted}, which is not there"
