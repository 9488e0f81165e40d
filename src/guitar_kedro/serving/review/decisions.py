"""What was decided about the items: it follows the curation file, whoever writes it."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from guitar_kedro.datasets.decisions import CurationRow
from guitar_kedro.files import one_spelling
from guitar_kedro.images.unlabelled import unlabelled_hash
from guitar_kedro.serving.review.workspace import Workspace


class NotPossible(Exception):
    """A decision that cannot be taken; the message says why, as a sentence."""


class Decided(BaseModel):
    """What is decided about a file: an action and, for relabel, a label; without an action, nothing any more.

    Whoever keeps a picture that came without a label names the class that it gets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    action: Literal["keep", "drop", "relabel", ""]
    label: str = ""


class Decisions:
    """The decisions about the rows of ``Items``.

    Attributes:
        is_decided: Whether something was decided about a row.
        is_changed: Whether that changes it: it is dropped, or relabelled.
        by: Who decides here.
    """

    def __init__(self, workspace: Workspace, table: pd.DataFrame, labels: Collection[str]) -> None:
        """Read what is decided.

        Args:
            workspace: With the curation file.
            table: Of ``Items``.
            labels: To which images can be relabelled.

        Raises:
            UserError: If the file cannot be read.
        """
        self._workspace, self._labels = workspace, labels
        self._files, self._has_picture = table["file"].tolist(), (table["image"] != "").tolist()
        self._row_of = {one_spelling(file): row for row, file in enumerate(self._files)}
        self._row_of |= {file: row for row, file in enumerate(self._files)}
        self._seen: tuple[Any, Any] = (None, None)
        try:
            self.by = getpass.getuser()
        except (OSError, KeyError):  # a process without a name, as in a container
            self.by = "review"
        self.sync()

    def sync(self) -> None:
        """Take in what others have written meanwhile."""
        own, shared = self._workspace.decisions.rows(), self._workspace.shared_rows()
        if self._seen[0] is own and self._seen[1] is shared:
            return
        self._of_row: dict[int, CurationRow] = {}
        for rows in (shared, own):  # what stands in both is as the workspace's own says
            found = ((self.row(file), decision) for file, decision in rows.items())
            self._of_row |= {row: decision for row, decision in found if row is not None}
        self.is_decided, self.is_changed = np.zeros((2, len(self._files)), bool)
        for row, decision in self._of_row.items():
            self.is_decided[row], self.is_changed[row] = True, decision.action != "keep"
        self._seen = own, shared

    def row(self, file: str) -> int | None:
        """Find the row of a file, however its accents are written."""
        row = self._row_of.get(file)
        return self._row_of.get(one_spelling(file)) if row is None else row

    def of(self, row: int) -> CurationRow | None:
        """Return what was decided about a row."""
        return self._of_row.get(row)

    def waiting(self, applied: pd.DataFrame) -> int:
        """Count the decisions that the last run did not know, and those that it knew and that are taken back.

        Args:
            applied: ``applied_curation``.
        """
        columns = applied[["file", "action", "label"]].to_numpy() if len(applied) else ()
        known = {file: (action, label) for file, action, label in columns}
        now = {
            self._files[row]: (decision.action, one_spelling(decision.label))
            for row, decision in self._of_row.items()
            if self._has_picture[row] and not _is_refused(self._files[row], decision.action)
        }
        return sum(known.get(file) != decision for file, decision in now.items()) + len(known.keys() - now.keys())

    def decide(self, decided: Sequence[Decided], why: Callable[[int], str]) -> None:
        """Write decisions into the curation file.

        Args:
            decided: What was decided; of several about one file, the last holds.
            why: Says for a row why.

        Raises:
            NotPossible: If a file is not there, or the action makes no sense for it; nothing is written then.
            UserError: If the file cannot be written.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows = dict(map(self._possible, decided))
        self._workspace.decisions.change(
            CurationRow(
                file=self._spelled(row),
                action=decision.action,
                label=decision.label if _gives_label(decision) else "",
                by=self.by,
                when=now,
                why=why(row),
            )
            for row, decision in rows.items()
        )
        self.sync()

    def _possible(self, decided: Decided) -> tuple[int, Decided]:
        row = self._row_of.get(decided.file)
        if row is None:
            file = decided.file.encode("utf-8", "backslashreplace").decode()
            raise NotPossible(f"There is no picture {file} any more: load the page again.")
        if decided.action in ("keep", "relabel") and not self._has_picture[row]:
            raise NotPossible(f"{decided.file} cannot be read: mend the file; drop says that you know of it.")
        if _gives_label(decided) and not decided.label:
            raise NotPossible(f"{decided.file} has no class yet: name the one that it gets.")
        if _gives_label(decided) and decided.label not in self._labels:
            raise NotPossible(f"There is no class {decided.label}.")
        return row, decided

    def _spelled(self, row: int) -> str:
        """Spell a file as a person has who wrote a line about it."""
        earlier = self._of_row.get(row)
        is_own = earlier is not None and earlier.file in self._workspace.decisions.rows()
        return earlier.file if earlier is not None and is_own else self._files[row]


def _gives_label(decided: Decided) -> bool:
    return decided.action == "relabel" or (decided.action == "keep" and bool(unlabelled_hash(decided.file)))


def _is_refused(file: str, action: str) -> bool:
    """Tell whether a picture that came without a label is to stay out, as it does without a line."""
    return action == "drop" and bool(unlabelled_hash(file))
