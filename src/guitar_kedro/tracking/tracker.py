"""Tells a run to the places that are configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from guitar_kedro.tracking.background import Background
from guitar_kedro.tracking.options import TrackingOptions
from guitar_kedro.tracking.place import ModelResults, ModelRun, Place, Row

logger = logging.getLogger(__name__)

SECONDS_AFTER_RUN, SECONDS_AFTER_STOP = 120, 5  # a bundle may be large


class Tracker:
    """Tells places of a run what it makes, as it comes.

    A record belongs to a model. It begins when training does; what a later run makes of the same model is added to it.

    Attributes:
        current: Of the run that is going on in this process.
    """

    current: ClassVar[Tracker | None] = None

    def __init__(self, places: Sequence[Place], run: ModelRun) -> None:
        """Take the places; nothing is told before there is something to tell.

        Args:
            places: To which the run is told.
            run: What is told of it, if it trains.
        """
        self._places = [(place, Background(place.parameter)) for place in places]
        self._run, self._begun = run, False
        self._told: set[tuple[str, int]] = set()

    @classmethod
    def of_options(cls, options: TrackingOptions, run: ModelRun) -> Tracker:
        """Make one for the places that are configured.

        Args:
            options: The parameters under ``tracking``.
            run: As of the constructor.

        Raises:
            ModuleNotFoundError: If the library of one is not installed.
        """
        places: list[Place] = []
        if options.mlflow:
            from guitar_kedro.tracking.mlflow import MlflowPlace

            places.append(MlflowPlace(options.mlflow))
        if options.tensorboard:
            from guitar_kedro.tracking.tensorboard import TensorboardPlace

            places.append(TensorboardPlace(options.tensorboard))
        return cls(places, run)

    def begin(self) -> None:
        """Begin the record of a model that this run trains."""
        if not self._begun:
            self._begun = True
            self._all(lambda place: logger.info("%s: %s", place.name, place.begin(self._run)))

    def epoch(self, phase: str, row: Row) -> None:
        """Tell an epoch, once: training that goes on after it was stopped tells the earlier ones again.

        Args:
            phase: ``stage.phase``.
            row: Of the history.
        """
        self.begin()
        key = phase, int(row["epoch"])
        if key not in self._told:
            self._told.add(key)
            self._all(lambda place: place.epoch(phase, dict(row)))

    def end(self, run: ModelRun, results: ModelResults) -> None:
        """Tell what there is in the end, and wait until that is done, or for two minutes.

        Args:
            run: The model that there is now: of this run, or of an earlier one.
            results: What there is of it.
        """
        self._all(partial(self._end, run, results))
        self._finish(SECONDS_AFTER_RUN)

    def stop(self, reason: str, *, failed: bool) -> None:
        """Tell that the run has ended before its time.

        Args:
            reason: In a sentence.
            failed: Whether it failed, or a person stopped it, who waits for a few seconds only.
        """
        if self._begun:
            self._all(lambda place: place.stop(reason, failed=failed))
        self._finish(SECONDS_AFTER_RUN if failed else SECONDS_AFTER_STOP)

    def _end(self, run: ModelRun, results: ModelResults, place: Place) -> None:
        known = not self._begun and place.go_on(run)
        if not (self._begun or known):
            place.begin(run)
        if not known:
            for phase, rows in results.histories.items():
                for row in rows:
                    if (phase, int(row["epoch"])) not in self._told:
                        place.epoch(phase, row)
        logger.info("%s: %s", place.name, place.end(results, known=known))

    def _all(self, tell: Callable[[Place], object]) -> None:
        for place, background in self._places:
            background.do(partial(tell, place))

    def _finish(self, seconds: float) -> None:
        Tracker.current = None
        for _, background in self._places:
            background.finish(seconds)
