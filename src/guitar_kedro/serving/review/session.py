"""What the page of ``kedro review`` shows, and what a person decides there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from guitar_kedro.display_names import distinct_names
from guitar_kedro.images.thumbnails import SIDE, kept_thumbnail
from guitar_kedro.metrics.curation import curation_sentence
from guitar_kedro.metrics.formatting import count, percent
from guitar_kedro.serving.review.decisions import Decided, Decisions
from guitar_kedro.serving.review.items import UNLABELLED, list_items
from guitar_kedro.serving.review.looks import Looks, LookThread
from guitar_kedro.serving.review.neighbours import Neighbours
from guitar_kedro.serving.review.queues import Queue, make_queues
from guitar_kedro.serving.review.workspace import Workspace
from guitar_kedro.session import with_session

PAGE = 60  # items
CLASSES_SHOWN = 5  # beside a single picture


class Wanted(BaseModel):
    """Which items of a queue are wanted.

    Attributes:
        queue: Its key.
        label: Of one class; empty for all.
        part: Of one part of the split; empty for all.
        state: ``undecided``, ``decided``, or empty for both.
        text: That the name of the file has in it.
        after: File behind which they stand in the queue.
        before: File before which they stand.
        resume: Whether to begin with the page on which the first undecided one is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue: str
    label: str = ""
    part: str = ""
    state: Literal["", "undecided", "decided"] = ""
    text: str = ""
    after: str = ""
    before: str = ""
    resume: bool = False


