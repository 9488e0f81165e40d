"""Functions of nodes of which the pipeline fills in some arguments."""

from __future__ import annotations

import inspect
from typing import get_type_hints

from kedro.pipeline import Node

from guitar_kedro.pipelines.prefilled import prefilled


def add(first: int, second: int, *, title: str, **others: int) -> str:
    """Say what numbers add up to."""
    return f"{title}: {first + second + sum(others.values())}"


def test_a_node_takes_what_is_left_and_keeps_its_types_and_its_words():
    function = prefilled(add, title="sum", third=3)
    node = Node(function, {"second": "b", "first": "a"}, "total", name="add")
    assert node.run({"a": 1, "b": 2}) == {"total": "sum: 6"}
    assert node.inputs == ["a", "b"]
    assert list(inspect.signature(function).parameters) == ["first", "second", "others"]
    assert get_type_hints(function)["second"] is int
    assert inspect.unwrap(function) is add
    assert function.__doc__ == add.__doc__
