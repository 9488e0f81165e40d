"""The real command line, from a table of searches to licensed class folders on which the next run trains."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from picture_sources import BROKEN, PictureSources, closed_port, picture_sources
from small_project import Command, Kedro

from guitar_kedro.collecting.hosts import AT_ONCE

CLASSES = ("cat", "dog", "owl")
WORKSPACE = "data/01_raw/pets"
COLLECT = ("run", "--env=photos", "--pipeline=collect")
pytestmark = pytest.mark.process


@pytest.fixture
def sources() -> Iterator[PictureSources]:
    with picture_sources() as server:
        yield server


def fill(sources: PictureSources, count: int) -> None:
    """Lets two sources find so many pictures in all, one of twenty of which is broken."""
    names = [
        f"{BROKEN[number // 20 % len(BROKEN)] if number % 20 == 0 else 'photo'}-{number}" for number in range(count)
    ]
    for place, name in enumerate(names):
        label = CLASSES[place % len(CLASSES)]
        sources.found.setdefault(f"{'' if place % 5 < 3 else 'commons '}{label} photo", []).append(name)


def write_queries(project: Path) -> str:
    (project / "queries.csv").write_text("query,label\n" + "".join(f"{label} photo,{label}\n" for label in CLASSES))
    return "queries=queries.csv,name=pets"


def table(project: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(project / WORKSPACE / f"{name}.csv", keep_default_na=False)


def settled(project: Path) -> set[str]:
    """The paths of the pictures of which the journal says what became of them, and of the pages that it has."""
    lines = (project / WORKSPACE / "collected.jsonl").read_bytes().split(b"\n")[:-1]
    known = (json.loads(line) for line in lines)
    urls = (line["page"]["asked"] if "page" in line else line["picture"]["candidate"]["url"] for line in known)
    return {f"/{url.split('/', 3)[3]}" for url in urls}


def kill_at(project: Path, sources: PictureSources, answers: int, *command: str) -> None:
    """Starts a command, and kills it when the server has given so many answers."""
    running = Command(project, *command, output=project)
    deadline = time.monotonic() + 120
    while len(sources.log) < answers and time.monotonic() < deadline:
        assert running.poll() is None, running.said()
        time.sleep(0.005)
    running.kill()
    running.wait(timeout=20)


def test_what_is_collected_is_complete_after_kills_and_nothing_is_asked_twice(
    project: Path, kedro: Kedro, sources: PictureSources
):
    fill(sources, 500)
    here = sources.params("openverse", "commons", inaturalist=f"http://{closed_port()}/v1")
    params = f"--params={write_queries(project)},ingestion.max_bytes=1000000,{here}"
    known, answered = set(), 0
    for answers in (150, 350, None):
        if answers:
            kill_at(project, sources, answers, *COLLECT, params)
        else:
            run = kedro(*COLLECT, params)
        assert not known & set(sources.log[answered:]), "what was known is asked again"
        known, answered = settled(project), len(sources.log)
    assert len(sources.log) - len(set(sources.log)) <= 2 * AT_ONCE, "but what was under way when it was killed"

    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    names = {name for found in sources.found.values() for name in found}
    broken = {name for name in names if not name.startswith("photo")}
    kept, rejected = table(project, "attributions"), table(project, "rejected_downloads")
    assert set(kept["url"].str.rpartition("/")[2]) == names - broken
    assert set(rejected["url"].str.rpartition("/")[2]) == broken
    assert (rejected["detail"] != "").all()
    folder = project / WORKSPACE / "collected"
    assert {path.relative_to(folder).as_posix() for path in folder.glob("*/*")} == set(kept["file"])
    for row in kept.itertuples():
        assert hashlib.sha256((folder / row.file).read_bytes()).hexdigest() == row.sha256
    for column in ("source", "page", "author", "license", "license_url", "query", "time"):
        assert (kept[column] != "").all(), column
    for words in ("iNaturalist was not asked for all", "iNaturalist answered 0 of 3 searches", "cat: 158 images"):
        assert words in said
    assert "For more of a class" in said
    assert f"trains on {WORKSPACE}/collected" in said

    run = kedro("run", "--env=photos", "--pipelines=ingestion", "--params=name=pets")
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"The images are those that were collected: {WORKSPACE}/collected" in run.stdout
    assert len(pd.read_csv(project / "data/03_primary/pets/image_table.csv")) == 475


def test_further_lines_of_the_table_and_addresses_in_it_join_what_is_there(
    project: Path, kedro: Kedro, sources: PictureSources
):
    params = f"queries=queries.csv,name=pets,{sources.params('openverse')}"
    queries = project / "queries.csv"
    queries.write_text("query,label\nnothing,cat\n")
    run = kedro(*COLLECT, f"--params={params}")
    assert run.returncode == 0
    assert "trains on" not in run.stdout, "nothing was found"
    sources.found = {"tabby": ["a"], "beagle": ["b"]}
    queries.write_text("query,label\ntabby,cat\n")
    assert kedro(*COLLECT, f"--params={params}").returncode == 0
    mine = [f",dog,{sources.url}/picture/{name},{license}," for name, license in (("c", "CC BY 4.0"), ("d", ""))]
    queries.write_text("\n".join(["query,label,url,license,author", "tabby,cat,,,", "beagle,dog,,,", *mine]))
    run = kedro(*COLLECT, f"--params={params}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert sorted(table(project, "attributions")["url"].str[-1]) == ["a", "b", "c"]
    assert table(project, "rejected_downloads")[["url", "reason"]].to_numpy().tolist() == [
        [f"{sources.url}/picture/d", "no_license"]
    ]
    assert len(sources.log) == 3 + 3, "three searches, three pictures"
    assert "rejected: 1 no_license (rejected_downloads says why)" in run.stdout
    assert "give the table further searches: other words" in run.stdout
    queries.write_text(f"url,label\n{sources.url}/picture/d,dog\n")
    assert "further addresses, each with its license" in kedro(*COLLECT, f"--params={params}").stdout


def one_line(kedro: Kedro, *command: str) -> str:
    run = kedro(*command)
    assert run.returncode != 0
    assert "Traceback" not in run.stdout + run.stderr
    return (run.stdout + run.stderr).strip().splitlines()[-1]


def test_what_a_person_got_wrong_is_told_before_anything_is_asked(project: Path, kedro: Kedro, sources: PictureSources):
    queries = write_queries(project)
    assert "--params=contact=" in one_line(kedro, *COLLECT, f"--params={queries}")
    assert "--env=photos" in one_line(kedro, "run", "--pipeline=collect", "--params=queries=queries.csv")
    assert "--env=photos" in one_line(kedro, "run", "--pipeline=collect", f"--params={queries}")
    (project / "wrong.csv").write_text("query,label\ncat,a/b\n")
    assert "wrong.csv, line 2: the label 'a/b'" in one_line(kedro, *COLLECT, "--params=queries=wrong.csv")
