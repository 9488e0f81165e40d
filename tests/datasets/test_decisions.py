"""Decisions about images are in the file when they are acknowledged, whoever else writes it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from guitar_kedro.datasets.decisions import CurationRow, DecisionsFile
from guitar_kedro.errors import UserError


def drop(file: str) -> CurationRow:
    return CurationRow(file=file, action="drop", label="", by="ann", when="2026-11-29T12:00:00+00:00", why="blurred")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pets" / "curation.csv"


def test_a_decision_is_a_line_with_who_when_and_why(path: Path):
    DecisionsFile(path).change([drop("cat/1.jpg")])
    assert path.read_text("utf-8-sig").splitlines() == [
        "file,action,label,by,when,why",
        "cat/1.jpg,drop,,ann,2026-11-29T12:00:00+00:00,blurred",
    ]


def test_another_decision_about_a_file_takes_the_place_of_the_first_or_takes_it_back(path: Path):
    decisions = DecisionsFile(path)
    decisions.change([drop("a"), drop("b")])
    decisions.change([CurationRow(file="a", action="relabel", label="cat"), CurationRow(file="b", action="", label="")])
    assert [(row.file, row.action, row.label) for row in DecisionsFile(path).rows().values()] == [
        ("a", "relabel", "cat")
    ]


def test_what_a_person_wrote_meanwhile_stays_with_its_semicolons(path: Path):
    decisions = DecisionsFile(path)
    decisions.change([drop("a")])
    path.write_text("file;action\nb;keep\n", encoding="utf-16")
    decisions.change([drop("c;d")])
    assert path.read_text("utf-8-sig").splitlines()[1].startswith("b;keep;;")
    assert list(DecisionsFile(path).rows()) == ["b", "c;d"]


def test_a_spreadsheet_computes_nothing_that_a_file_is_called(path: Path):
    names = ["=1+1.jpg", "'=1.jpg", "@x/1.jpg", "'s.jpg"]
    DecisionsFile(path).change(map(drop, names))
    cells = [line.split(",")[0] for line in path.read_text("utf-8-sig").splitlines()[1:]]
    assert cells == ["'=1+1.jpg", "''=1.jpg", "'@x/1.jpg", "'s.jpg"]
    assert list(DecisionsFile(path).rows()) == names


def test_a_link_stays_one(tmp_path: Path):
    mine, link = tmp_path / "mine.csv", tmp_path / "curation.csv"
    mine.write_text("file,action\nb,keep\n")
    link.symlink_to(mine)
    DecisionsFile(link).change([drop("a")])
    assert link.is_symlink()
    assert list(DecisionsFile(mine).rows()) == ["b", "a"]


def test_a_file_that_cannot_be_read_is_not_written_over(path: Path):
    path.parent.mkdir()
    path.write_text("file,action\na,delete\n", encoding="utf-8")
    with pytest.raises(UserError, match="the action 'delete' is none of"):
        DecisionsFile(path).change([drop("b")])
    assert path.read_text(encoding="utf-8") == "file,action\na,delete\n"


def _decide_on(path: Path, writer: str) -> None:
    decisions = DecisionsFile(path)
    with (path.parent / writer).open("w", encoding="utf-8") as acknowledged:
        for number in range(100_000):
            decisions.change([drop(f"{writer}{number}")])
            acknowledged.write(f"{writer}{number}\n")
            acknowledged.flush()


def test_two_writers_lose_nothing_of_each_other_though_both_are_killed(path: Path):
    path.parent.mkdir()
    context = multiprocessing.get_context("fork")
    writers = {name: context.Process(target=_decide_on, args=(path, name)) for name in ("a", "b")}
    for process in writers.values():
        process.start()

    def acknowledged(name: str) -> list[str]:
        file = path.parent / name
        return file.read_text("utf-8").splitlines()[:-1] if file.exists() else []  # the last line may be half a line

    for name, process in writers.items():
        while len(acknowledged(name)) < 10:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    there = DecisionsFile(path).rows()
    for name in writers:
        assert {*acknowledged(name)} <= {*there}
