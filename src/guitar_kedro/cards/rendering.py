"""How templates become pages."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Fill in a template; what goes into a page of HTML is escaped.

    Args:
        template: Its name.
        **values: What it asks for.
    """
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("guitar_kedro.cards", "templates"),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _markdown_safe
    environment.filters["unbroken"] = lambda words: words.replace(" %", "\N{NO-BREAK SPACE}%")
    return environment


def _markdown_safe(words: object) -> str:
    """Escape all that Markdown or HTML would read as more than text; the result is one line."""
    line = " ".join(str(words).split())
    line = re.sub(r"([\\`*\[\]<>|~&$])", r"\\\1", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # inside of a word it is only a character
    return re.sub(r"^(\d*)([-+#=.)])(?=\s|[-+#=]|$)", r"\1\\\2", line)
