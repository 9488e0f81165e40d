"""What a user may rely on about the packages of ``learning``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from guitar_kedro import learning

ROOT = Path(learning.__file__).parent
MAY_IMPORT = {
    "networks": set(),
    "data": {"networks"},
    "training": {"networks", "data"},
    "distributed": {"networks", "data", "training"},
    "inference": {"networks", "data"},
    "export": {"networks", "data", "inference"},
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_stands_before_it(package: str):
    imported = {
        name.split(".")[2]
        for path in (ROOT / package).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (name := node.module or "").startswith("guitar_kedro.learning.")
    }
    assert imported - {package} <= MAY_IMPORT[package]


def test_every_name_that_learning_offers_is_there():
    assert all(getattr(learning, name) for name in learning.__all__)


def test_what_pipelines_and_datasets_read_of_it_loads_no_torch():
    modules = ("training.recipe", "distributed.options", "networks.checkpoint", "inference.chunk", "inference.decision")
    modules += ("inference.backend", "inference.onnx")
    imports = "; ".join(f"import guitar_kedro.learning.{module}" for module in modules)
    code = f"{imports}; import sys; sys.exit('torch' in sys.modules or 'fastai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
