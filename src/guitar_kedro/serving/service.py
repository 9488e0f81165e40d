"""From the bytes of pictures to answers, on the threads where each step belongs."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.learning.inference.backend import NoFeatureMaps
from guitar_kedro.learning.inference.decision import decide
from guitar_kedro.serving.intake import Intake, busy
from guitar_kedro.serving.model import Answer, ModelThread
from guitar_kedro.serving.options import ServingOptions
from guitar_kedro.serving.uploads import Upload
from guitar_kedro.serving.watch import Metrics

if TYPE_CHECKING:
    import numpy as np

    from guitar_kedro.learning.inference.onnx import OnnxPredictor
    from guitar_kedro.learning.inference.predictor import Predictor

MAX_READERS = 4  # a thread that decodes a large picture may need half a gigabyte


@dataclass(frozen=True)
class Seen:
    """A picture, and what became of it: an answer, or an error.

    Attributes:
        upload: The picture as it came.
        answer: What it shows.
        maps: Where the network sees the likeliest classes (rows x columns), by the class's number.
        error: Why it could not be read.
    """

    upload: Upload
    answer: Answer | None = None
    maps: dict[int, np.ndarray] = field(default_factory=dict)
    error: UnreadableImage | None = None


class Service:
    """The model, who waits for it, and what is counted.

    Attributes:
        version: Of the model.
        options: The limits.
        model: The thread that owns it.
        intake: Who waits.
        metrics: What is counted.
        is_ending: Whether the service was told to end; it is not ready then, but answers.
    """

    def __init__(self, predictor: Predictor | OnnxPredictor, version: str, options: ServingOptions) -> None:
        """Start the threads."""
        self.version, self.options = version, options
        self.intake = Intake(options)
        self.metrics = Metrics(lambda: len(self.intake.waiting), version)
        self.model = ModelThread(predictor, self.metrics.batch.observe)
        self.readers = ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_READERS), "reader")
        self.is_ending = False

    def begin_to_end(self) -> None:
        """Fail readiness from here on."""
        self.is_ending = True

    def stop(self) -> None:
        """End the threads when all that waits is answered."""
        self.readers.shutdown()
        self.model.stop()

    async def see(self, uploads: list[Upload], mapped_classes: int = 0) -> list[Seen]:
        """Answer for pictures, in their order.

        Args:
            uploads: The pictures.
            mapped_classes: For so many of the likeliest classes it is asked where the network sees them.

        Raises:
            Refusal: If it took too long.
        """
        try:
            with anyio.fail_after(self.options.max_seconds):
                return list(await asyncio.gather(*(self._see(upload, mapped_classes) for upload in uploads)))
        except TimeoutError:
            raise busy() from None

    async def in_reader(self, function: Any, *arguments: Any) -> Any:
        """Run what takes long and needs no model, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, function, *arguments)

    async def _see(self, upload: Upload, mapped_classes: int) -> Seen:
        try:
            pixels = await self.in_reader(self.model.read, upload.content)
        except UnreadableImage as error:
            self.metrics.pictures.labels("unread").inc()
            return Seen(upload, error=error)
        answer = await asyncio.wrap_future(self.model.answer(pixels))
        spec = self.model.spec
        self.metrics.pictures.labels(decide(spec, max(answer.probabilities), answer.energy).value).inc()
        return Seen(upload, answer, await self._look(pixels, answer.likeliest(mapped_classes)))

    async def _look(self, pixels: np.ndarray, classes: list[int]) -> dict[int, np.ndarray]:
        if not classes:
            return {}
        try:
            maps = await asyncio.wrap_future(self.model.look(pixels, classes))
        except NoFeatureMaps:
            return {}
        return dict(zip(classes, maps, strict=True))
