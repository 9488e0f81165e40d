"""What the next run does again, on small pipelines of numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from PIL import Image
from rows import row

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.datasets import DrawnImagesDataset, LogDataset, MetricsDataset, OptionalMetricsDataset, PixelsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.learning import Pixels, decode_pictures, pixel_sizes
from guitar_kedro.runs.runner import ResumingRunner
from guitar_kedro.runs.status import node_statuses
from guitar_kedro.versions import VERSIONS


class Project:
    """A folder with a run cache, in which nodes run that note that they ran."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.ran, self.runs = folder, [], 0
        self.parameters: dict[str, Any] = {"resume": True, "factor": 2, "offset": {"value": 1}}
        self.load_versions: dict[str, str] = {}
        self.more: dict[str, AbstractDataset] = {}
        monkeypatch.setattr(StagesConfigLoader, "current", {"parameters": self.parameters})

    def node(
        self,
        name: str,
        inputs: list[str],
        outputs: str | list[str],
        function: Callable[..., Any],
        tags: str | None = None,
    ) -> Node:
        def noted(*values: Any) -> Any:
            self.ran.append(name)
            return function(*values)

        return Node(func=noted, inputs=inputs, outputs=outputs, name=name, tags=tags)

    def catalog(self) -> DataCatalog:
        version = f"{self.runs:03d}"
        versioned = ("doubled", "shifted", "sum")
        datasets: dict[str, Any] = {
            name: MetricsDataset(
                filepath=str(self.folder / f"{name}.json"), version=Version(self.load_versions.get(name), version)
            )
            for name in versioned
        }
        for name in ("raw", "plain", "run_cache"):
            datasets[name] = MetricsDataset(filepath=str(self.folder / f"{name}.json"))
        datasets["log"] = LogDataset(filepath=str(self.folder / "log.csv"), schema=row(errors=int, time=str))
        datasets["foreign"] = JSONDataset(filepath=str(self.folder / "foreign.json"))
        datasets |= {name: MemoryDataset() for name in ("in_memory", "returned")}
        datasets |= self.more
        datasets |= {"params:factor": MemoryDataset(self.parameters["factor"])}
        datasets |= {"params:offset": MemoryDataset(self.parameters["offset"])}
        return DataCatalog(datasets)

    def run(self, pipeline: Pipeline, always: frozenset[str] = frozenset()) -> list[str]:
        """Runs as a session of its own would, and gives the names of the nodes that ran."""
        self.runs += 1
        self.ran.clear()
        ResumingRunner(always).run(pipeline, self.catalog(), run_id=f"{self.runs:03d}")
        return list(self.ran)

    def latest(self, name: str) -> Any:
        return self.catalog().load(name)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, monkeypatch)
    project.catalog().save("raw", {"number": 5})
    return project


@pytest.fixture
def chain(project: Project) -> Pipeline:
    """Gives doubled = raw * factor; plain = doubled + 1; shifted = doubled + offset."""
    return Pipeline(
        [
            project.node("double", ["raw", "params:factor"], "doubled", lambda raw, by: {"number": raw["number"] * by}),
            project.node("add_one", ["doubled"], "plain", lambda doubled: {"number": doubled["number"] + 1}),
            project.node(
                "shift",
                ["doubled", "params:offset"],
                "shifted",
                lambda doubled, by: {"number": doubled["number"] + by["value"]},
            ),
        ]
    )


def test_what_is_unchanged_is_skipped_with_a_line_that_says_so(
    project: Project, chain: Pipeline, caplog: pytest.LogCaptureFixture
):
    assert project.run(chain) == ["double", "add_one", "shift"]
    with caplog.at_level("INFO", "guitar_kedro"):
        assert project.run(chain) == []
    assert "double: unchanged since 001, skipped" in caplog.messages
    assert project.latest("shifted") == {"number": 11}


def test_a_changed_parameter_makes_its_node_run_again_and_says_from_what_to_what(
    project: Project, chain: Pipeline, caplog: pytest.LogCaptureFixture
):
    project.run(chain)
    project.parameters["offset"] = {"value": 4}
    with caplog.at_level("INFO", "guitar_kedro"):
        assert project.run(chain) == ["shift"]
    assert "shift runs again: offset.value is 4, was 1" in caplog.messages
    assert project.latest("shifted") == {"number": 14}


