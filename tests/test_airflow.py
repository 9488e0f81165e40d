"""What a user may rely on when Airflow schedules the pipeline: the DAG that kedro-airflow writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import kedro_in

pytestmark = pytest.mark.process

# as much of Airflow as the DAG asks for: it wants versions of FastAPI that this environment does not have
AIRFLOW = {
    "sdk.py": """
IDS = []
def dag(dag_id, **options):
    IDS.append(dag_id)
    return lambda function: function
""",
    "providers/standard/operators/bash.py": """
TASKS, ARROWS = {}, set()
class BashOperator:
    def __init__(self, task_id, bash_command, cwd):
        self.task_id, self.command, self.folder = task_id, bash_command, cwd
        self.nodes = bash_command.rpartition("--nodes=")[2].split(",")
        TASKS[task_id] = self
    def __rshift__(self, later):
        ARROWS.add((self.task_id, later.task_id))
""",
}
CHECK = """
import runpy, subprocess
from pathlib import Path
from airflow.providers.standard.operators.bash import ARROWS, TASKS
from kedro.framework.startup import bootstrap_project

runpy.run_path("airflow_dags/guitar_kedro_dag.py")
bootstrap_project(Path.cwd())
from kedro.framework.project import pipelines

nodes = {node.name: parents for node, parents in pipelines["__default__"].node_dependencies.items()}
task_of = {node: name for name, task in TASKS.items() for node in task.nodes}
assert sorted(node for task in TASKS.values() for node in task.nodes) == sorted(nodes)
arrows = {(task_of[parent.name], task_of[node]) for node, parents in nodes.items() for parent in parents}
assert ARROWS == {(before, after) for before, after in arrows if before != after}
assert len(TASKS) < len(nodes)
for name in ("accept-images", "prepare-images", "build-image-table"):
    subprocess.run(["bash", "-c", TASKS[name].command], cwd=TASKS[name].folder, check=True)
"""


OF_PHOTOS = """
import runpy
from airflow.providers.standard.operators.bash import TASKS
from airflow.sdk import IDS

for name in ("photos", "photos_predict"):
    runpy.run_path(f"airflow_dags/guitar_kedro_{name}_dag.py")
assert IDS == ["guitar-kedro-photos-pets", "guitar-kedro-photos-predict-pets"]
assert TASKS
assert all(" --env=photos " in task.command and " --params=name=pets " in task.command for task in TASKS.values())
"""


def test_the_dag_that_kedro_airflow_writes_is_the_pipeline_and_its_tasks_run(project: Path, tmp_path: Path):
    _write_dags(project)
    _check(CHECK, project, tmp_path)
    again = kedro_in(project, "run", "--to-nodes=build_image_table")
    assert "prepare_images: unchanged since" in again.stdout
    assert "build_image_table: unchanged since" in again.stdout


def test_dags_of_ones_own_photos_have_ids_of_their_own_and_work_in_their_workspace(project: Path, tmp_path: Path):
    _write_dags(project, "--env=photos", "--params=name=pets", "--pipelines=__default__,predict")
    _check(OF_PHOTOS, project, tmp_path)


def _write_dags(project: Path, *options: str) -> None:
    written = kedro_in(project, "airflow", "create", "--group-by=memory", "--jinja-file=conf/airflow.j2", *options)
    assert written.returncode == 0, written.stdout + written.stderr


def _check(code: str, project: Path, tmp_path: Path) -> None:
    for name, content in AIRFLOW.items():
        (tmp_path / "airflow" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "airflow" / name).write_text(content)
    (project / ".venv").symlink_to(sys.prefix)  # as `make` puts it there
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(project / "src"), str(tmp_path)])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
