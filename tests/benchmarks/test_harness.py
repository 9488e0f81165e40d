"""What whoever reads a table of ratios may rely on."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.syspath_prepend(FOLDER)
    import harness

    yield harness
    sys.modules.pop("harness")


def test_a_speed_says_how_many_times_less_ours_costs(harness) -> None:
    line = harness.Line("ours", "theirs", ours=lambda: 2.0, theirs=lambda: 6.0, at_least=2.5)
    assert harness.measure(line, 2, {}) == [3.0, 3.0]
    assert line.reached(3.0)
    assert not line.reached(2.4)


def test_a_cost_says_how_many_times_as_much_ours_costs(harness) -> None:
    line = harness.Line("ours", "theirs", ours=lambda: 6.0, theirs=lambda: 2.0, at_most=2)
    assert harness.measure(line, 1, {}) == [3.0]
    assert not line.reached(3.0)


def test_sides_take_turns_in_going_first(harness) -> None:
    order = []
    line = harness.Line("o", "t", lambda: order.append("ours") or 1.0, lambda: order.append("theirs") or 1.0, at_most=1)
    harness.measure(line, 2, {})
    assert order == ["ours", "theirs", "theirs", "ours"]


def test_what_returns_nothing_costs_the_seconds_it_takes(harness) -> None:
    assert 0 < harness.cost(lambda: None) < 1


def test_fresh_work_runs_in_a_process_of_its_own(harness) -> None:
    assert harness.Fresh(os.getpid).cost({}) != os.getpid()


def test_fresh_work_gets_its_arguments_and_environment(harness) -> None:
    assert harness.Fresh(os.getenv, {"key": "A_NUMBER"}).cost({"A_NUMBER": "3.5"}) == 3.5


def test_a_benchmark_that_crashes_says_why(harness) -> None:
    with pytest.raises(RuntimeError, match="could not convert string to float: 'no number'"):
        harness.Fresh(os.getenv, {"key": "A_NUMBER"}).cost({"A_NUMBER": "no number"})


def test_bfloat16_is_measured_where_it_is_native_and_said_to_be_left_out_elsewhere(
    harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guitar_kedro.learning.networks.device._has_bfloat16", lambda device: True)
    assert harness.precisions() == ("float32", "bfloat16")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("guitar_kedro.learning.networks.device._has_bfloat16", lambda device: False)
    assert harness.precisions() == ("float32",)
    assert "bfloat16" in capsys.readouterr().err


def test_the_table_has_ratios_their_spread_and_the_machine(harness, capsys: pytest.CaptureFixture[str]) -> None:
    module = type(harness)("bench_example")
    module.lines = lambda quick: [harness.Line("ours", "theirs", lambda: 2.0, lambda: 6.0, at_least=2.5)]
    sys.modules["bench_example"] = module
    harness.run(["example"], quick=True, pairs=2)
    table = capsys.readouterr().out
    assert "Quick: few images" in table
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "theirs" in line]
    assert cells == [["ours", "theirs", ">= 2.5", "3.00", "3.00 - 3.00", "", "2", "yes"]]
    assert f"{os.cpu_count()} cores" in table
