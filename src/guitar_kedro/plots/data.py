"""Figures about the pictures that were ingested and how they were split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from guitar_kedro.display_names import distinct_names
from guitar_kedro.metrics import formatting
from guitar_kedro.plots import sheets, style
from guitar_kedro.sizes import ImageSize, height_width, size_in_words
from guitar_kedro.splits import SPLITS

_BAR_WIDTH = 8.0  # inches, figures of bars
_NAME_WIDTH = 2.6  # inches, names beside bars
_PICTURES_PER_ROW = 8
_ROWS_OF_CLASSES = 30  # on a contact sheet; of more classes it shows a picture each
_TILES_OF_CLASSES = 240
_TILES_PER_ROW = 12


def class_balance(image_table: pd.DataFrame, display_names: Mapping[str, str]) -> Figure:
    """Draw how many pictures each class has, the largest class on top.

    Of more than 60 classes the largest and the smallest are drawn.

    Args:
        image_table: One row per kept image; its column ``label`` is read.
        display_names: Names to show, by label.
    """
    counts = image_table["label"].value_counts().sort_index(ascending=False).sort_values(kind="stable")
    note = f"{formatting.count(len(image_table), 'image')} in {formatting.count(len(counts), 'class')}"
    if len(counts) > 1:
        note += f"; the largest class has {counts.iloc[-1] / counts.iloc[0]:.1f} times as many as the smallest"
    names = distinct_names(counts.index, display_names)
    counts, notes = _largest_and_smallest(counts, counts)
    figure = style.new_figure(_BAR_WIDTH, _bars_height(len(counts)), "Images per class", [f"{note}.", *notes])
    axes = figure.add_subplot()
    axes.barh(range(len(counts)), counts, color=style.BLUE, height=0.72)
    _name_bars(axes, counts.index, names)
    _write_beside_bars(axes, counts, [f"{count:,}" for count in counts])
    return figure


def split_balance(splits: pd.DataFrame, display_names: Mapping[str, str]) -> Figure:
    """Draw how many pictures of each class are for training, validation and test.

    Of more than 60 classes the largest and the smallest are drawn.

    Args:
        splits: One row per image with ``label`` and ``split`` (``train``, ``validation``, ``test`` or another name).
        display_names: Names to show, by label.
    """
    table = pd.crosstab(splits["label"], splits["split"])
    names = [name for name in SPLITS if name in table] + [name for name in table if name not in SPLITS]
    table = table[names].sort_index(ascending=False)
    shares = [f"{name} {table[name].sum():,} ({formatting.percent(table[name].sum() / len(splits))})" for name in names]
    notes = [
        f"{formatting.count(len(splits), 'image')}: {', '.join(shares)}.",
        f"Beside the bars: {' · '.join(names)}.",
    ]
    shown_as = distinct_names(table.index, display_names)
    table, left_out = _largest_and_smallest(table, table.sum(axis=1))
    notes += left_out
    figure = style.new_figure(_BAR_WIDTH, _bars_height(len(table)) + 0.3, "Split of the images", notes)
    axes = figure.add_subplot()
    start = np.zeros(len(table))
    for name, colour in zip(names, style.SERIES, strict=False):
        axes.barh(range(len(table)), table[name], left=start, color=colour, height=0.72, label=name)
        start = start + table[name].to_numpy()
    _name_bars(axes, table.index, shown_as)
    _write_beside_bars(axes, table.sum(axis=1), [" · ".join(f"{n:,}" for n in row) for row in table.to_numpy()])
    style.legend(figure, loc="outside lower center", ncols=len(names))
    return figure


def resolutions(image_table: pd.DataFrame, stage_sizes: Mapping[str, ImageSize]) -> Figure:
    """Draw how large the originals are, next to the sizes at which the stages look at them.

    A stage whose shorter side exceeds the median of the originals' shorter sides learns from enlarged pictures most of
    the time; the figure says so in a warning.

    Args:
        image_table: One row per image with ``width`` and ``height`` of the original file, in pixels.
        stage_sizes: Of the pictures that each stage's network sees, by stage.
    """
    sides = image_table[["width", "height"]].astype("int64")
    shorter = sides.min(axis=1)
    figure = style.new_figure(
        10.0, 4.2, "Size of the originals", _size_notes(shorter), _size_warnings(shorter, stage_sizes)
    )
    areas, histogram = figure.subplots(1, 2)
    _draw_sizes(areas, sides)
    _draw_shorter_sides(histogram, shorter, [min(height_width(size)) for size in stage_sizes.values()])
    by_size: dict[tuple[int, int], list[str]] = {}
    for stage, size in stage_sizes.items():
        by_size.setdefault(height_width(size), []).append(stage)
    colours = style.SERIES[1:] * len(by_size)
    for ((height, width), stages), colour in zip(sorted(by_size.items()), colours, strict=False):
        names = style.shorten(", ".join(stages), 4.2, style.SMALL_SIZE)
        label = f"{size_in_words(stage_sizes[stages[0]])} px: {names}"
        areas.plot([0, width, width], [height, height, 0], color=colour, linewidth=1.6, label=label)
        histogram.axvline(min(height, width), color=colour, linewidth=1.6)
    if by_size:
        style.legend(figure, loc="outside lower center", ncols=2)
    return figure


def classes_on_sheet(labels: Sequence[str]) -> tuple[list[str], int]:
    """Choose what ``class_contact_sheet`` has room for, so that nothing else need be opened.

    Args:
        labels: All classes.

    Returns:
        The classes to show, evenly chosen where they are too many, and how many pictures of each.
    """
    count = min(len(labels), _TILES_OF_CLASSES)
    shown = [labels[place * len(labels) // count] for place in range(count)]
    return shown, _PICTURES_PER_ROW if len(labels) <= _ROWS_OF_CLASSES else 1


def class_contact_sheet(
    pictures_by_label: Mapping[str, Sequence[Image.Image]],
    display_names: Mapping[str, str],
    classes: Sequence[str] = (),
) -> Figure:
    """Show some pictures of every class, a row per class with its name at the left.

    Of more than 30 classes a picture each is shown above its name, of more than 240 evenly chosen ones.

    Args:
        pictures_by_label: Pictures of each class, in the order of the rows; the first eight are drawn.
        display_names: Names to show, by label.
        classes: All labels, where not all have pictures.
    """
    classes = classes or list(pictures_by_label)
    labels, most = classes_on_sheet(list(pictures_by_label))
    names = distinct_names(classes, display_names)
    pictures = {label: pictures_by_label[label][:most] for label in labels}
    if most > 1:
        rows = [sheets.Row(pictures[label], label=names[label]) for label in labels]
        return sheets.picture_sheet(rows, "Examples of every class", tile=1.15)
    tiles = [picture for label in labels for picture in pictures[label]]
    captions = [names[label] for label in labels for _ in pictures[label]]
    of_all = "" if len(labels) == len(classes) else f" of the {len(classes):,}"
    notes = [f"A picture of each of {len(labels):,}{of_all} classes."]
    return sheets.contact_sheet(tiles, captions, _TILES_PER_ROW, "Examples of the classes", notes, tile=1.15)


def duplicates_sheet(groups: Sequence[Sequence[tuple[Image.Image, str]]], sizes: Sequence[int] = ()) -> Figure:
    """Show pictures that were found to be duplicates of each other, a row per group.

    Args:
        groups: Each group's pictures with their captions (file, label). Up to eight of a group are drawn, and up to a
            hundred groups; the sheet says what is left out.
        sizes: How many images each group that was found has, where not all groups or not all of their pictures are
            given; the first belong to ``groups``.

    Raises:
        ValueError: If there are fewer sizes than groups.
    """
    sizes = sizes or [len(group) for group in groups]
    if len(sizes) < len(groups):
        raise ValueError(f"sizes must hold a number for each of the {len(groups)} groups, not {len(sizes)}")
    rows = []
    for number, (group, size) in enumerate(zip(groups, sizes, strict=False), 1):
        shown = group[:_PICTURES_PER_ROW]
        label = f"Group {number}: {formatting.count(size, 'image')}"
        if size > len(shown):
            label += f", {len(shown)} shown"
        rows.append(sheets.Row([picture for picture, _ in shown], [caption for _, caption in shown], label))
    found = f"{formatting.count(sum(sizes), 'image')} in {formatting.count(len(sizes), 'group')}"
    notes = [f"{found}; a group stays together when the images are split."]
    if len(sizes) > len(groups):
        notes.append(f"Shown: {formatting.count(len(groups), 'group')}.")
    return sheets.picture_sheet(rows, "Duplicates and near duplicates", notes if groups else [])


def _largest_and_smallest(table: Any, sizes: pd.Series) -> tuple[Any, list[str]]:
    """Leave the rows of the largest and smallest classes in their order, and say so where some were left out."""
    half = style.MOST_CLASSES // 2
    if len(table) <= style.MOST_CLASSES:
        return table, []
    ordered = np.argsort(sizes.to_numpy(), kind="stable")
    shown = np.sort(np.concatenate([ordered[:half], ordered[-half:]]))
    return table.iloc[shown], [f"Shown are the {half} largest and the {half} smallest classes."]


def _bars_height(bars: int) -> float:
    return 0.55 + 0.27 * max(bars, 1)


def _name_bars(axes: Axes, labels: Sequence[str], display_names: Mapping[str, str]) -> None:
    names = style.shorten_together([formatting.display_name(label, display_names) for label in labels], _NAME_WIDTH)
    axes.set_yticks(range(len(names)), labels=names)
    axes.set_ylim(-0.6, max(len(names), 1) - 0.4)
    style.clean(axes)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    for tick in axes.get_yticklabels():
        tick.update(style.text())


def _write_beside_bars(axes: Axes, lengths: pd.Series, texts: Sequence[str]) -> None:
    # Room for the text is part of the scale: the bars may take what the widest text leaves of about 4.5 inches.
    longest = max(lengths.max(), 1) if len(lengths) else 1
    room = max((style.text_width(text, style.SMALL_SIZE) for text in texts), default=0) + 0.15
    axes.set_xlim(0, longest * 4.5 / max(4.5 - room, 1.5))
    for position, (length, text) in enumerate(zip(lengths, texts, strict=True)):
        place: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(text, (length, position), **place, **style.text(style.SMALL_SIZE, style.MUTED))


def _size_notes(shorter: pd.Series) -> list[str]:
    if shorter.empty:
        return ["There are no images."]
    tenth, median, ninety = (round(value) for value in np.percentile(shorter, (10, 50, 90)))
    images = formatting.count(len(shorter), "image")
    return [f"{images}; shorter side: median {median} px, 80 % between {tenth} and {ninety} px."]


def _size_warnings(shorter: pd.Series, stage_sizes: Mapping[str, ImageSize]) -> list[str]:
    if shorter.empty:
        return []
    median = shorter.median()
    too_large = [
        f"{stage} ({size_in_words(size)} px)" for stage, size in stage_sizes.items() if min(height_width(size)) > median
    ]
    if not too_large:
        return []
    verb = "look" if len(too_large) > 1 else "looks"
    return [
        f"{', '.join(too_large)} {verb} at larger images than most originals are "
        f"(median shorter side {median:.0f} px): enlarging adds time, but nothing to see."
    ]


def _draw_sizes(axes: Axes, sides: pd.DataFrame) -> None:
    places = sides.value_counts().reset_index(name="images")
    area = 6 + 300 * places["images"] / max(len(sides), 1)
    axes.scatter(places["width"], places["height"], s=area, color=style.BLUE, alpha=0.35, linewidths=0)
    largest = max(sides.max().max() if len(sides) else 0, 1)
    axes.set(xlim=(0, largest * 1.06), ylim=(0, largest * 1.06), xlabel="width in pixels", ylabel="height in pixels")
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))
    style.clean(axes, "both", "Width and height")


def _draw_shorter_sides(axes: Axes, shorter: pd.Series, marks: Sequence[int]) -> None:
    values = [*shorter, *marks]
    lowest, highest = (max(min(values), 1) / 1.2, max(values) * 1.2) if values else (8, 1500)
    axes.set_xscale("log")
    axes.hist(shorter, bins=np.geomspace(lowest, highest, 41).tolist(), color=style.BLUE, alpha=0.75)
    axes.set(xlim=(lowest, highest), xlabel="shorter side in pixels (logarithmic)", ylabel="images")
    axes.set_xticks(_round_sizes(lowest, highest))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.set_ylim(0, None if len(shorter) else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    style.clean(axes, "y", "Shorter side")


def _round_sizes(lowest: float, highest: float) -> list[float]:
    dense = [first * 10**power for power in range(6) for first in (1, 1.5, 2, 3, 4, 5, 7)]
    sparse = [first * 10**power for power in range(6) for first in (1, 2, 5)]
    within = [value for value in dense if lowest <= value <= highest]
    if len(within) > 7:
        return [value for value in sparse if lowest <= value <= highest]
    return within if len(within) > 2 else [round(value) for value in np.geomspace(lowest, highest, 5)[1:-1]]