def test_a_changed_input_makes_all_run_again_that_depends_on_it(project: Project, chain: Pipeline):
    project.run(chain)
    project.catalog().save("raw", {"number": 6})
    assert project.run(chain) == ["double", "add_one", "shift"]


def test_what_comes_out_the_same_makes_nothing_run_again(project: Project, chain: Pipeline):
    project.run(chain)
    project.catalog().save("raw", {"number": 10})
    project.parameters["factor"] = 1
    assert project.run(chain) == ["double"]
    assert project.run(chain) == []


def test_without_resuming_everything_runs(project: Project, chain: Pipeline):
    project.run(chain)
    project.parameters["resume"] = False
    assert project.run(chain) == ["double", "add_one", "shift"]


def test_runs_go_on_where_earlier_ones_ended_unless_told_otherwise(project: Project, chain: Pipeline):
    project.parameters.pop("resume", None)
    project.run(chain)
    assert project.run(chain) == []


def test_resume_is_true_or_false(project: Project, chain: Pipeline):
    project.parameters["resume"] = "perhaps"
    with pytest.raises(UserError, match="resume is 'perhaps'"):
        project.run(chain)


def test_a_node_that_is_asked_for_by_name_runs(project: Project, chain: Pipeline):
    project.run(chain)
    assert project.run(chain, always=frozenset({"add_one"})) == ["add_one"]


def test_a_node_that_failed_runs_again_and_those_before_it_do_not(project: Project):
    def fail(_: Any) -> None:
        raise ValueError

    double = project.node("double", ["raw", "params:factor"], "doubled", lambda raw, by: {"number": by})
    with pytest.raises(ValueError):
        project.run(Pipeline([double, project.node("shift", ["doubled"], "shifted", fail)]))
    mended = project.node("shift", ["doubled"], "shifted", lambda doubled: doubled)
    assert project.run(Pipeline([double, mended])) == ["shift"]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_text("{}")])
def test_a_result_that_was_removed_or_edited_is_made_again(
    project: Project, chain: Pipeline, change: Callable[[Path], Any]
):
    project.run(chain)
    change(project.folder / "plain.json")
    assert project.run(chain) == ["add_one"]
    assert project.latest("plain") == {"number": 11}


def test_a_damaged_version_stops_the_run_and_is_made_again_only_when_asked_for(project: Project, chain: Pipeline):
    project.run(chain)
    project.parameters["factor"] = 3
    project.run(chain)
    damaged = project.folder / "doubled.json" / "002" / "doubled.json"
    damaged.write_text("{")
    with pytest.raises(UserError, match=r"doubled\.json is not as it was saved.*before it is 001"):
        project.run(chain)
    assert node_statuses(chain, project.catalog(), project.parameters)["double"].state == "damaged"
    assert project.run(chain, always=frozenset({"double"})) == ["double"]
    assert project.latest("doubled") == {"number": 15}


def test_a_damaged_version_that_is_removed_is_made_again(project: Project, chain: Pipeline):
    project.run(chain)
    shutil.rmtree(project.folder / "shifted.json" / "001")
    assert project.run(chain) == ["shift"]
    assert project.latest("shifted") == {"number": 11}


def test_a_version_that_is_named_is_taken_and_its_node_left_out(project: Project, chain: Pipeline):
    project.run(chain)
    old = project.latest("shifted")
    project.parameters["factor"] = 3
    project.run(chain)
    assert project.latest("shifted") != old
    project.load_versions = {"doubled": "001"}
    assert project.run(chain) == ["add_one", "shift"]
    project.load_versions = {}
    assert project.latest("shifted") == old
    assert project.run(chain) == ["add_one", "shift"]


@pytest.fixture
def sealed(project: Project) -> Pipeline:
    """As in the evaluation: what is predicted stays in memory, one node keeps it and another one logs it."""
    return Pipeline(
        [
            project.node("predict", ["raw", "params:factor"], "in_memory", lambda raw, by: raw["number"] * by),
            project.node("gather", ["in_memory", "params:offset"], "doubled", lambda number, _: {"number": number}),
            project.node("record", ["in_memory"], "log", lambda number: pd.DataFrame({"errors": [number]})),
        ]
    )


def test_a_skipped_prediction_is_not_logged(project: Project, sealed: Pipeline):
    assert project.run(sealed) == ["predict", "gather", "record"]
    assert project.run(sealed) == []
    assert project.latest("log")["errors"].tolist() == [10]


