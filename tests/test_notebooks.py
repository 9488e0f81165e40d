"""The notebooks, run from top to bottom in a project in which ``kedro run`` has ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from small_project import GUITARS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
SECONDS_PER_CELL = 300

Run = Callable[[str], dict[str, list]]


@pytest.fixture(scope="module")
def run_notebook(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a notebook once as ``kedro jupyter lab`` would, and gives the outputs of its cells by their id."""
    # these take seconds, which the other process of the tests need not wait
    import nbformat
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    environment = {
        **os.environ,
        "PYTHONPATH": str(finished_project / "src"),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),  # nobody's own start-up files
    }
    done: dict[str, dict[str, list]] = {}

    def run(name: str) -> dict[str, list]:
        if name not in done:
            folder = finished_project / "notebooks"
            notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
            # without folders of kernels there is but one kernel: this very interpreter
            kernel = AsyncKernelManager(
                kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[], allowed_kernelspecs=set())
            )
            NotebookClient(
                notebook, km=kernel, timeout=SECONDS_PER_CELL, resources={"metadata": {"path": str(folder)}}
            ).execute(env=environment)
            done[name] = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
        return done[name]

    return run


def pictures(outputs: list) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def words(outputs: list) -> str:
    """What is written in the outputs of a cell."""
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_there_is_a_notebook_on_the_data_and_one_on_the_model() -> None:
    assert NAMES == ["look_at_the_data", "look_at_the_model"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_committed_notebook_has_no_outputs_and_nothing_of_one_machine(path: Path) -> None:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata["language_info"] == {"name": "python"}
    assert notebook.metadata["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_fits_every_env_because_it_names_no_stage(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for parameters in (ROOT / "conf").glob("*/parameters_training.yml"):
        for stage in OmegaConf.load(parameters)["stages"]:
            assert f"{stage}." not in text
            assert f'"{stage}' not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom(run_notebook: Run, name: str) -> None:
    outputs = [output for cell in run_notebook(name).values() for output in cell]
    assert not [output for output in outputs if output.output_type == "error"]
    assert "Warning" not in words(outputs)


@pytest.mark.parametrize("cell", ["batch", "class-balance", "split-balance", "sizes", "duplicates"])
def test_the_data_notebook_shows_a_picture_of(run_notebook: Run, cell: str) -> None:
    assert pictures(run_notebook("look_at_the_data")[cell]) == 1


def test_the_data_notebook_says_what_was_rejected(run_notebook: Run) -> None:
    outputs = run_notebook("look_at_the_data")
    assert "count" in words(outputs["rejected-reasons"])
    assert all(column in words(outputs["rejected"]) for column in ("file", "label", "detail"))


def test_the_model_notebook_shows_how_every_phase_of_every_stage_was_trained(run_notebook: Run) -> None:
    outputs = run_notebook("look_at_the_model")
    # the recipe of the tests: two phases of the first stage, and one of the second
    phases = ["train.small.frozen", "train.small.unfrozen", "train.larger.unfrozen"]
    assert all(phase in words(outputs["phases"]) for phase in phases)
    assert "train.larger.frozen" not in words(outputs["phases"])
    assert pictures(outputs["rates"]) == 2, "of the stage with a learning-rate finder"
    assert pictures(outputs["history"]) == len(phases)
    assert pictures(outputs["stages"]) == 1


def test_the_model_notebook_shows_the_confusion_matrix_and_what_is_most_confused(run_notebook: Run) -> None:
    outputs = run_notebook("look_at_the_model")
    assert pictures(outputs["confusion"]) == 1
    assert all(column in words(outputs["confused"]) for column in ("actual", "predicted", "count"))


def test_the_model_notebook_predicts_a_picture_with_the_live_learner(run_notebook: Run) -> None:
    outputs = run_notebook("look_at_the_model")["predict"]
    assert pictures(outputs) == 1
    assert any(f"This is a {label} (" in words(outputs) for label in GUITARS.values())


def test_the_model_notebook_interprets_the_learner_with_fastai(run_notebook: Run) -> None:
    outputs = run_notebook("look_at_the_model")
    assert pictures(outputs["interpret"]) == 1
    assert pictures(outputs["interpret-confused"]) == 1
    assert "gibson_SG" in words(outputs["interpret-confused"])


def test_the_model_notebook_shows_where_the_network_looks(run_notebook: Run) -> None:
    assert pictures(run_notebook("look_at_the_model")["look"]) == 1
