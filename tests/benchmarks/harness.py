"""Compares the project with what its users would do otherwise: ratios of pairs of measurements, in one table.

A benchmark is a file ``bench_<part>.py`` with a function ``lines(quick)`` that yields what is to be compared, one
``Line`` after the other; what stands around a ``yield`` sets up and clears away. Figures decide nothing: whoever runs
this reads them.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
PAIRS, QUICK_PAIRS = 5, 1
# glibc then keeps what was freed for the next batch, instead of giving it back to the system and asking for it anew
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(1 << 32), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


@dataclass(frozen=True)
class Fresh:
    """Work in a Python process of its own, as a user starts one: default allocator, default number of threads.

    Attributes:
        function: A function of a benchmark's module. Its cost is the number it returns or, where that is None, the
            seconds it takes; the start of the process does not count.
        arguments: Its keyword arguments, of kinds that JSON knows.
    """

    function: Callable[..., float | None]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def cost(self, environment: Mapping[str, str]) -> float:
        """Runs it once, with further environment variables.

        Raises:
            RuntimeError: If the process fails.
        """
        module, name = self.function.__module__, self.function.__qualname__
        call = (
            f"import json, sys, harness, {module} as m; print(float(harness.cost(m.{name}, **json.loads(sys.argv[1]))))"
        )
        path = os.pathsep.join([str(FOLDER), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
        process = subprocess.run(
            [sys.executable, "-c", call, json.dumps(dict(self.arguments))],
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if process.returncode:
            raise RuntimeError(f"{module}.{name} failed:\n{process.stdout}{process.stderr}")
        return float(process.stdout.splitlines()[-1])


Side = Callable[[], float | None] | Fresh


@dataclass(frozen=True)
class Line:
    """What is compared: one line of the table.

    Attributes:
        what: What ours does, on what.
        against: What theirs is.
        ours: Callable whose cost is what it returns (seconds, megabytes) or, where that is None, the seconds it takes;
            ``Fresh`` for a process of its own.
        theirs: The same for what it is compared with.
        at_least: Target for how many times less ours costs; the ratio is theirs / ours.
        at_most: Target for how many times as much ours costs; the ratio is ours / theirs. Give one of the two.
        allocator_alike: In full, also measure with the memory allocator set alike on both sides (``Fresh`` ones).
    """

    what: str
    against: str
    ours: Side
    theirs: Side
    at_least: float | None = None
    at_most: float | None = None
    allocator_alike: bool = False

    @property
    def target(self) -> str:
        """The target as people write it."""
        return f">= {self.at_least:g}" if self.at_least else f"<= {self.at_most:g}"

    def ratio(self, ours: float, theirs: float) -> float:
        """What the target speaks of."""
        return theirs / ours if self.at_least else ours / theirs

    def reached(self, ratio: float) -> bool:
        """Whether a ratio is as good as the target."""
        return ratio >= self.at_least if self.at_least else ratio <= self.at_most


def cost(function: Callable[..., float | None], **arguments: Any) -> float:
    """Calls a function: its cost is the number it returns or, where that is None, the seconds it takes."""
    began = time.perf_counter()
    result = function(**arguments)
    return time.perf_counter() - began if result is None else result


def measure(line: Line, pairs: int, environment: Mapping[str, str]) -> list[float]:
    """Measures pairs, each side in turn going first, and gives the ratio of each."""
    ratios = []
    for number in range(pairs):
        sides = {"ours": line.ours, "theirs": line.theirs}
        costs = {
            name: side.cost(environment) if isinstance(side, Fresh) else cost(side)
            for name, side in (sides.items() if number % 2 == 0 else reversed(sides.items()))
        }
        ratios.append(line.ratio(**costs))
        said = f"{line.what}, pair {number + 1} of {pairs}: {costs['ours']:.4g} against {costs['theirs']:.4g}"
        print(f"{said}, ratio {ratios[-1]:.2f}", file=sys.stderr)
    return ratios


def run(parts: Iterable[str], quick: bool, pairs: int) -> None:
    """Measures the lines of some parts and prints the table, as far as it came, whatever happens.

    Args:
        parts: Names of benchmarks, as in ``bench_<part>.py``.
        quick: Whether fewer images will do.
        pairs: How often each line is measured.
    """
    rows = []
    try:
        for line in _lines(parts, quick):
            ratios = measure(line, pairs, {})
            alike = measure(line, pairs, ALLOCATOR) if line.allocator_alike and not quick else []
            rows.append(_row(line, ratios, alike))
    finally:
        _print_table(rows, quick)


def _lines(parts: Iterable[str], quick: bool) -> Iterator[Line]:
    for part in parts:
        yield from importlib.import_module(f"bench_{part}").lines(quick)


def _row(line: Line, ratios: list[float], alike: list[float]) -> tuple[str, ...]:
    median = statistics.median(ratios)
    spread = f"{min(ratios):.2f} - {max(ratios):.2f}"
    with_alike = f"{statistics.median(alike):.2f}" if alike else ""
    reached = "yes" if line.reached(median) else "no"
    return line.what, line.against, line.target, f"{median:.2f}", spread, with_alike, str(len(ratios)), reached


def _print_table(rows: Iterable[tuple[str, ...]], quick: bool) -> None:
    table = Table(box=box.MARKDOWN)
    for name in ("what", "against", "target", "median", "low - high", "allocator alike", "pairs", "reached"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=400, highlight=False)
    console.print("Quick: few images; `make bench-full` measures in earnest." if quick else "In full.")
    console.print(table)
    console.print(describe_machine())


def precisions() -> tuple[str, ...]:
    """Names what ``calibration.precision`` can be where the machine has it natively, and tells what it lacks."""
    from guitar_kedro.learning.networks.device import choose_device, choose_precision

    fastest = str(choose_precision("auto", choose_device("auto"))).removeprefix("torch.")
    if fastest != "float32":
        return "float32", fastest
    print("Left out: bfloat16, which this machine does not compute with natively.", file=sys.stderr)
    return ("float32",)


def has_gpu() -> bool:
    """Says whether there is a GPU of NVIDIA's that works."""
    from guitar_kedro.learning.networks.device import choose_device

    return choose_device("auto").type == "cuda"


def all_but_gpu(parts: Iterable[str]) -> list[str]:
    """Leaves out the part that is for a GPU where there is none, and says so."""
    if has_gpu():
        return list(parts)
    print("Left out: gpu, which needs a GPU; PART=gpu runs it on the CPU, small.", file=sys.stderr)
    return [part for part in parts if part != "gpu"]


def describe_machine() -> str:
    """Says on what the figures were measured."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    named = [line.partition(": ")[2] for line in cpu.splitlines() if line.startswith("model name")]
    bf16 = sorted({word for word in cpu.split() if word.endswith("_bf16")}) if cpu else ["unknown"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "fastai", "kedro", "pillow"))
    return (
        f"{named[0] if named else platform.processor()}, {os.cpu_count()} cores, bf16: {', '.join(bf16) or 'none'}, "
        f"{memory:.0f} GiB of memory{_gpu()}; Python {platform.python_version()}, {versions}"
    )


def _gpu() -> str:
    import torch

    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
