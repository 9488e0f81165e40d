"""Which pictures look most alike to a network, and which are least like their class."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
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
        self._items, self._features = items, features
        self._lock = threading.Lock()

    def oddness(self) -> np.ndarray:
        """Return how unlike its class each item is: by its loss or, where no network said anything, by its features.

        The distances of features are put among the losses by their rank.
        """
        table = self._items.table
        losses = -np.log(np.maximum(table["of_label"].to_numpy(float), 1e-12))
        unknown = np.isnan(losses)
        is_image = (table["reason"] == "") & (table["part"] != UNLABELLED)
        if not (unknown & is_image).any() or not len(self._vectors[0]):
            return np.where(unknown, -1.0, losses)
        distances = self._distances()
        ranks = np.argsort(np.argsort(distances)) / len(distances)
        known = np.sort(losses[~unknown]) if (~unknown).any() else np.array([0.0, 1.0])
        return np.where(unknown, np.where(self._vectors[1] < 0, -1, np.quantile(known, ranks)), losses)

    def of(self, row: int, label: str, other: str) -> list[tuple[str, list[int]]]:
        """Find the nearest pictures of two classes.

        Args:
            row: Of the item.
            label: The one class.
            other: The other; where it is empty, the nearest picture of another class says which.

        Returns:
            Each class with the rows of up to ``NEAREST`` pictures, the nearest first; none without features.
        """
        units, places = self._vectors
        if places[row] < 0:
            return []
        alike = np.where(places < 0, -np.inf, (units @ units[places[row]])[places])
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
        units, places = self._vectors
        labels = self._items.table["label"].to_numpy(object)
        distances = np.zeros(len(labels))
        for label in {*labels}:
            rows = np.flatnonzero((labels == label) & (places >= 0))
            if len(rows):
                of_class = units[places[rows]]
                distances[rows] = 1 - of_class @ of_class.mean(axis=0)
        return distances

    @property
    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """The features as unit vectors, and of each item its row among them; -1 for those without features."""
        with self._lock:  # requests come in threads, and features may be gigabytes
            return self._loaded

    @cached_property
    def _loaded(self) -> tuple[np.ndarray, np.ndarray]:
        features, ids = self._features(), self._items.table["image_id"]
        if features is None:
            return np.empty((0, 0), np.float32), np.full(len(ids), -1)
        units = (features.values - features.values.mean(axis=0)) / (features.values.std(axis=0) + 1e-6)
        units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
        return units, pd.Index(features.image_ids).get_indexer(ids)
