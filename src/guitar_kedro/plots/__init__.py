"""Figures and sheets of pictures from tables, in one style: no Kedro, no torch."""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure
else:
    Figure = Any  # Kedro looks up the types of all nodes in each command; none of them shall wait for Matplotlib

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