def test_a_prediction_that_one_node_needs_anew_is_logged_anew(project: Project, sealed: Pipeline):
    project.run(sealed)
    project.parameters["offset"] = {"value": 2}
    assert project.run(sealed) == ["predict", "gather", "record"]
    assert project.latest("log")["errors"].tolist() == [10, 10]


def test_a_result_that_the_caller_gets_in_memory_is_computed_each_time(project: Project):
    pipeline = Pipeline([project.node("predict", ["raw"], "returned", lambda raw: raw["number"])])
    assert project.run(pipeline) == project.run(pipeline) == ["predict"]


def test_a_dataset_of_another_kind_makes_its_nodes_run_each_time(project: Project):
    pipeline = Pipeline([project.node("export", ["raw"], "foreign", lambda raw: raw)])
    assert project.run(pipeline) == project.run(pipeline) == ["export"]


def test_a_parameter_that_names_a_file_counts_with_the_file(project: Project, chain: Pipeline):
    weights = project.folder / "weights.pth"
    weights.write_bytes(b"one")
    project.parameters["offset"] = {"value": 1, "weights": str(weights)}
    project.run(chain)
    assert project.run(chain) == []
    weights.write_bytes(b"another")
    assert node_statuses(chain, project.catalog(), project.parameters)["shift"].reasons == (
        f"the file {weights} changed",
    )
    assert project.run(chain) == ["shift"]


def test_nodes_that_wait_for_each_other_through_memory_are_named(project: Project):
    pipeline = Pipeline(
        [
            project.node("a", ["raw"], ["in_memory", "doubled"], lambda raw: (1, raw)),
            project.node("b", ["doubled"], "shifted", lambda doubled: doubled),
            project.node("c", ["in_memory", "shifted"], "sum", lambda number, shifted: shifted),
        ]
    )
    with pytest.raises(UserError, match=r"wait for each other.*an entry in catalog\.yml"):
        project.run(pipeline)


def test_a_ledger_that_cannot_be_read_is_named(project: Project, chain: Pipeline):
    project.run(chain)
    (project.folder / "run_cache.json").write_text("{")
    with pytest.raises(UserError, match=r"run_cache\.json cannot be read: remove it"):
        project.run(chain)
    (project.folder / "run_cache.json").unlink()
    assert project.run(chain) == ["double", "add_one", "shift"]


def test_the_status_says_what_a_run_would_do(project: Project, chain: Pipeline):
    def states() -> dict[str, str]:
        statuses = node_statuses(chain, project.catalog(), project.parameters)
        return {name: status.state for name, status in statuses.items()}

    assert states() == {"double": "missing", "add_one": "missing", "shift": "missing"}
    project.run(chain)
    assert states() == {"double": "done", "add_one": "done", "shift": "done"}
    project.parameters["offset"] = {"value": 2}
    assert states() == {"double": "done", "add_one": "done", "shift": "stale"}
    project.parameters["factor"] = 3
    statuses = node_statuses(chain, project.catalog(), project.parameters)
    assert statuses["double"].reasons == ("factor is 3, was 2",)
    assert (statuses["add_one"].state, statuses["add_one"].reasons) == ("stale", ())
    assert statuses["shift"].version == "001"


def test_what_is_made_in_a_newer_way_is_made_again_with_all_that_depends_on_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    count = project.node("count", ["raw"], "doubled", lambda raw: {"number": project.runs}, tags="splits")
    draw = project.node("draw", ["doubled"], "plain", lambda doubled: doubled, tags="reports")
    pipeline = Pipeline([count, draw])
    assert project.run(pipeline) == ["count", "draw"]
    monkeypatch.setitem(VERSIONS, "splits", version := VERSIONS["splits"] + 1)
    said = f"splits are made in a newer way (version {version}, was {version - 1})"
    assert node_statuses(pipeline, project.catalog(), project.parameters)["count"].reasons == (said,)
    with caplog.at_level("INFO", "guitar_kedro"):
        assert project.run(pipeline) == ["count", "draw"]
    assert f"count runs again: {said}" in caplog.messages
    assert project.run(pipeline) == []


def test_what_a_ledger_without_versions_knows_is_made_again_and_the_reason_told(project: Project, chain: Pipeline):
    project.run(chain)
    path = project.folder / "run_cache.json"
    run_cache = json.loads(path.read_text())
    for entry in run_cache.values():
        del entry["fingerprint"]["versions"]
        entry["fingerprint"]["code"] = {"guitar_kedro.learning.training": "0123456789abcdef"}
    path.write_text(json.dumps(run_cache))
    reasons = node_statuses(chain, project.catalog(), project.parameters)["shift"].reasons
    assert reasons == ("it was made before versions of results were noted",)
    assert project.run(chain) == ["double", "add_one", "shift"]
    assert project.run(chain) == []


