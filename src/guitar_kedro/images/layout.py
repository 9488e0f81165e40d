"""Class folders: what a source must look like, and what it is told if it does not."""

from __future__ import annotations

import logging
import mimetypes
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import printable
from guitar_kedro.images.archives import is_clutter
from guitar_kedro.images.raw import RawImage

logger = logging.getLogger(__name__)

_SHOWN = 3  # examples in a sentence
# in the languages of the data sets that people meet: English, Spanish, Portuguese, French
_PART_OF_SPLIT = re.compile(
    "(?P<training>train(?:ing)?(?:val(?:id(?:ation)?)?)?|trn|entrenamiento|treino|treinamento|entrainement)"
    "|(?P<validation>val(?:id(?:ation)?)?|dev|validacion|validacao)"
    "|(?P<test>test(?:e|ing)?|tst|eval(?:uation)?|holdout|heldout|pruebas?)"
)
_FILLING = "(?:set|data|image|img|picture|photo|folder|split)s?"  # says nothing of what lies in a folder
_IS_FILLING = re.compile(f"(?:{_FILLING})+")
_IS_PART_OF_SPLIT = re.compile(f"(?:{_FILLING})*(?:{_PART_OF_SPLIT.pattern})(?:{_FILLING})*")
_CAPITAL_IN_WORD = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ARCHIVE = re.compile(r"\.(zip|rar|7z|tar(\.\w+)?|t(gz|bz2?|xz))$", re.IGNORECASE)


def checked_layout(images: list[RawImage], source: Path | str, need_classes: bool) -> list[RawImage]:
    """Refuse a source without classes or of another layout, and mark the files that lie beside the class folders."""
    if not images:
        raise UserError(f"{no_files(source)} Give one folder per class with pictures in it.")
    if not need_classes:
        return images
    _refuse_archives(images, source)
    folders: dict[str, list[RawImage]] = defaultdict(list)
    for image in images:
        if image.label and not image.problem:
            folders[image.file.rpartition("/")[0]].append(image)
    _refuse_given_split(folders, source)
    _refuse_classes_in_classes(folders, source)
    places: dict[str, list[str]] = defaultdict(list)
    for folder, (first, *_) in folders.items():
        places[first.label].append(folder)
    if len(places) < 2:
        raise UserError(_too_few_classes(places, images, source))
    if several := {label: where for label, where in places.items() if len(where) > 1}:
        logger.warning(
            "Classes whose pictures lie in several folders are each taken as one: %s. Rename the folders of those that "
            "are different classes",
            listed([f"{label} ({listed(where, _SHOWN)})" for label, where in several.items()], _SHOWN),
        )
    outside = ("no_class_folder", "It lies in no class folder.")
    return [
        image if image.label else RawImage(image.file, "", image.path, image.problem or outside) for image in images
    ]


def _refuse_archives(images: list[RawImage], source: Path | str) -> None:
    archives = [image.file for image in images if _ARCHIVE.search(image.file)]
    if archives and not any(_may_be_picture(image) and not _ARCHIVE.search(image.file) for image in images):
        raise UserError(
            f"{source} holds archives, {listed(archives, _SHOWN)}, and no pictures. Unpack each into a folder of its "
            "own that is called like its class, and give the folder in which these folders lie."
        )


def _refuse_given_split(folders: Iterable[str], source: Path | str) -> None:
    """Refuse folders called train, val, test and the like beside each other: they would become, or mix, classes.

    The same holds for folders whose names differ by such a word alone, as those of cat_train and cat_test do.
    """
    beside: dict[str, set[str]] = defaultdict(set)
    holds_folders: set[str] = set()
    for folder in folders:
        parents = ["", *(str(parent) for parent in PurePosixPath(folder).parents if parent.name)]
        for path in [folder, *parents[1:]]:
            beside[path.rpartition("/")[0]].add(path)
        holds_folders.update(parents)
    alike: dict[tuple[str, tuple[str, ...]], dict[str, str]] = defaultdict(dict)
    for above, paths in beside.items():
        for path in sorted(paths):
            for part, others in _parts_of_split(path.rpartition("/")[2]):
                alike[above, others][path] = part
    for parts in alike.values():
        if len(set(parts.values())) < 2:
            continue
        training = next((path for path, part in parts.items() if part == "training"), next(iter(parts)))
        if training in holds_folders:
            is_archive_here = isinstance(source, Path) and not source.is_dir()
            give = f"unpack it and give {training} alone" if is_archive_here else f"--params=images={source}/{training}"
            way_out = f"Take the training part alone: {give}. The others can be predicted with --pipeline=predict."
        else:
            way_out = "Put the pictures of each class into one folder that is called like it, without folders in it."
        raise UserError(
            f"{source} has a split of its own, {listed(list(parts), _SHOWN)}, which cannot be taken over: this project "
            f"would mix the parts, test pictures with training ones, and split them anew. {way_out}"
        )


