"""Where a person finds the latest results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DataCatalog, Version
from kedro.pipeline import Node, Pipeline
from small_project import Kedro

from guitar_kedro.datasets import MetricsDataset
from guitar_kedro.hooks import LatestResults

VERSIONS = ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z")


def write_cards(project: Path, workspace: str) -> str:
    for version in VERSIONS:
        card = project / "data/08_reporting" / workspace / "model_card.html" / version / "model_card.html"
        card.parent.mkdir(parents=True)
        card.write_text(version, encoding="utf-8")
    return card.relative_to(project).as_posix()


@pytest.mark.process
def test_report_says_where_the_latest_model_card_is_and_opens_it(kedro: Kedro, project: Path):
    run = kedro("report")
    assert run.returncode == 1
    sentence = (run.stdout + run.stderr).strip().splitlines()[-1]
    assert sentence == (
        "Error: data/08_reporting/demo/model_card.html: there is no model card yet; run `kedro run` first."
    )

    ours, pets = (write_cards(project, workspace) for workspace in ("demo", "pets"))
    assert kedro("report").stdout.splitlines() == [ours]
    assert kedro("report", "--env=photos", "--params=name=pets").stdout.splitlines() == [pets]
    opened = kedro("report", "--open", BROWSER="echo opened %s").stdout.splitlines()
    assert opened == [ours, f"opened {(project / ours).resolve().as_uri()}"]


@pytest.mark.process
def test_report_waits_for_no_library_of_training_or_tables(project: Path):
    write_cards(project, "demo")
    command = [sys.executable, "-X", "importtime", "-m", "kedro", "report"]
    run = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=True)
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert not imported & {"torch", "fastai", "matplotlib", "pandas.core"}


def test_reports_of_the_latest_run_have_one_stable_path_that_is_no_version(tmp_path: Path):
    def run(version: str, accuracy: float) -> DataCatalog:
        saved = Version(None, version)
        catalog = DataCatalog(
            {
                "run_cache": MetricsDataset(filepath=str(tmp_path / "run_cache.json")),
                "metrics": MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=saved),
                "curve": MetricsDataset(filepath=str(tmp_path / "small" / "curve.json"), version=saved),
                "of_another_run": MetricsDataset(filepath=str(tmp_path / "another.json"), version=saved),
            }
        )
        catalog.save("metrics", {"accuracy": accuracy})
        catalog.save("curve", {"accuracy": accuracy})
        nodes = [Node(print, None, outputs, name=outputs) for outputs in ("metrics", "curve", "of_another_run")]
        LatestResults().after_pipeline_run(Pipeline(nodes), catalog)
        return catalog

    for version, accuracy in zip(VERSIONS, (0.25, 0.75), strict=True):
        catalog = run(version, accuracy)
        for path in ("metrics.json", "small/curve.json"):
            assert json.loads((tmp_path / "latest" / path).read_text())["accuracy"] == accuracy
    assert sorted(path.name for path in (tmp_path / "latest").iterdir()) == ["metrics.json", "small"]
    assert catalog["metrics"].list_versions(full_path=False) == sorted(VERSIONS, reverse=True)
