"""Where in a picture the latest model sees classes: maps that are computed when somebody looks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from guitar_kedro.errors import UserError
from guitar_kedro.serving.cards import map_box, overlay, place_in_words
from guitar_kedro.serving.review.workspace import Workspace
from guitar_kedro.session import with_session

if TYPE_CHECKING:
    from guitar_kedro.learning.inference.predictor import Predictor

CLASSES_MAPPED = 2
_Size = tuple[int, int]  # width and height
_KEPT = 512  # pictures whose maps are kept


@dataclass(frozen=True)
class Look:
    """Where a model sees a class.

    Attributes:
        label: The class.
        map: A PNG as a data URI, to be laid over the box; all maps of a picture have one scale.
        place: In words, where it looked.
    """

    label: str
    map: str
    place: str


@dataclass(frozen=True)
class Looks:
    """Where a model sees classes in a picture.

    Attributes:
        looks: Of each class.
        box: Where the maps lie over the picture, as x, y, width and height in its pixels.
        missing: Why there are none, and what to do, as a sentence; empty where there are some.
    """

    looks: tuple[Look, ...] = ()
    box: tuple[float, float, float, float] = (0, 0, 0, 0)
    missing: str = ""


class LookThread:
    """Computes Grad-CAM maps by the latest model, one picture after the other, in a thread of its own.

    Torch is imported, and the model loaded, when somebody first asks: nobody else waits for that.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Take note of where the model is.

        Args:
            workspace: Has it.
        """
        self._workspace = workspace
        self._jobs: queue.SimpleQueue[tuple[Future[Looks], Callable[[], Looks]]] = queue.SimpleQueue()
        self._predictor, self._kept = lru_cache(1)(self._load), lru_cache(_KEPT)(self._look)
        threading.Thread(target=self._work, name="looks", daemon=True).start()  # the server's end does not wait for it

    def ask(self, path: Path, size: _Size, labels: Sequence[str]) -> Future[Looks]:
        """Ask where the latest model sees classes.

        Args:
            path: Of the prepared picture.
            size: Of the picture as it is shown: width and height.
            labels: The classes; those that the model does not know are left out.
        """
        future: Future[Looks] = Future()
        self._jobs.put((future, partial(self._answer, path, size, tuple(labels))))
        return future

    def _work(self) -> None:
        while True:
            future, answer = self._jobs.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(answer())
                except Exception as error:  # whoever asked is told, and the thread goes on
                    future.set_exception(error)

    def _answer(self, path: Path, size: _Size, labels: tuple[str, ...]) -> Looks:
        try:
            version = self._workspace.model_version()
            if not version:
                return Looks(missing=with_session("There is no model yet whose maps could be shown: `kedro run`"))
            return self._kept(version, path, size, labels)
        except ImportError as error:
            return Looks(
                missing=f"The maps of where the model looks need torch and fastai, and {error.name} is not installed "
                "here: pip install 'guitar-kedro[train]'"
            )
        except FileNotFoundError:
            return Looks(missing="The picture is not there any more: load the page again.")
        except UserError as error:
            return Looks(missing=str(error))

    def _look(self, version: str, path: Path, size: _Size, labels: tuple[str, ...]) -> Looks:
        predictor = self._predictor(version)
        spec = predictor.spec
        known = [label for label in labels if label in spec.classes][:CLASSES_MAPPED]
        if not known:
            return Looks(missing="The latest model knows none of the classes in question.")
        maps = predictor.maps(predictor.read(path), [spec.classes.index(label) for label in known])
        highest, box = float(np.max(maps)), map_box(*size, spec.resize_method, spec.image_size)
        looks = tuple(
            Look(label, overlay(values, highest), place_in_words(values))
            for label, values in zip(known, maps, strict=True)
        )
        return Looks(looks, (box.x, box.y, box.width, box.height))

    def _load(self, _version: str) -> Predictor:
        from guitar_kedro.learning.inference.predictor import Predictor

        return Predictor(self._workspace.model(), self._workspace.device)
