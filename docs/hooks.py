"""What MkDocs makes of the repository: pages of files outside docs/, one for each package, and a picture of them."""

from __future__ import annotations

import ast
import re
from html import escape
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import fmean

import grimp
from importlinter.api import read_configuration
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGE = "guitar_kedro"
PAGES = {"index": "README", "contributing": "CONTRIBUTING", "security": "SECURITY", "changelog": "CHANGELOG"}
COLUMN, ROW, HEIGHT = 110, 66, 30  # pixels of the picture


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not kept in docs/, so that nothing is kept twice."""
    for page, name in PAGES.items():
        files.append(File.generated(config, f"{page}.md", content=(ROOT / f"{name}.md").read_text(encoding="utf-8")))
    for package in (path.parent.name for path in ROOT.glob(f"src/{PACKAGE}/*/__init__.py")):
        # in a search, the reference stands after the guides
        reference = f"---\nsearch: {{boost: 0.3}}\n---\n# {package}\n\n::: {PACKAGE}.{package}\n"
        files.append(File.generated(config, f"api/{package}.md", content=reference))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages of the site that lead to files on GitHub, and put in the picture of the modules."""
    for name, file in PAGES.items():
        markdown = re.sub(rf"\]\((\.\./)?{file}\.md", f"]({name}.md", markdown)
    markdown = markdown.replace("](docs/", "](")
    place = "<!-- modules -->"
    return markdown.replace(place, f"<figure>{draw_modules()}</figure>") if place in markdown else markdown


def draw_modules() -> str:
    """Return an SVG of what imports what, in the layers of the contract of import-linter.

    The packages are drawn, and the files that run the pipelines. An arrow from one to another is left out where other
    arrows lead there as well.
    """
    imports = find_imports()
    layers = find_layers({module for pair in imports for module in pair})
    row_of = {module: row for row, layer in enumerate(layers) for module in layer}
    # an arrow has a point in each row that it crosses, so that it runs beside the boxes
    ways = [[a, *((a, b, row) for row in range(row_of[a] + 1, row_of[b])), b] for a, b in imports]
    rows = [
        [*layer, *(way[row - row_of[way[0]]] for way in ways if row_of[way[0]] < row < row_of[way[-1]])]
        for row, layer in enumerate(layers)
    ]
    at = lay_out(rows, [pair for way in ways for pair in pairwise(way)])
    width, height = max(x for x, _ in at.values()) + COLUMN, len(rows) * ROW
    return (
        f'<svg class="modules" role="img" aria-label="Which module imports which" viewBox="0 0 {width} {height}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z"/></marker></defs>'
        f"{''.join(arrow([at[point] for point in way]) for way in ways)}"
        f"{''.join(box(module, *at[module]) for module in row_of)}</svg>"
    )


def find_imports() -> list[tuple[str, str]]:
    """Return importer and imported, of the modules that are drawn, where no chain of other imports implies it."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    modules = graph.find_children(PACKAGE)
    packages = {module for module in modules if graph.find_children(module)}
    for module in packages:
        graph.squash_module(module)
    drawn = packages | {module for module in modules - packages if graph.chain_exists(module, f"{PACKAGE}.pipelines")}
    found = []
    for importer in sorted(drawn):
        imported = (graph.find_modules_directly_imported_by(importer) & drawn) - {importer}
        for module in sorted(imported):
            if not any(graph.chain_exists(between, module) for between in imported - {module}):
                found.append((importer.rpartition(".")[2], module.rpartition(".")[2]))
    return found


def find_layers(modules: set[str]) -> list[list[str]]:
    """Return those of the modules that are in each layer of the contract, the highest layer first."""
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    found = [[module for module in re.split(r"\W+", layer) if module in modules] for layer in layers]
    return [layer for layer in found if layer]


def lay_out(rows: list[list], lines: list[tuple]) -> dict:
    """Return x and y of each point: each near those that lines lead to, so that few lines cross (Sugiyama 1981)."""
    xs = {point: COLUMN * column for row in rows for column, point in enumerate(row)}
    for down in [True, False] * 10:
        for row in rows if down else reversed(rows):
            wishes = {}
            for point in row:
                others = [a if down else b for a, b in lines if (b if down else a) == point]
                wishes[point] = fmean(xs[other] for other in others) if others else xs[point]
            row.sort(key=wishes.__getitem__)
            free = -inf
            for point in row:
                xs[point] = max(wishes[point], free)
                free = xs[point] + COLUMN
            shift = fmean(wishes[point] - xs[point] for point in row)
            xs |= {point: xs[point] + shift for point in row}
    left = min(xs.values()) - COLUMN
    return {point: (round(xs[point] - left), ROW * number + HEIGHT) for number, row in enumerate(rows) for point in row}


def arrow(points: list[tuple[int, int]]) -> str:
    """Return an arrow through points, from the lower side of one box to the upper side of another."""
    (first_x, first_y), *between, (last_x, last_y) = points
    points = [(first_x, first_y + HEIGHT // 2), *between, (last_x, last_y - HEIGHT // 2)]
    path = f"M{first_x},{first_y + HEIGHT // 2}"
    for (x, y), (to_x, to_y) in pairwise(points):
        path += f" C{x},{(y + to_y) // 2} {to_x},{(y + to_y) // 2} {to_x},{to_y}"
    return f'<path d="{path}"/>'


def box(module: str, x: int, y: int) -> str:
    """Return a module as a box with its name, which tells what it is for; a package leads to its reference."""
    path = ROOT / "src" / PACKAGE / module
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    about = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    width = 14 + 8 * len(module)
    drawn = (
        f'<g class="{"package" if path.is_dir() else "file"}"><title>{escape(about)}</title>'
        f'<rect x="{x - width // 2}" y="{y - HEIGHT // 2}" width="{width}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle">{module}</text></g>'
    )
    return f'<a href="api/{module}.html">{drawn}</a>' if path.is_dir() else drawn
