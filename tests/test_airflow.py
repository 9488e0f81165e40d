"""What a user may rely on when Airflow schedules the pipeline: the DAG that kedro-airflow writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from small_project import kedro_in

# as much of Airflow as the DAG asks for; Airflow itself brings some hundred packages
AIRFLOW = """
TASKS, ARROWS = {}, set()
class Task:
    def __init__(self, name, function, nodes):
        self.name, self.nodes, self.run = name, nodes, lambda: function(*nodes)
        TASKS[name] = self
    def __rshift__(self, later):
        ARROWS.add((self.name, later.name))
def task(task_id):
    return lambda function: lambda *nodes: Task(task_id, function, nodes)
def dag(**options):
    return lambda function: function
"""
CHECK = """
import runpy
from pathlib import Path
from airflow.sdk import ARROWS, TASKS
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
TASKS["prepare-images"].run()
TASKS["build-image-table"].run()
"""


def test_the_dag_that_kedro_airflow_writes_is_the_pipeline_and_its_tasks_run(project: Path, tmp_path: Path):
    written = kedro_in(project, "airflow", "create", "--group-by=memory", "--jinja-file=conf/airflow.j2")
    assert written.returncode == 0, written.stdout + written.stderr
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "sdk.py").write_text(AIRFLOW)
    run = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(project / "src"), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    again = kedro_in(project, "run", "--to-nodes=build_image_table")
    assert "prepare_images: unchanged since" in again.stdout
    assert "build_image_table: unchanged since" in again.stdout
