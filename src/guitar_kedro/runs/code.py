"""Which code makes the results of a node: its function, and whatever of this package that uses, step by step.

The code is read and not imported, so that nothing waits for torch. Comments, docstrings and layout do not count, and
neither do other packages: a new version of torch makes no result stale.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
_ROOT = Path(__file__).parents[1]

_Symbol = tuple[str, str]  # a module, and a name that stands at its top


def code_fingerprint(function: Callable[..., Any]) -> dict[str, str]:
    """Gives a checksum for each module that has a part in what a function returns.

    A function that returns a checkpoint is not run for hours because a figure is drawn in another way: functions that
    return a figure do not count for it.

    Args:
        function: Of a node.

    Returns:
        Checksums of the used definitions by module. It is empty for a function from outside this package.
    """
    function = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    without_figures = "Checkpoint" in str(function.__annotations__.get("return"))
    start = (function.__module__, function.__qualname__.partition(".")[0])
    digests: dict[str, Any] = {}
    for module, name in sorted(_used(start, without_figures)):
        digests.setdefault(module, hashlib.sha256()).update(_content(module, name))
    return {module: digest.hexdigest()[:16] for module, digest in digests.items()}


@functools.cache
def _used(start: _Symbol, without_figures: bool) -> frozenset[_Symbol]:
    found: set[_Symbol] = set()
    todo = [start]
    while todo:
        module, name = todo.pop()
        symbol = _defined(module, name)
        if symbol is None or symbol in found or (without_figures and _draws(symbol)):
            continue
        found.add(symbol)
        todo.extend(_uses(symbol))
    return frozenset(found)


@dataclass(frozen=True)
class _Module:
    """What stands at the top of a module.

    Attributes:
        definitions: Statements that define a name.
        imports: For a name that is imported from this package: the module, and what is taken from it.
        lazy: For a name that a package offers lazily (``lazy_loader.attach``): the submodule that has it.
    """

    definitions: dict[str, list[ast.stmt]]
    imports: dict[str, _Symbol]
    lazy: dict[str, str]


@functools.cache
def _module(name: str) -> _Module | None:
    path = _ROOT.joinpath(*name.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if name.partition(".")[0] != PACKAGE or not path.exists():
        return None
    tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
    definitions: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for defined in _names(statement):
            definitions.setdefault(defined, []).append(statement)
    nodes = list(ast.walk(tree))
    imports = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == PACKAGE
        for alias in node.names
    }
    offered = [
        ast.literal_eval(node.value) for node in nodes if isinstance(node, ast.keyword) and node.arg == "submod_attrs"
    ]
    lazy = {
        attribute: f"{name}.{of}" for table in offered for of, attributes in table.items() for attribute in attributes
    }
    return _Module(definitions, imports, lazy)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body[:1] = []
    return tree


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_set(node)]
    return []


def _is_set(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _defined(module: str, name: str) -> _Symbol | None:
    """Finds where a name is defined, following imports; ``None`` where that is not in this package."""
    while (found := _module(module)) is not None:
        if name in found.definitions:
            return module, name
        if name in found.imports:
            module, name = found.imports[name]
        elif name in found.lazy:
            module = found.lazy[name]
        else:
            return None
    return None


def _uses(symbol: _Symbol) -> Iterator[_Symbol]:
    module, name = symbol
    for statement in _module(module).definitions[name]:
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=used):
                    yield module, used
                case ast.Attribute(value=ast.Name(id=package), attr=used) if package in _module(module).imports:
                    # `learning.train_phase`, where `learning` is a package that was imported whole
                    yield ".".join(_module(module).imports[package]), used


@functools.cache
def _content(module: str, name: str) -> bytes:
    """What a definition says, and the templates that it names."""
    statements = _module(module).definitions[name]
    folder = _ROOT.joinpath(*module.split(".")[1:-1], "templates")
    texts = {node.value for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Constant)}
    templates = sorted(path for path in folder.glob("*.j2") if texts & {path.name, path.name.removesuffix(".j2")})
    said = "".join(ast.dump(statement) for statement in statements).encode()
    return b"".join([said, *(template.read_bytes() for template in templates)])


def _draws(symbol: _Symbol) -> bool:
    statement = _module(symbol[0]).definitions[symbol[1]][0]
    returns = getattr(statement, "returns", None)
    return returns is not None and ast.unparse(returns).endswith("Figure")
