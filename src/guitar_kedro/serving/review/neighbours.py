"""Which pictures look most alike to a network, and which are least like their class."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guitar_kedro.serving.review.items import UNLABELLED, Items

if TYPE_CHECKING:
    from guitar_kedro.learning.data.features import Features

NEAREST = 4


class Neighbours:
    """Nearest pictures by the cosine of their standardised features, as far as there are features.

    They are loaded when somebody first asks.
    """

    def __init__(self, items: Items, features: Callable[[], Features | None]) -> None:
        """Take note of the items.

        Args:
            items: The files.
            features: Loads the features; ``None`` where there are none.
        """
        self._items, self._features, self._lock = items, features, threading.Lock()
        self._units: np.ndarray | None = None
        self._place = np.empty(0, int)

    def oddness(self) -> np.ndarray:
        """Return how unlike its class each item is: by its loss or, where no network said anything, by its features.

        The distances of features are put among the losses by their rank.
        """
        table = self._items.table
        losses = -np.log(np.maximum(table["of_label"].to_numpy(float), 1e-12))
        unknown = np.isnan(losses)
        is_image = (table["reason"] == "") & (table["part"] != UNLABELLED)
        if not (unknown & is_image).any() or not self._load():
            return np.where(unknown, -1.0, losses)
        distances = self._distances()
        ranks = np.argsort(np.argsort(distances)) / len(distances)
        known = np.sort(losses[~unknown]) if (~unknown).any() else np.array([0.0, 1.0])
        return np.where(unknown, np.where(self._place < 0, -1, np.quantile(known, ranks)), losses)

    def of(self, row: int, label: str, other: str) -> list[tuple[str, list[int]]]:
        """Find the nearest pictures of two classes.

        Args:
            row: Of the item.
            label: The one class.
            other: The other; where it is empty, the nearest picture of another class says which.

        Returns:
            Each class with the rows of up to ``NEAREST`` pictures, the nearest first; none without features.
        """
        if not self._load() or self._place[row] < 0:
            return []
        assert self._units is not None
        alike = np.full(len(self._place), -np.inf)
        has = self._place >= 0
        alike[has] = (self._units @ self._units[self._place[row]])[self._place[has]]
        alike[row] = -np.inf
        labels = self._items.table["label"].to_numpy(object)
        if not other:
            other = labels[np.where(labels == label, -np.inf, alike).argmax()]
        found = []
        for each in dict.fromkeys((label, other)):
            rows = np.flatnonzero((labels == each) & np.isfinite(alike))
            found.append((each, rows[np.argsort(-alike[rows])][:NEAREST].tolist()))
        return found

    def _distances(self) -> np.ndarray:
        """Return how far each item is from the mean of its class; 0 for those without features."""
        assert self._units is not None
        labels = self._items.table["label"].to_numpy(object)
        distances = np.zeros(len(labels))
        for label in {*labels}:
            rows = np.flatnonzero((labels == label) & (self._place >= 0))
            if len(rows):
                units = self._units[self._place[rows]]
                distances[rows] = 1 - units @ units.mean(axis=0)
        return distances

    def _load(self) -> bool:
        with self._lock:
            if self._units is None:
                features = self._features()
                if features is None:
                    self._units = np.empty((0, 0), np.float32)
                    return False
                self._place = pd.Index(features.image_ids).get_indexer(self._items.table["image_id"])
                units = (features.values - features.values.mean(axis=0)) / (features.values.std(axis=0) + 1e-6)
                self._units = units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
            return len(self._units) > 0
