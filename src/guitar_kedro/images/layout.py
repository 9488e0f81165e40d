"""Class folders: what a source must look like, and what it is told if it does not."""

from __future__ import annotations

import logging
import mimetypes
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import composed, printable
from guitar_kedro.images.archives import is_clutter
from guitar_kedro.images.parts import are_a_split, check_parts, part_called, part_of, parts_beside
from guitar_kedro.images.raw import RawImage
from guitar_kedro.splits import SPLITS, TRAIN

logger = logging.getLogger(__name__)

LEVELS = ("class", "group", "split", "*")  # of folders, as ``folders`` names them

_OUTSIDE = ("no_class_folder", "outside_of_split")  # reasons why a file has no class
_SHOWN = 3  # examples in a sentence
_ARCHIVE = re.compile(r"\.(zip|rar|7z|tar(\.\w+)?|t(gz|bz2?|xz))$", re.IGNORECASE)


def checked_layout(images: list[RawImage], source: Path | str, folders: str | None = None) -> list[RawImage]:
    """Give each file the class, the part of the split and the group that its folders say; refuse another layout.

    Args:
        images: Of the source; their labels are the folders that they lie in.
        source: For messages.
        folders: What the folders are in which files lie, from the outer to the inner one, as ``class/group``; what lies
            above does not count. ``None`` stands for class folders beside each other.

    Returns:
        The images; files that lie beside the class folders have a problem.

    Raises:
        UserError: If the source is empty or has fewer than two classes, or nobody can tell which folders are classes.
    """
    if not images:
        raise UserError(f"{no_files(source)} Give one folder per class with pictures in it.")
    _refuse_archives(images, source)
    levels = checked_levels(folders)
    inside: dict[str, list[RawImage]] = defaultdict(list)
    for image in images:
        if image.label and not image.problem:
            inside[image.file.rpartition("/")[0]].append(image)
    parts = {} if "split" in levels else _given_parts(inside, source)
    if not folders:
        _refuse_classes_in_classes(inside, parts, source)
        _refuse_nested(inside, parts, source)
    placed = [_placed(image, levels, parts, source) for image in images]
    places = {image.label: image.file for image in placed if image.label and not image.problem}
    if len(places) < 2:
        if folders and "/" in folders and any(image.label for image in images):
            raise UserError(
                f"--params=folders={folders}: the pictures of {source} lie in fewer folders than that, for example "
                f"{images[0].file}. Name only the folders that there are."
            )
        raise UserError(_too_few_classes(places, images, source))
    _tell_left_out(placed)
    check_parts(filter(_may_be_picture, placed), source)
    return placed


def _tell_left_out(images: Iterable[RawImage]) -> None:
    """Warn of pictures that lie where no class is."""
    left_out = [image for image in images if (image.problem or ("",))[0] in _OUTSIDE and _may_be_picture(image)]
    if left_out and (problem := left_out[0].problem):
        logger.warning("Pictures are left out (%d), for example %s: %s", len(left_out), left_out[0].file, problem[1])


def refuse_rare_classes(images: Iterable[RawImage], decided: Collection[str]) -> None:
    """Refuse a class of too few pictures to be in each part that is to be dealt.

    Args:
        images: All files of the source.
        decided: Files, and classes, about which a person has decided, so that they may count otherwise.

    Raises:
        UserError: If there is one.
    """
    usable = [image for image in images if image.label and not image.problem]
    given = {image.split for image in usable}
    needed = [part for part in SPLITS if part == TRAIN or part not in given]
    files = Counter(image.label for image in usable if image.split in ("", TRAIN))
    pictures = {image.label for image in usable if _may_be_picture(image)}
    undecided = pictures - {image.label for image in usable if image.file in decided} - {*decided}
    if rare := sorted(label for label in undecided if files[label] < len(needed)):
        others = f"; so do {listed(rare[1:])}" if len(rare) > 1 else ""
        raise UserError(
            f"Class {rare[0]} has only {files[rare[0]]} of the {len(needed)} different images that it needs for the "
            f"parts {', '.join(needed)}{others}: add images, or leave the class out."
        )


def checked_levels(folders: str | None) -> list[str]:
    """Read which folders are the classes.

    Raises:
        UserError: If a word of it is unknown, or one of them does not stand in it once.
    """
    levels = folders.strip("/").split("/") if folders else ["class"]
    words = [level for level in levels if level != "*"]
    if "class" not in levels or len(set(words)) < len(words) or not set(levels) <= set(LEVELS):
        raise UserError(
            f"--params=folders={folders}: name the folders in which the pictures lie from the outer to the inner one, "
            "each by one of the words class, group, split and *, class among them, as in folders=class/group."
        )
    return levels


