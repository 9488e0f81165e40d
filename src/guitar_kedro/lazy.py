"""Libraries that are imported when they are first used, so that no command waits for those that it does without."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    np, pd = lazy_loader.load("numpy"), lazy_loader.load("pandas")

__all__ = ["np", "pd"]
