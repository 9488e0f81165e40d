"""What README and the pages of docs/ promise: links that lead somewhere, and commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented import CANNOT_RUN, ELSEWHERE, PAGES, documented
from kedro.framework.project import pipelines
from small_project import ROOT

from guitar_kedro.cli import run
from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.pipeline_registry import register_pipelines
from guitar_kedro.session import note_session

SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
# pages that the site has of files beside docs/
FROM_ROOT = re.findall(r'"(\w+)": "[A-Z]+"', (ROOT / "docs/hooks.py").read_text(encoding="utf-8"))
Load = Callable[[str | None, dict[str, Any]], StagesConfigLoader]


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links to them name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_or_a_heading_leads_there(page: Path):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def named(nav: list | dict | str) -> Iterator[str]:
    """The pages in a part of the navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav if isinstance(nav, list) else nav.values():
            yield from named(part)


def test_the_navigation_names_every_page_and_the_reference_of_every_package():
    packages = {f"api/{path.parent.name}.md" for path in ROOT.glob("src/guitar_kedro/*/__init__.py")}
    pages = {page.name for page in ROOT.glob("docs/*.md")} | {f"{page}.md" for page in FROM_ROOT}
    assert sorted(named(SITE["nav"])) == sorted(packages | pages)


def test_every_command_runs_in_a_test_or_is_listed_as_one_that_cannot():
    known = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split())
    shown = documented()
    assert {command.split()[1] for command in shown if command.startswith("make ")} <= known
    assert ELSEWHERE.keys() | CANNOT_RUN.keys() <= set(shown)
    assert all((ROOT / "tests" / test).exists() for test in ELSEWHERE.values())


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Loads the configuration, and leaves no trace of it."""
    monkeypatch.setattr(StagesConfigLoader, "current", None)
    yield lambda env, given: StagesConfigLoader(ROOT / "conf", env, given, base_env="base", default_run_env="local")
    pipelines.configure(None)
    note_session({})


@pytest.mark.parametrize("command", [command for command in documented() if command.startswith("kedro run")])
def test_every_run_has_options_parameters_pipelines_and_nodes_that_there_are(load: Load, command: str):
    words = [word for word in shlex.split(command)[2:] if not word.startswith("--config=")]  # which a run writes
    options = run.make_context("run", words).params
    assert load(options["env"], options["params"])["parameters"]
    pipeline = register_pipelines()[options["pipeline"] or "__default__"]
    named = {*(options["from_nodes"] or ()), *(options["to_nodes"] or ())}
    assert named <= {node.name for node in pipeline.nodes}
