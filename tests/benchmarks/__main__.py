"""``python tests/benchmarks [--full] [PART ...]``: all benchmarks, or those named."""

import argparse
import sys

import harness

sys.path.append(str(harness.FOLDER.parent))  # what tests have in common


def main() -> None:
    """Reads the arguments and runs."""
    parts = sorted(path.stem.removeprefix("bench_") for path in harness.FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(
        "benchmarks", description="Compares the project with what one would use otherwise."
    )
    parser.add_argument("--full", action="store_true", help="on as many images as the targets name, in more pairs")
    parser.add_argument("--pairs", type=int, help=f"{harness.QUICK_PAIRS}, with --full {harness.PAIRS}")
    parser.add_argument("part", nargs="*", help=f"{', '.join(parts)}; all of them if none is named")
    chosen = parser.parse_args()
    if unknown := set(chosen.part) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(parts)}")
    pairs = chosen.pairs or (harness.PAIRS if chosen.full else harness.QUICK_PAIRS)
    harness.run(chosen.part or harness.all_but_gpu(parts), quick=not chosen.full, pairs=pairs)


main()
