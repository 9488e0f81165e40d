"""Folders that are called like the parts of a split: train, val, test, and what else people call them."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from guitar_kedro.errors import UserError, listed
from guitar_kedro.images.raw import RawImage
from guitar_kedro.splits import TEST, TRAIN, VALIDATION

logger = logging.getLogger(__name__)

# in the languages of the data sets that people meet: English, Spanish, Portuguese, French
_PART = re.compile(
    f"(?P<{TRAIN}>train(?:ing)?(?:val(?:id(?:ation)?)?)?|trn|entrenamiento|treino|treinamento|entrainement)"
    f"|(?P<{VALIDATION}>val(?:id(?:ation)?)?|dev|validacion|validacao)"
    f"|(?P<{TEST}>test(?:e|ing)?|tst|eval(?:uation)?|holdout|heldout|pruebas?)"
)
_FILLING = "(?:set|data|image|img|picture|photo|folder|split)s?"  # says nothing of what lies in a folder
_IS_FILLING = re.compile(f"(?:{_FILLING})+")
_IS_PART = re.compile(f"(?:{_FILLING})*(?:{_PART.pattern})(?:{_FILLING})*")
_CAPITAL_IN_WORD = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def part_called(name: str) -> str | None:
    """Return the part of a split that a name stands for, if it says nothing else: train for ``Training_data``."""
    return next((part for part, others in _parts_in(name) if not others), None)


def parts_beside(folders: Iterable[str]) -> list[dict[str, str]]:
    """Find folders beside each other whose names differ by a part of a split alone, as cat_train and cat_test do.

    Args:
        folders: Paths of folders with files in them, with slashes.

    Returns:
        For each such set of folders, the part of each by its path; there are at least two parts.
    """
    beside: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        for path in [folder, *(str(parent) for parent in PurePosixPath(folder).parents if parent.name)]:
            beside[path.rpartition("/")[0]].add(path)
    alike: dict[tuple[str, tuple[str, ...]], dict[str, str]] = defaultdict(dict)
    for above, paths in beside.items():
        for path in sorted(paths):
            for part, others in _parts_in(path.rpartition("/")[2]):
                alike[above, others][path] = part
    return [parts for parts in alike.values() if len(set(parts.values())) > 1]


def are_a_split(parts: dict[str, str]) -> bool:
    """Tell whether folders are the parts of one split: one to train on, and no two of the same part."""
    return TRAIN in parts.values() and len(set(parts.values())) == len(parts)


def part_of(folder: str, parts: dict[str, str]) -> tuple[str, str]:
    """Return the part in whose folder a folder lies, and its path in there; no part where it lies in none of them."""
    for path, part in parts.items():
        if f"{folder}/".startswith(f"{path}/"):
            return part, folder[len(path) + 1 :]
    return "", folder


def check_parts(images: Iterable[RawImage], source: object) -> None:
    """Check that each class of a given split can be learnt, and tell which cannot be measured.

    Args:
        images: All files of the source.
        source: What the messages call it.

    Raises:
        UserError: If a class stands only in parts on which nothing is trained.
    """
    classes: dict[str, set[str]] = defaultdict(set)
    for image in images:
        if image.label and not image.problem:
            classes[image.split or TRAIN].add(image.label)
    if classes and TRAIN not in classes:
        raise UserError(f"{source} has no training part, but {listed(sorted(classes))} alone: name images to train on.")
    for part in (VALIDATION, TEST):
        if unknown := sorted(classes[part] - classes[TRAIN]):
            raise UserError(
                f"{source} has images of {listed(unknown)} in its {part} part, and none in its training part, from "
                f"which the class would be learnt: call it as it is called there, or take it out of the {part} part."
            )
        if classes[part] and (missing := sorted(classes[TRAIN] - classes[part])):
            logger.warning(
                "%s has no images of %s in its %s part: nothing will tell how often they are named rightly there",
                source,
                listed(missing),
                part,
            )


def _parts_in(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Find which parts of a split a folder's name speaks of, each with the other words of the name."""
    without_accents = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    words = re.findall(r"[^\W\d_]+", _CAPITAL_IN_WORD.sub(" ", without_accents).lower())
    if found := _IS_PART.fullmatch("".join(words)):
        yield found.lastgroup or "", ()
        return
    for place, word in enumerate(words):
        if found := _PART.fullmatch(word):
            others = (*words[:place], *words[place + 1 :])
            yield found.lastgroup or "", tuple(other for other in others if not _IS_FILLING.fullmatch(other))
