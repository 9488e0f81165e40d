"""The one thread that owns the model, and answers in small batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from guitar_kedro.errors import UserError

if TYPE_CHECKING:
    from guitar_kedro.learning import ModelSpec
    from guitar_kedro.learning.inference.onnx import OnnxPredictor
    from guitar_kedro.learning.inference.predictor import Predictor

MAX_BATCH = 16


@dataclass(frozen=True)
class Answer:
    """What the model says of a picture.

    Attributes:
        probabilities: Of each class, in the order of the spec, at the temperature.
        energy: High where no class fits.
    """

    probabilities: tuple[float, ...]
    energy: float

    def likeliest(self, count: int) -> list[int]:
        """Return the numbers of the likeliest classes, the likeliest first."""
        return sorted(range(len(self.probabilities)), key=lambda index: -self.probabilities[index])[:count]


class ModelThread:
    """Answers for pictures that come from many threads, from one thread, in the order in which they came.

    Pictures that wait are answered together, up to 16: nobody waits for a batch to fill. An answer does not depend on
    what else is in its batch (to 1e-7).
    """

    def __init__(self, predictor: Predictor | OnnxPredictor, watch_batch: Callable[[int], None]) -> None:
        """Start the thread.

        Args:
            predictor: The model.
            watch_batch: Is told the size of each batch.
        """
        self._predictor, self._watch_batch = predictor, watch_batch
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def spec(self) -> ModelSpec:
        """What the model is."""
        return self._predictor.spec

    @property
    def is_alive(self) -> bool:
        """Whether there will be answers."""
        return self._thread.is_alive()

    def read(self, content: bytes) -> np.ndarray:
        """Prepare a file for the network (uint8 of 3 x size x size), in the thread that calls.

        Raises:
            UnreadableImage: With a reason and a sentence.
        """
        try:
            return self._predictor.read(content)
        except UserError as error:
            raise error.__cause__ or error from None

    def answer(self, pixels: np.ndarray) -> Future[Answer]:
        """Ask what a picture shows (uint8 of 3 x size x size)."""
        return self._ask(_Job(pixels))

    def look(self, pixels: np.ndarray, targets: Sequence[int]) -> Future[np.ndarray]:
        """Ask where the network sees classes: float32 of (targets, rows, columns), 0 or more.

        The answer of a network that has no such maps is a ``NoFeatureMaps``.
        """
        return self._ask(_Job(pixels, targets))

    def stop(self) -> None:
        """End the thread when all that waits is answered."""
        self._jobs.put(None)
        self._thread.join()

    def _ask(self, job: _Job) -> Future[Any]:
        self._jobs.put(job)
        return job.future

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs = [first]
            while len(jobs) < MAX_BATCH and not self._jobs.empty():
                if (job := self._jobs.get()) is None:
                    self._jobs.put(None)
                    break
                jobs.append(job)
            wanted = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            self._answer([job for job in wanted if not job.targets])
            for job in wanted:
                if job.targets:
                    self._look(job)

    def _answer(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        try:
            answers = self._predictor.predict(np.stack([job.pixels for job in jobs]))
        except Exception as error:  # whoever asked is told, and the thread goes on
            for job in jobs:
                job.future.set_exception(error)
            return
        self._watch_batch(len(jobs))
        for job, probabilities, energy in zip(jobs, answers.probabilities, answers.energies, strict=True):
            job.future.set_result(Answer(tuple(probabilities.tolist()), float(energy)))

    def _look(self, job: _Job) -> None:
        try:
            job.future.set_result(self._predictor.maps(job.pixels, job.targets))
        except Exception as error:  # as above
            job.future.set_exception(error)


@dataclass(frozen=True)
class _Job:
    pixels: np.ndarray
    targets: Sequence[int] = ()  # classes to look for; none asks for an answer
    future: Future[Any] = field(default_factory=Future)
