"""Names of pictures that came without a label: by their content, since they lie in no class folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_NAME = re.compile(r"unlabelled:([0-9a-f]{20})/")


def unlabelled_name(file_hash: str, file: str) -> str:
    """Name a picture without a label: a decision about it holds wherever it lies, and for no other content.

    Args:
        file_hash: SHA-256 of the file, in hexadecimal.
        file: Its name in the folder that it came in.
    """
    return f"unlabelled:{file_hash[:20]}/{file.rpartition('/')[2]}"


def unlabelled_hash(name: str) -> str:
    """Return the first 20 digits of the SHA-256 in the name of a picture without a label; empty for other names."""
    found = _NAME.match(name)
    return found.group(1) if found else ""


def are_unlabelled(files: pd.Series) -> pd.Series:
    """Tell for each file whether its name is that of a picture without a label."""
    return files.astype("str").str.match(_NAME).astype(bool)
