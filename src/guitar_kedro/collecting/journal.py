"""What was asked, found and kept: a file to which lines are added, so that no run asks again what another one did."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from guitar_kedro.collecting.candidate import Candidate
from guitar_kedro.collecting.source import Page
from guitar_kedro.errors import UserError
from guitar_kedro.files import written_whole

if TYPE_CHECKING:
    from typing_extensions import Self

ALREADY = "collected_already"


@dataclass(frozen=True)
class Outcome:
    """What became of a picture that a source found.

    Attributes:
        candidate: The picture.
        time: When, in UTC.
        file: Where it is kept: class folder and name; empty where it is not.
        sha256: Of the file.
        reason: Why it was rejected; empty where it was not.
        detail: The same as a sentence.
        again: Whether the next run tries again.
    """

    candidate: Candidate
    time: str
    file: str = ""
    sha256: str = ""
    reason: str = ""
    detail: str = ""
    again: bool = False


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    asked: str
    found: list[Candidate]
    more: bool


class _Line(BaseModel):
    """What a line of the journal says: of an answer of a source, or of what became of a picture."""

    model_config = ConfigDict(extra="forbid", strict=True)

    page: _Answer | None = None
    picture: Outcome | None = None


@dataclass
class Collection:
    """What runs have noted.

    Attributes:
        folder: Of the class folders.
        pages: Answers of sources by what was asked.
        outcomes: By address and class.
        files: Where files are kept, by their SHA-256.
    """

    folder: Path
    pages: dict[str, Page] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, journal: Path) -> Self:
        """Read what runs have noted; of a line that a killed one has not written to its end, nothing.

        Args:
            folder: Of the class folders.
            journal: The file.

        Raises:
            UserError: If another line is none of the project's.
        """
        found = cls(folder)
        lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                found.add(line)
            except ValidationError:
                raise UserError(
                    f"{journal}, line {number}: it is not as it was written; remove the line, and what it told is "
                    "asked again."
                ) from None
        return found

    def add(self, line: bytes) -> None:
        """Take over what a line says.

        Raises:
            ValidationError: If it is none of the project's.
        """
        said = _Line.model_validate_json(line)
        if page := said.page:
            self.pages[page.asked] = Page(page.found, page.more)
        if outcome := said.picture:
            self.outcomes[outcome.candidate.key] = outcome
            if outcome.file:
                self.files[outcome.sha256] = outcome.file

    def is_settled(self, candidate: Candidate) -> bool:
        """Whether a picture was kept or rejected, once and for all."""
        outcome = self.outcomes.get(candidate.key)
        return outcome is not None and not outcome.again

    def to_be_tried_again(self) -> int:
        """Count the pictures that could not be had, and may be there later."""
        return sum(outcome.again for outcome in self.outcomes.values())

    def kept(self) -> list[Outcome]:
        """List the pictures that are there, with the files where they lie now.

        A person may have moved one to the folder of another class, or removed it.
        """
        now = {path.name: path.relative_to(self.folder).as_posix() for path in self.folder.glob("*/*")}
        return [
            replace(outcome, file=now[name])
            for outcome in self.outcomes.values()
            if outcome.file and (name := PurePosixPath(outcome.file).name) in now
        ]


class Journal(Collection):
    """A collection that is being made: what is added to it is on disk before anything else is asked."""

    _lines: IO[bytes]

    @classmethod
    @contextmanager
    def open(cls, folder: Path, path: Path) -> Iterator[Journal]:
        """Go on with what earlier runs have noted.

        Args:
            folder: For class folders.
            path: Of the file.

        Raises:
            UserError: If a line of the file is none of the project's.
        """
        folder.mkdir(parents=True, exist_ok=True)
        journal = cls.read(folder, path)
        with path.open("ab") as journal._lines:
            journal._lines.truncate(path.read_bytes().rfind(b"\n") + 1)
            yield journal

    def note_page(self, asked: str, page: Page) -> None:
        """Note an answer of a source.

        Args:
            asked: The address.
            page: The answer.
        """
        found = [_shortened(candidate) for candidate in page.candidates]
        self._note(page={"asked": asked, "found": found, "more": page.more})

    def keep(self, candidate: Candidate, content: bytes, suffix: str) -> None:
        """Keep a picture: the file first, whole or not at all, then the line that it is there.

        What is there already, under whatever address and in whatever class, is not kept a second time.

        Args:
            candidate: The picture.
            content: Of the file.
            suffix: Of its name.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if there := self.files.get(sha256):
            self.reject(candidate, ALREADY, f"The same file was collected before, as {there}.")
            return
        stem = re.sub(r"[^\w-]+", "_", PurePosixPath(candidate.file).stem, flags=re.ASCII)[:60] or candidate.source
        file = f"{candidate.label}/{stem}-{sha256[:12]}{suffix}"
        path = self.folder / file
        path.parent.mkdir(exist_ok=True)
        with written_whole(path) as beside:
            beside.write_bytes(content)
        self._settle(candidate, file=file, sha256=sha256)

    def reject(self, candidate: Candidate, reason: str, detail: str, again: bool = False) -> None:
        """Note why a picture is not kept.

        Args:
            candidate: The picture.
            reason: Short code in snake_case.
            detail: The same as a sentence.
            again: Whether the next run tries again.
        """
        self._settle(candidate, reason=reason, detail=detail, again=again)

    def _settle(self, candidate: Candidate, **how: Any) -> None:
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._note(picture={"candidate": _shortened(candidate), "time": time, **how})

    def _note(self, **line: Any) -> None:
        text = json.dumps(line).encode()
        self._lines.write(text + b"\n")
        self._lines.flush()
        self.add(text)


def _shortened(candidate: Candidate) -> dict[str, str]:
    return {name: value for name, value in asdict(candidate).items() if value}
