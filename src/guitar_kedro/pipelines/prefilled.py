"""Functions of nodes that are told something by who runs them, and not by a dataset: of which stage they are, say."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


def prefilled(function: Callable[..., Any], **values: Any) -> Callable[..., Any]:
    """Fill in some arguments of the function of a node; Kedro sees a function of the others.

    A ``functools.partial`` would do the same, but neither Kedro nor kedro-viz can read its types and its code.

    Args:
        function: Of the node.
        **values: The arguments.
    """

    @wraps(function)
    def rest(*arguments: Any, **inputs: Any) -> Any:
        return function(*arguments, **inputs, **values)

    signature = inspect.signature(function)
    left = [parameter for name, parameter in signature.parameters.items() if name not in values]
    rest.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    return rest