def _parts_of_split(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Find which parts of a split a folder's name speaks of, each with the other words of the name."""
    without_accents = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    words = re.findall(r"[^\W\d_]+", _CAPITAL_IN_WORD.sub(" ", without_accents).lower())
    if found := _IS_PART_OF_SPLIT.fullmatch("".join(words)):
        yield found.lastgroup or "", ()
        return
    for place, word in enumerate(words):
        if found := _PART_OF_SPLIT.fullmatch(word):
            others = (*words[:place], *words[place + 1 :])
            yield found.lastgroup or "", tuple(other for other in others if not _IS_FILLING.fullmatch(other))


def _refuse_classes_in_classes(folders: dict[str, list[RawImage]], source: Path | str) -> None:
    """Refuse pictures beside folders of pictures, of which nobody can tell whether they are of one class."""
    with_pictures = {folder for folder, files in folders.items() if any(map(_may_be_picture, files))}
    for folder in sorted(with_pictures):
        for above in map(str, PurePosixPath(folder).parents):
            if above in with_pictures:
                raise UserError(
                    f"{source} has pictures in {above} and in the folder {folder}, which lies in it: would they be one "
                    f"class or two, {folders[above][0].label!r} and {folders[folder][0].label!r}? If one, move the "
                    f"pictures of {folder} into {above}; if two, those of {above} into a folder that lies beside the "
                    "other class folders."
                )


def _may_be_picture(image: RawImage) -> bool:
    """Tell by its name whether a file may be a picture, to let notes and tables lie beside class folders."""
    kind, _ = mimetypes.guess_type(image.file)
    return (kind or "").startswith("image/") or image.file.lower().endswith((".heic", ".heif"))


def _too_few_classes(places: dict[str, list[str]], images: list[RawImage], source: Path | str) -> str:
    unusable = [image for image in images if image.problem]
    if places:
        ((label, (folder, *_)),) = places.items()
        message = (
            f"{source} has one class only, {label!r}; at least two are needed. Put the pictures of another class "
            f"in a folder beside it.{_without_files(source, folder, images)}"
        )
    elif any(image.label for image in unusable):
        message = f"No file in the class folders of {source} can be used."
    else:
        message = (
            f"The files in {source} lie in no class folder. Make one folder per class, at least two, and put the "
            "pictures in them."
        )
    if unusable and (problem := unusable[0].problem):
        message += f" {len(unusable)} of {len(images)} cannot be used, for example {unusable[0].file}: {problem[1]}"
    return message


def _without_files(source: Path | str, folder: str, images: list[RawImage]) -> str:
    """Tell which folders beside a class folder of this machine have no files that are listed."""
    if not isinstance(source, Path) or not source.is_dir():
        return ""
    above = PurePosixPath(folder).parent
    told = []
    for path in sorted(source.joinpath(above).iterdir()):
        name = str(above / printable(path.name))
        if path.is_dir() and not any(f"{image.file}/".startswith(f"{name}/") for image in images):
            told.append(f"{name} is {'hidden' if is_clutter(path.name) else 'empty'}")
    return f" {listed(told, _SHOWN)}." if told else ""


def no_files(place: Path | str) -> str:
    """Tell that a source has no files, and whether it has any that were left out."""
    found = (path for path in place.rglob("*") if path.is_file()) if isinstance(place, Path) else iter(())
    if left_out := next(found, None):
        example = printable(left_out.relative_to(place))
        return (
            f"There are no files in {place} but hidden ones, whose own name or folder's begins with a dot, and what "
            f"operating systems leave behind, for example {example}; these are left out."
        )
    return (
        f"There are no files in {place} that are taken: hidden ones, and what operating systems leave behind, are not."
    )
