"""Features of pictures."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guitar_kedro.datasets.bases import IndexedFolder
from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines, written_whole

if TYPE_CHECKING:
    from guitar_kedro.learning import Features, FeatureStream

logger = logging.getLogger(__name__)


class FeaturesDataset(IndexedFolder):
    """Features in a folder, in files of some hundred pictures. Those that are there already are not computed again.

    They are a cache: if they are removed, they are computed again when somebody needs them. Each file is written whole,
    so that a run that was killed goes on after the last; the index, written at the end, names the pictures.
    """

    is_cache = True
    INDEX = "index.json"

    def save(self, data: FeatureStream) -> None:
        """Store the features that are not there yet, as they are computed; remove those of other weights or sizes."""
        import numpy as np

        self.folder.mkdir(parents=True, exist_ok=True)
        there = {image_id for path in self._files(data.key) for image_id in _image_ids(path)}
        missing = [image_id for image_id in data.image_ids if image_id not in there]
        kept = len(data.image_ids) - len(missing)
        logger.info("Features of %d pictures are there already, of %d not", kept, len(missing))
        for chunk in data.compute(missing) if missing else ():
            path = self.folder / f"{data.key}-{sha256_of_lines(chunk.image_ids)[:20]}.npz"
            with written_whole(path) as beside, beside.open("wb") as file:
                np.savez(file, image_ids=np.array(chunk.image_ids), values=chunk.values, seconds=chunk.seconds)
        with written_whole(self._index) as beside:
            beside.write_text(json.dumps({"key": data.key, "image_ids": data.image_ids}), encoding="utf-8")
        for path in self.unneeded():
            path.unlink()

    def load(self) -> Features:
        """Load the features of the pictures that the index names.

        Raises:
            UserError: If a file of them is damaged.
        """
        import numpy as np

        from guitar_kedro.learning import Features

        index, parts = self._read(), []
        for path in self._files(index["key"]):
            try:
                with np.load(path) as file:
                    parts.append((file["image_ids"].tolist(), file["values"], float(file["seconds"])))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                raise UserError(
                    f"{path} is not as it was written: remove it, and run the same command again."
                ) from None
        ids, values, seconds = zip(*parts, strict=True)
        known = tuple(image_id for part in ids for image_id in part)
        wanted = tuple(index["image_ids"])
        every = Features(known, np.concatenate(values), sum(seconds))
        return Features(wanted, every.of(wanted), sum(seconds) * len(wanted) / len(known))

    def fingerprint(self) -> str | None:
        """Say which features of which pictures they are; ``None`` if they are not there whole."""
        if not self._exists():
            return None
        index = self._read()
        there = {image_id for path in self._files(index["key"]) for image_id in _image_ids(path)}
        return sha256_of_lines([index["key"], *index["image_ids"]]) if there.issuperset(index["image_ids"]) else None

    def unneeded(self) -> Iterator[Path]:
        """List the files with other features than those of the index."""
        key = self._read()["key"] if self._exists() else None
        return (path for path in sorted(self.folder.glob("*.npz")) if not path.name.startswith(f"{key}-"))

    def _files(self, key: str) -> list[Path]:
        return sorted(self.folder.glob(f"{key}-*.npz"))

    def _read(self) -> dict[str, Any]:
        if not self._exists():
            raise UserError(f"There are no features in {self.folder}: compute them with `kedro run --pipeline=train`.")
        index: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        return index


def holds_features_alone(folder: Path) -> bool:
    """Tell whether there is a folder with features, perhaps not all of them yet, and nothing else in it."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    ours = (name == FeaturesDataset.INDEX or re.fullmatch(r"\.?\w+-[0-9a-f]{20}\.npz(\.part)?", name) for name in names)
    return bool(names) and all(ours)


def _image_ids(path: Path) -> list[str]:
    import numpy as np

    try:
        with np.load(path) as file:
            ids: list[str] = file["image_ids"].tolist()
            return ids
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # damaged: its features are computed again
        return []
