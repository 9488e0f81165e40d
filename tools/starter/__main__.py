"""Make a Kedro starter of this repository: ``python tools/starter FOLDER``, then ``kedro new --starter=FOLDER``.

What git tracks becomes the template, with the names of package and project as cookiecutter's variables.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROJECT = "{{ cookiecutter.project_name }}"
NAMES = {"guitar_kedro": "{{ cookiecutter.python_package }}", "guitar-kedro": "{{ cookiecutter.__distribution }}"}
# what is about this project, not about those that are made of it
OWN = (".ci/", "tools/", "tests/test_starter.py")
NEW_PROJECT: dict[str, list[tuple[str, str]]] = {
    "Makefile": [(r"^(\.PHONY:.*) starter\b", r"\1"), (r"^starter:(.*\n)+?\n", "")],
    "README.md": [(r"^## A project of your own\n(?s:.*?)(?=^## )", "")],
    "CONTRIBUTING.md": [(r"^## The starter\n(?s:.*?)(?=^## )", "")],
    "CHANGELOG.md": [(r"^## (?s:.*)", "## [0.1.0]\n\nMade with the starter of guitar-kedro.\n")],
    "CITATION.cff": [(r"^version: .*", "version: 0.1.0"), (r"^date-released: .*\n", "")],
    "pyproject.toml": [
        (r'^version = ".*"', 'version = "0.1.0"'),
        (r"^ignore = \[$", r'\g<0>\n    "E501", # texts that a longer name has made too long'),
        (r'^kedro_init_version = ".*"', 'kedro_init_version = "{{ cookiecutter.kedro_version }}"'),
    ],
}


def make_starter(folder: Path) -> None:
    """Write the starter into a folder, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__*__*"))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    for name in listed.stdout.split("\0"):
        if name and not name.startswith(OWN) and (ROOT / name).exists():
            place = folder / "{{ cookiecutter.repo_name }}" / as_template(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place)
            try:
                text = place.read_bytes().decode()
            except UnicodeDecodeError:  # a picture
                continue
            text = as_template(text)
            for pattern, new in NEW_PROJECT.get(name, []):
                text = re.sub(pattern, new, text, flags=re.MULTILINE)
            place.write_bytes(text.encode())


def as_template(text: str) -> str:
    """Put cookiecutter's variables in place of the names; Jinja's own marks stay what they are in the new project."""
    text = re.sub(r"\{(?=[{%#]|guitar[_-]kedro)|guitar[_-]kedro", lambda found: NAMES.get(found[0], "{{ '{' }}"), text)
    title = rf'^(# |title: |site_name: |project_name = "){re.escape(NAMES["guitar-kedro"])}(?="?$)'
    return re.sub(title, lambda found: found[1] + PROJECT, text, flags=re.MULTILINE)


if __name__ == "__main__":
    make_starter(Path(sys.argv[1]))
