"""Work that nobody waits for, and that may fail."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Background:
    """Does one job after the other in a thread of its own.

    The first job that fails is told in one warning, and is the last one.
    """

    def __init__(self, parameter: str) -> None:
        """Start the thread.

        Args:
            parameter: What asks for these jobs, as ``NAME=VALUE``: for the warning.
        """
        self._parameter = parameter
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._given_up = False
        # a daemon, so that Python ends without it
        self._thread = threading.Thread(target=self._work, name=parameter, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], object]) -> None:
        """Add a job, and return at once."""
        self._jobs.put(job)

    def finish(self, seconds: float) -> None:
        """Wait for the jobs.

        Args:
            seconds: At most so long; what is left then is left out.
        """
        self._jobs.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._give_up(f"it was not done after {seconds:.0f} seconds")

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._given_up:
            try:
                job()
            except Exception as error:  # whatever a server, a network, a disk or their libraries raise: the run goes on
                self._give_up(" ".join(str(error).split()) or type(error).__name__)

    def _give_up(self, reason: str) -> None:
        if not self._given_up:
            self._given_up = True
            logger.warning(
                "%s: this run is not tracked further (%s). It goes on all the same; run the same command again "
                "later, and what is missing is sent.",
                self._parameter,
                # clients begin with what they asked, and end with why there was no answer
                reason if len(reason) <= 2 * _END else f"{reason[:_END]} ... {reason[-_END:]}",
            )


_END = 150  # characters of a long reason that are told of either end
