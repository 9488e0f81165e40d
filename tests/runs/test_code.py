"""Which edits of the code make results stale."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import guitar_kedro
from guitar_kedro.pipelines.evaluation import nodes as evaluation
from guitar_kedro.pipelines.export import nodes as export
from guitar_kedro.pipelines.reporting import nodes as reporting
from guitar_kedro.pipelines.training import nodes as training
from guitar_kedro.runs import code
from guitar_kedro.runs.code import code_fingerprint

NODES = {
    "find a learning rate": training.learning_rate_finder("small", "frozen"),
    "train": training.phase_trainer("small", "frozen"),
    "calibrate": training.calibrate_model,
    "predict": evaluation.predict_test,
    "report": reporting.report_classes,
    "draw": reporting.plot_confusion_matrix,
    "export": export.export_model,
    "write the card": reporting.write_model_card,
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package's source, which is what the fingerprints are taken of."""
    folder = tmp_path / "guitar_kedro"
    shutil.copytree(Path(guitar_kedro.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "_ROOT", folder)
    forget()
    yield folder
    forget()


def forget() -> None:
    for cached in (code._used, code._module, code._content):
        cached.cache_clear()


def stale_after(path: Path, old: str, new: str) -> set[str]:
    """What runs again after an edit."""
    before = {name: code_fingerprint(function) for name, function in NODES.items()}
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    forget()
    return {name for name, function in NODES.items() if code_fingerprint(function) != before[name]}


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        # what only says something
        (
            "learning/training.py",
            "    learner = prepared_learner(phase)",
            "    # why\n    learner = prepared_learner(phase)",
            set(),
        ),
        ("learning/training.py", "Trains one phase", "Fits one phase", set()),
        # the node, and what it calls in its own module
        (
            "pipelines/training/nodes.py",
            'title = f"{stage_name}, {phase}"',
            'title = f"{stage_name} {phase}"',
            {"train"},
        ),
        ("pipelines/evaluation/nodes.py", "BATCH_SIZE = 64", "BATCH_SIZE = 32", {"predict"}),
        # what it calls in other modules, directly and through others
        ("learning/training.py", "learner.fit_one_cycle", "learner.fit", {"train"}),
        ("learning/callbacks.py", "order = 70", "order = 71", {"train"}),
        (
            "learning/recipe.py",
            "class TrainingOptions(_Options):",
            "class TrainingOptions(_Options):\n    more: int = 0\n",
            {"find a learning rate", "train", "calibrate"},
        ),
        ("reporting/calibration.py", "def fit_temperature(", "def fit_temperature(more=0, *", {"calibrate"}),
        # a figure: nobody trains for hours because it is drawn in another way
        ("reporting/training.py", "def _describe_history(", "def _describe_history(more=0, *", set()),
        ("reporting/confusion.py", "def confusion_matrix_figure(", "def confusion_matrix_figure(more=0, *", {"draw"}),
        # templates
        ("learning/templates/example.py.j2", "import", "import ", {"export"}),
        ("reporting/templates/model_card.md.j2", "#", "##", {"write the card"}),
    ],
)
def test_an_edit_makes_stale_what_uses_the_edited_code(source: Path, file: str, old: str, new: str, stale: set[str]):
    assert stale_after(source / file, old, new) == stale