class Session:
    """The queues of a workspace, and the decisions in its curation file."""

    def __init__(self, workspace: Workspace) -> None:
        """Load what there is.

        Raises:
            UserError: If there is nothing to look through.
        """
        self._workspace, self._lock = workspace, threading.RLock()
        self.workspace, self._looks = workspace.name, LookThread(workspace)
        self._load()

    def _load(self) -> None:
        state = self._workspace.state()
        self._made = made = self._workspace.load()
        self.items = list_items(made)
        table = self.items.table
        self.names = distinct_names({*table["label"]} - {""}, self._workspace.display_names)
        self._neighbours = Neighbours(self.items, self._workspace.features)
        queues = make_queues(self.items, made, self._workspace.duplicate_distance, self._neighbours.oddness())
        self._queues = {queue.key: queue for queue in queues}
        self._files, self._labels = table["file"].tolist(), table["label"].tolist()
        self._images = table["image"].tolist()
        self._parts = table["part"].to_numpy(object)
        self._classes = np.where(self._parts == UNLABELLED, table["suggested"], table["label"])
        self._lower = [file.lower() for file in self._files]
        self._sides = table[["width", "height"]].fillna(0).max(axis=1).to_numpy(int)
        self._row_of_image = dict(zip(self._images, range(len(self._images)), strict=True))
        self._decisions = Decisions(self._workspace, table, self.names)
        self._state = state

    def overview(self) -> dict[str, Any]:
        """Describe the queues and how far they are, what to do next, and what the last changes brought.

        Where a run has made other artifacts, they are loaded first.
        """
        with self._lock:
            if self._workspace.state() != self._state:
                self._load()
            self._decisions.sync()
            return {
                "workspace": self.workspace,
                "by": self._decisions.by,
                "classes": [{"label": label, "name": name} for label, name in self.names.items()],
                "parts": [part for part in dict.fromkeys(self._parts) if part],
                "queues": [
                    {"key": queue.key, "title": queue.title, "about": queue.about} for queue in self._queues.values()
                ],
                "effect": curation_sentence(self._made.effect) if self._made.effect else "",
                **self._progress(),
            }

    def _progress(self) -> dict[str, Any]:
        progress = {
            key: {
                "total": len(queue.rows),
                "looked": int(self._decisions.is_decided[queue.rows].sum()),
                "changed": int(self._decisions.is_changed[queue.rows].sum()),
            }
            for key, queue in self._queues.items()
        }
        return {"progress": progress, "next": self._next()}

    def _next(self) -> str:
        """Say what to do next, as a sentence with a command."""
        waiting = self._decisions.waiting(self._made.tables["applied_curation"])
        if waiting:
            return with_session(f"{count(waiting, 'decision')} for the next run to follow: `kedro run`")
        if not self.items.classes:
            return with_session("There is no model yet to say which labels are likely wrong: `kedro run`")
        if not self._made.out_of_fold:
            more = "Which labels of training pictures are likely wrong is told by cross-validation"
            return with_session(f"{more}: `kedro run --pipeline=cross_validation`")
        return "All decisions are in the model."

    def page(self, wanted: Wanted) -> dict[str, Any]:
        """Return up to ``PAGE`` items of a queue, and where they stand among those that are wanted.

        Raises:
            KeyError: If there is no such queue.
        """
        with self._lock:
            self._decisions.sync()
            queue = self._queues[wanted.queue]
            matches = np.flatnonzero(self._matches(wanted, queue))
            start = self._start(wanted, queue, matches)
            chosen = matches[start : start + PAGE]
            return {
                "total": len(matches),
                "start": start,
                "items": [self._item(queue, int(place)) for place in chosen],
            }

    def _matches(self, wanted: Wanted, queue: Queue) -> np.ndarray:
        rows = queue.rows
        found = np.ones(len(rows), bool)
        if wanted.label:
            found &= self._classes[rows] == wanted.label
        if wanted.part:
            found &= self._parts[rows] == wanted.part
        if queue.undecided or wanted.state == "undecided":
            found &= ~self._decisions.is_decided[rows]
        elif wanted.state:
            found &= self._decisions.is_decided[rows]
        if text := wanted.text.lower():
            found &= np.fromiter((text in file for file in self._lower), bool, len(self._lower))[rows]
        return found

    def _start(self, wanted: Wanted, queue: Queue, matches: np.ndarray) -> int:
        row = self._decisions.row(wanted.after or wanted.before)
        place = np.flatnonzero(queue.rows == (-1 if row is None else row))
        if len(place):
            if wanted.after:
                return int(np.searchsorted(matches, place[0], side="right"))
            return max(0, int(np.searchsorted(matches, place[0])) - PAGE)
        if not wanted.resume:
            return 0
        undecided = np.flatnonzero(~self._decisions.is_decided[queue.rows[matches]])
        return int(undecided[0]) // PAGE * PAGE if len(undecided) else 0

    def _item(self, queue: Queue, place: int) -> dict[str, Any]:
        row = int(queue.rows[place])
        said = self.items.table.iloc[row]
        decision = self._decisions.of(row)
        return {
            "file": self._files[row],
            "image": self._images[row],
            "label": self._labels[row],
            "part": said["part"],
            "suggested": said["suggested"] if said["suggested"] != self._labels[row] else "",
            "probability": _share(said["probability"]),
            "of_label": _share(said["of_label"]),
            "remark": queue.remarks.get(row) or said["detail"],
            "group": int(queue.groups[place]) if len(queue.groups) else None,
            "decision": {"action": decision.action, "label": decision.label} if decision else None,
        }

    def detail(self, file: str) -> dict[str, Any]:
        """Return what is shown of one picture beside it.

        Raises:
            KeyError: If there is no such file.
        """
        row = self._decisions.row(file)
        if row is None:
            raise KeyError(file)
        said, table = self.items.likeliest(row, CLASSES_SHOWN), self.items.table
        other = next((label for label, _ in said if label != self._labels[row]), "")
        return {
            "size": [int(side) for side in table.loc[row, ["width", "height"]].fillna(0)],
            "likeliest": [{"label": label, "probability": _share(share)} for label, share in said],
            "neighbours": [
                {"label": label, "pictures": [self._named(near) for near in rows]}
                for label, rows in self._neighbours.of(row, self._labels[row], other)
            ],
        }

    def look(self, file: str) -> Future[Looks]:
        """Ask where the latest model sees the class of a picture, and the likeliest ones, in it.

        Raises:
            KeyError: If there is no such file, or no picture of it.
        """
        row = self._decisions.row(file)
        if row is None or not self._images[row]:
            raise KeyError(file)
        likeliest = [label for label, _ in self.items.likeliest(row, CLASSES_SHOWN)]
        labels = [label for label in dict.fromkeys((self._labels[row], *likeliest)) if label]
        width, height = self.items.table.loc[row, ["width", "height"]]
        return self._looks.ask(self._prepared(row), (int(width), int(height)), labels)

    def _named(self, row: int) -> dict[str, str]:
        return {"file": self._files[row], "image": self._images[row]}

    def decide(self, queue: str, decided: Sequence[Decided]) -> dict[str, Any]:
        """Write decisions into the curation file.

        Args:
            queue: In which they were taken.
            decided: What was decided; of several about one file, the last holds.

        Returns:
            How far all queues are now.

        Raises:
            NotPossible: If a file is not there, or the action makes no sense for it; nothing is written then.
            UserError: If the file cannot be written.
        """
        with self._lock:
            self._decisions.sync()
            self._decisions.decide(decided, lambda row: self._why(row, queue))
            return self._progress()

    def _why(self, row: int, queue: str) -> str:
        said = self.items.table.iloc[row]
        why = self._queues[queue].why if queue in self._queues else ""
        if said["suggested"] and said["suggested"] != self._labels[row]:
            return f"{why}: predicted {said['suggested']}, {percent(said['probability'])}"
        return why

    def picture(self, name: str, is_thumbnail: bool) -> Path:
        """Say where a prepared picture lies, or its thumbnail.

        Raises:
            KeyError: If there is none of this name.
            FileNotFoundError: If somebody has removed it.
        """
        row = self._row_of_image[name]
        path = self._prepared(row)
        path.stat()
        return kept_thumbnail(path) if is_thumbnail and self._sides[row] > SIDE else path

    def _prepared(self, row: int) -> Path:
        is_unlabelled = self.items.table.at[row, "part"] == UNLABELLED
        return (self._made.unlabelled if is_unlabelled else self._made.prepared).path(self._images[row])


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
