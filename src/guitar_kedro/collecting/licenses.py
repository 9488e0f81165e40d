"""Licences: from what sources say of them to their short codes, names and addresses."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from guitar_kedro.collecting.candidate import Candidate

CODES = ("cc0", "pdm", "by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")
_ADDRESS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/"
    r"(?:licenses/(?P<code>by(?:-nc)?(?:-sa|-nd)?)/(?P<version>\d\.\d)|publicdomain/(?P<tool>zero|mark)/1\.0)"
    r"(?:/[\w.-]*)*(?:\?\S*)?",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?:cc[ -])?(?P<code>by(?:[ -]nc)?(?:[ -](?:sa|nd))?)(?:[ -](?P<version>\d\.\d))?(?:[ -][a-z]{2,5})?"
    r"|(?:cc[ -]?)?(?P<tool>0|zero|pdm|public domain mark)(?:[ -]1\.0)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class License:
    """A licence or a tool of Creative Commons.

    Attributes:
        code: As in its addresses, ``by-sa`` for example; ``cc0`` and ``pdm`` (public domain mark) for the tools.
        version: Of it.
        address: Of its text.
    """

    code: str
    version: str
    address: str

    @property
    def name(self) -> str:
        """What people call it."""
        kind = {"cc0": "CC0", "pdm": "Public Domain Mark"}.get(self.code, f"CC {self.code.upper()}")
        return f"{kind} {self.version}"


def license_of(candidate: Candidate) -> License | None:
    """Return the licence of a picture; ``None`` where it is not said plainly.

    Words and address must not contradict each other; one of them must name the version, without which the licence has
    no address.
    """
    words = _of_words(candidate.license)
    found = _of_address(candidate.license_url) or _of_address(candidate.license)
    if found is None and words is not None and words.version:
        found = words
    return None if found is None or (words is not None and words.code != found.code) else found


def refusal(candidate: Candidate, allowed: Collection[str]) -> tuple[str, str] | None:
    """Return reason and sentence why a picture is not kept for its licence, or ``None`` where it may be.

    Args:
        candidate: The picture.
        allowed: Codes of licences.
    """
    said = " ".join(filter(None, (candidate.license, candidate.license_url)))
    if not said:
        return "no_license", "Its source names no licence."
    found = license_of(candidate)
    if found is None:
        return "unknown_license", f"Its source says of the licence: {said}; that is no licence of Creative Commons."
    if found.code not in allowed:
        return "license_not_allowed", f"It is under {found.name}, which collect.licenses does not name."
    return None


def _of_address(address: str) -> License | None:
    if (found := _ADDRESS.fullmatch(address.strip())) is None:
        return None
    tool = {"zero": "cc0", "mark": "pdm"}.get((found["tool"] or "").lower())
    return License(tool or found["code"].lower(), found["version"] or "1.0", address.strip())


def _of_words(words: str) -> License | None:
    if (found := _WORDS.fullmatch(" ".join(words.split()))) is None:
        return None
    if found["tool"]:
        code, place = ("cc0", "zero") if found["tool"].lower() in ("0", "zero") else ("pdm", "mark")
        return License(code, "1.0", f"https://creativecommons.org/publicdomain/{place}/1.0/")
    code, version = found["code"].lower().replace(" ", "-"), found["version"] or ""
    return License(code, version, f"https://creativecommons.org/licenses/{code}/{version}/")