def test_a_set_that_was_drawn_in_part_and_completed_by_a_run_is_right_at_once(project: Project):
    project.more["drawn"] = DrawnImagesDataset(str(project.folder), images_per_class=1, size=24, seed=1)
    missing = project.catalog().load("drawn")[3].path
    missing.unlink()  # as Ctrl-C leaves it
    pipeline = Pipeline([project.node("count", ["drawn"], "plain", lambda drawn: {"number": len(drawn)})])
    assert project.run(pipeline) == ["count"]
    assert missing.exists()
    assert node_statuses(pipeline, project.catalog(), project.parameters)["count"].state == "done"
    assert project.run(pipeline) == []


def test_what_a_person_adds_while_a_node_runs_is_looked_at_by_the_next_run(project: Project):
    decisions = project.folder / "decisions.json"
    project.more["decisions"] = OptionalMetricsDataset(filepath=str(decisions))

    def decide(_: Any) -> dict[str, Any]:
        decisions.write_text("{}")
        return {}

    pipeline = Pipeline([project.node("apply", ["decisions"], "plain", decide)])
    assert project.run(pipeline) == ["apply"]
    assert node_statuses(pipeline, project.catalog(), project.parameters)["apply"].reasons == ("decisions changed",)
    assert project.run(pipeline) == ["apply"]
    assert project.run(pipeline) == []


def test_of_what_says_who_computes_only_the_number_of_processes_makes_nodes_run_again(
    project: Project, caplog: pytest.LogCaptureFixture
):
    one = {"nproc_per_node": 1, "nnodes": 1, "rdzv_endpoint": None, "max_restarts": 3, "cluster": None}
    project.parameters |= {"workspace": "mine", **one}
    project.more = {f"params:{name}": MemoryDataset(value) for name, value in one.items()}
    train = project.node("train", ["raw", *project.more], "plain", lambda raw, *_: raw)
    assert project.run(Pipeline([train])) == ["train"]
    project.parameters |= {"max_restarts": 0, "cluster": "tcp://host:8786"}
    assert project.run(Pipeline([train])) == []
    project.parameters["nproc_per_node"] = 2
    with caplog.at_level("INFO", "guitar_kedro"):
        assert project.run(Pipeline([train])) == ["train"]
    assert "train runs again: processes is 2, was 1" in caplog.messages
    project.parameters |= {"nproc_per_node": 1, "nnodes": 2, "rdzv_endpoint": "127.0.0.1:29400"}
    assert project.run(Pipeline([train])) == []


def test_decoded_pictures_may_be_removed_and_are_decoded_again_when_they_are_needed(
    project: Project, caplog: pytest.LogCaptureFixture
):
    Image.new("RGB", (8, 8)).save(project.folder / "a.png")
    project.more["pixels"] = PixelsDataset(str(project.folder / "pixels"))
    table = pd.DataFrame({"image_id": ["a"], "path": [str(project.folder / "a.png")], "split": ["train"]})
    decode = project.node("decode", ["raw"], "pixels", lambda _: decode_pictures(table, pixel_sizes(8, 1, "squish")))

    def train(pixels: Pixels, by: int) -> dict[str, Any]:
        return {"number": by + pixels.positions(["a"], "train")[0].item()}

    pipeline = Pipeline([decode, project.node("train", ["pixels", "params:factor"], "plain", train)])
    assert project.run(pipeline) == ["decode", "train"]
    shutil.rmtree(project.folder / "pixels")
    assert {each.state for each in node_statuses(pipeline, project.catalog(), project.parameters).values()} == {"done"}
    assert project.run(pipeline) == []
    project.parameters["factor"] = 3
    with caplog.at_level("INFO", "guitar_kedro"):
        assert project.run(pipeline) == ["decode", "train"]
    assert "decode runs again: pixels is needed, and was removed" in caplog.messages
    assert project.run(pipeline) == []
    shutil.rmtree(project.folder / "pixels")
    assert project.run(Pipeline([decode])) == ["decode"]  # asked for by itself
    assert project.run(Pipeline([decode])) == []
