"""A stage with a probe, through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import yaml
from small_project import kedro_in


def test_a_probe_is_a_phase_like_others_and_its_features_are_computed_once(used_project: Path):
    models, reports = used_project / "data" / "06_models" / "demo", used_project / "data" / "08_reporting" / "demo"
    recipe = used_project / "conf" / "local" / "parameters_training.yml"
    parameters = yaml.safe_load(recipe.read_text())
    small, larger = parameters["stages"].values()
    nothing = {"epochs": 0, "learning_rate": 1}
    small |= {"probe": {}, "frozen": {"epochs": 1, "learning_rate": 1e-9}, "unfrozen": nothing}
    larger |= {"probe": {"C": [0.1]}, "unfrozen": nothing}
    recipe.write_text(yaml.safe_dump(parameters, sort_keys=False))
    run = kedro_in(used_project, "run", "--to-outputs=stage_comparison,embedding_explorer,metrics")
    assert run.returncode == 0, run.stdout + run.stderr
    table = pd.read_csv(max(reports.glob("stage_comparison.csv/*/*.csv")))
    phases = table[["stage", "phase"]].to_numpy().tolist()
    assert phases == [["small", "probe"], ["small", "frozen"], ["larger", "probe"]]
    frozen = json.loads(max((models / "small/frozen_spec.json").glob("*/*.json")).read_text())
    assert (frozen["provenance"]["started_from"], frozen["head"]) == ("small, probe", "linear")
    spec = json.loads(max((models / "model").glob("*/model/spec.json")).read_text())
    assert (spec["head"], spec["provenance"]["phase"], spec["provenance"]["C"]) == ("linear", "probe", 0.1)
    explorer = json.loads(max(reports.glob("embedding_explorer.json/*/*.json")).read_text())
    assert "the frozen network of the probe" in explorer["layout"]["title"]["subtitle"]["text"]
    metrics = json.loads(max(reports.glob("metrics.json/*/*.json")).read_text())
    assert metrics["validation"]["larger"]["errors"] == table["errors"][2]
    again = kedro_in(used_project, "run", "--pipeline=train", "--params=stages.larger.probe.C=[1.0]")
    assert again.returncode == 0, again.stdout + again.stderr
    said = again.stdout + again.stderr
    assert "train.larger.compute_features: unchanged" in said
    assert "Completed train.larger.fit_probe" in said