def _placed(image: RawImage, levels: list[str], parts: dict[str, str], source: Path | str) -> RawImage:
    """Say of a file which class, part and group its folders stand for."""
    if image.problem:
        return image
    part, folder = part_of(image.file.rpartition("/")[0], parts)
    if parts and not part:
        beside = f"It lies in none of the folders {listed(sorted(parts))}."
        return replace(image, label="", problem=("outside_of_split", beside))
    names = folder.split("/") if folder else []
    if len(names) < len(levels):
        return replace(image, label="", problem=("no_class_folder", "It lies in no class folder."))
    above = names[: len(names) - len(levels)]
    said = {level: "/".join([*above, *names[len(above) : len(above) + place]]) for place, level in enumerate(levels, 1)}
    if "split" in said:
        name = PurePosixPath(said["split"]).name
        if (found := part_called(name)) is None:
            raise UserError(f"{source} has the folder {said['split']}: {name} is none of train, validation and test.")
        part = found
    label = composed(PurePosixPath(said["class"]).name)
    return replace(image, label=label, split=part, group=composed(said.get("group", "")))


def _refuse_archives(images: list[RawImage], source: Path | str) -> None:
    archives = [image.file for image in images if _ARCHIVE.search(image.file)]
    if archives and not any(_may_be_picture(image) and not _ARCHIVE.search(image.file) for image in images):
        raise UserError(
            f"{source} holds archives, {listed(archives, _SHOWN)}, and no pictures. Unpack each into a folder of its "
            "own that is called like its class, and give the folder in which these folders lie."
        )


def _given_parts(folders: Collection[str], source: Path | str) -> dict[str, str]:
    """Find the folders of a split that the source came with: the part of each by its path.

    Raises:
        UserError: If folders are called so, and what they are is not plain: they would become, or mix, classes.
    """
    found = parts_beside(folders)
    if not found:
        return {}
    if len(found) == 1 and are_a_split(found[0]):
        if all(any(folder.startswith(f"{path}/") for folder in folders) for path in found[0]):
            return found[0]
        way_out = "Put one folder per class into each of them, with the pictures in it"
    elif len(found) == 1 and len(set(found[0].values())) == len(found[0]):
        way_out = "There is none to train on: call one of them train"
    else:
        way_out = (
            "Put folders called train, validation and test beside each other, and into each one folder per class; or, "
            "if these lie in the class folders, say so with --params=folders=class/split"
        )
    raise UserError(
        f"{source} has a split of its own, {listed([path for parts in found for path in parts], _SHOWN)}, which cannot "
        f"be taken over as it is. {way_out}. Or name the part and the class of each file in a table, with "
        "--params=labels=FILE."
    )


def _refuse_classes_in_classes(folders: dict[str, list[RawImage]], parts: dict[str, str], source: Path | str) -> None:
    """Refuse pictures beside folders of pictures, of which nobody can tell whether they are of one class."""
    with_pictures = _with_pictures(folders, parts)
    for folder in sorted(with_pictures):
        for above in map(str, PurePosixPath(folder).parents):
            if above in with_pictures:
                raise UserError(
                    f"{source} has pictures in {above} and in the folder {folder}, which lies in it: would they be one "
                    f"class or two, {folders[above][0].label!r} and {folders[folder][0].label!r}? If one, move the "
                    f"pictures of {folder} into {above}; if two, those of {above} into a folder that lies beside the "
                    "other class folders."
                )


def _refuse_nested(folders: dict[str, list[RawImage]], parts: dict[str, str], source: Path | str) -> None:
    """Refuse folders of pictures in several folders, of which nobody can tell whether they are classes or groups."""
    above: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in sorted(_with_pictures(folders, parts)):
        part, inside = part_of(folder, parts)
        above[part].setdefault(inside.rpartition("/")[0], folder)
    for examples in above.values():
        if len(examples) > 1:
            raise UserError(
                f"{source} has folders of pictures in several folders, {listed(list(examples.values()), _SHOWN)}: "
                "which of them are the classes? Say so: with --params=folders=class/group, if the outer ones are, and "
                "the pictures of an inner one stay on one side of the split; with folders=group/class, if it is the "
                "other way round; with folders=class, if the inner ones are, and the outer ones say nothing."
            )


def _with_pictures(folders: dict[str, list[RawImage]], parts: dict[str, str]) -> set[str]:
    """List the folders of pictures, where there are parts of a split those in them."""
    found = {folder for folder, files in folders.items() if any(map(_may_be_picture, files))}
    return {folder for folder in found if all(part_of(folder, parts))} if parts else found


def _may_be_picture(image: RawImage) -> bool:
    """Tell by its name whether a file may be a picture, to let notes and tables lie beside class folders."""
    kind, _ = mimetypes.guess_type(image.file)
    return (kind or "").startswith("image/") or image.file.lower().endswith((".heic", ".heif"))


def _too_few_classes(places: dict[str, str], images: list[RawImage], source: Path | str) -> str:
    unusable = [image for image in images if image.problem]
    if places:
        ((label, file),) = places.items()
        message = (
            f"{source} has one class only, {label!r}; at least two are needed. Put the pictures of another class "
            f"in a folder beside it.{_without_files(source, file.rpartition('/')[0], images)}"
        )
    elif any(image.label for image in unusable):
        message = f"No file in the class folders of {source} can be used."
    else:
        message = (
            f"The files in {source} lie in no class folder. Make one folder per class, at least two, and put the "
            "pictures in them; or name a table that says the class of each file with --params=labels=FILE."
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
