"""What people call the classes: one name for each, and no two that look alike."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # within a name, scripts and emoji need them
_VARIANTS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # of the character before, likewise
# Default_Ignorable_Code_Point of Unicode, as far as no category says it, and a blank of Braille
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
_UNSEEN = ("Cc", "Cf", "Zl", "Zp")  # categories that draw nothing, or turn round the words beside them


def distinct_names(labels: Iterable[str], display_names: Mapping[str, str]) -> dict[str, str]:
    """Give each class a name to show that nobody takes for another one's.

    Names are alike if they differ only in case, in white space, in characters that cannot be seen, or in the form of a
    character (Unicode's NFKC). After each of those stands in brackets what its folder is called, with what cannot be
    seen written out.

    Args:
        labels: All classes, as their folders are called.
        display_names: Names by label; a label that is missing is shown as it is, with spaces for underscores.

    Returns:
        Names by label, in the order of the labels. They depend on nothing but the arguments.
    """
    wanted = {label: display_names.get(label) or label.replace("_", " ") for label in sorted(set(labels))}
    names = {label: _seen(name) or written_out(label) for label, name in wanted.items()}
    alike = Counter(_likeness(name) for name in names.values())
    distinct: dict[str, str] = {}
    taken: set[str] = set()
    for label, name in names.items():
        shown = f"{name} ({written_out(label)})" if alike[_likeness(name)] > 1 else name
        number, free = 1, shown
        while (form := unicodedata.normalize("NFKC", free)) in taken:  # only somebody who tries comes here
            number, free = number + 1, f"{shown} {number + 1}"
        taken.add(form)
        distinct[label] = free
    return distinct


def look_alikes(labels: Iterable[str]) -> list[list[str]]:
    """Group labels that a reader takes for the same; see ``distinct_names``.

    Args:
        labels: As the folders are called.

    Returns:
        The groups of two or more.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[_likeness(_seen(label.replace("_", " ")) or written_out(label))].append(label)
    return [group for group in groups.values() if len(group) > 1]


def written_out(label: str) -> str:
    r"""Write a label so that each of its characters can be seen: ``cat␣``, ``a\u200bb``.

    Args:
        label: As the folder is called.
    """
    first, end = len(label) - len(label.lstrip(" ")), len(label.rstrip(" "))
    return "".join(
        _written_out(character, is_plain=first < place < end and label[place - 1] != " ")
        for place, character in enumerate(label)
    )


def _written_out(character: str, is_plain: bool) -> str:
    if character == " ":
        return " " if is_plain else "\N{OPEN BOX}"
    if character.isprintable() and not re.match(f"[{_BLANK}{_VARIANTS}]", character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _seen(name: str) -> str:
    """Leave of a name what a reader sees of it, in one line."""
    kept = (
        character for character in name if character.isspace() or character in _JOINERS or not _is_unseen(character)
    )
    # half of a character, from a name that is not UTF-8, can be written into no file
    line = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", " ".join("".join(kept).split()))
    return line if _likeness(line) else ""


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or re.match(f"[{_BLANK}]", character) is not None


def _likeness(name: str) -> str:
    return unicodedata.normalize("NFKC", re.sub(f"[{_JOINERS}{_VARIANTS}]", "", name)).casefold()
