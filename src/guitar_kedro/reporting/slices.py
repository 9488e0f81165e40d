"""Which kinds of images a network errs on most."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.stats import hypergeom

from guitar_kedro.reporting import style
from guitar_kedro.reporting.errors import refuse_mixed_stages
from guitar_kedro.reporting.statistics import wilson_interval

_ASPECT_RATIOS = (1 / 2, 3 / 4, 4 / 3, 2)  # width to height
_ASPECT_NAMES = (
    "narrower than 1:2",
    "between 1:2 and 3:4",
    "nearly square, 3:4 to 4:3",
    "wider than 4:3, not yet 2:1",
    "2:1 or wider",
)
_LEVEL = 0.05
_NAMED = 5
_NAME_WIDTH = 2.8  # inches


def slice_errors(
    predictions: pd.DataFrame, image_table: pd.DataFrame, display_names: Mapping[str, str]
) -> pd.DataFrame:
    """Count the errors among images that have something in common.

    Args:
        predictions: Of one stage; ``image_id``, ``label`` and ``predicted`` are read.
        image_table: Holds every image of the predictions and possibly others, which count as near duplicates:
            ``image_id``, ``width`` and ``height`` of the original in pixels, ``duplicate_group``.
        display_names: Names to show, by label.

    Returns:
        A row per slice: ``slice`` (``class``, ``original size``, ``aspect ratio``, ``near duplicates``), ``value``
        (in words), ``images``, ``errors``, ``error_rate``, ``error_low`` and ``error_high`` (Wilson 95 % interval,
        shares between 0 and 1). Each kind of slice holds every image once; slices without images are left out.
        Sizes are divided at the quartiles of the predicted images' longest sides, rounded to two digits.

    Raises:
        ValueError: If several stages are mixed, or an image is not in the image table.
    """
    refuse_mixed_stages(predictions)
    others = image_table.set_index("image_id")
    missing = ~predictions["image_id"].isin(others.index)
    if missing.any():
        raise ValueError(f"image {predictions['image_id'][missing].iloc[0]} is not in the image table")
    group_sizes = others["duplicate_group"].map(others["duplicate_group"].value_counts())
    images = others.loc[predictions["image_id"], ["width", "height"]].astype(float).reset_index(drop=True)
    shared = (group_sizes.loc[predictions["image_id"]] > 1).to_numpy()
    labels = sorted(set(predictions["label"]))
    ratios = np.digitize(images["width"] / images["height"], _ASPECT_RATIOS)
    # Exactly 3:4 and 4:3, the shapes of most cameras, belong in the middle.
    ratios[np.isclose(images["width"] / images["height"], _ASPECT_RATIOS[2])] = 2
    sizes, size_names = _sizes(images.max(axis=1).to_numpy())
    kinds = {
        "class": (
            pd.Index(labels).get_indexer(predictions["label"]),
            [style.display_name(x, display_names) for x in labels],
        ),
        "original size": (sizes, size_names),
        "aspect ratio": (ratios, _ASPECT_NAMES),
        "near duplicates": (shared.astype(int), ("has no near duplicates", "has near duplicates")),
    }
    wrong = (predictions["label"].astype(str) != predictions["predicted"].astype(str)).to_numpy()
    rows = [
        (kind, name, total, errors)
        for kind, (places, names) in kinds.items()
        for name, total, errors in zip(
            names, *(np.bincount(of, minlength=len(names)) for of in (places, places[wrong])), strict=True
        )
    ]
    table = pd.DataFrame(rows, columns=["slice", "value", "images", "errors"])
    return _with_rates(table[table["images"] > 0].reset_index(drop=True))


def worst_slices(slices: pd.DataFrame, overall_error_rate: float) -> pd.DataFrame:
    """Name the slices that are worse than all other images, beyond what chance explains.

    Fisher's exact test, one-sided: how often would so many of the errors fall into the slice if they fell anywhere?
    One in twenty slices would pass by luck, so the levels are corrected for the number of slices: S. Holm (1979),
    "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (2), 65-70. It
    holds for slices that overlap, too. Whether intervals lie apart would be no test: with few images they never do,
    and with a hundred classes some do by luck.

    Args:
        slices: From ``slice_errors``.
        overall_error_rate: Of all images of the slices, a share between 0 and 1.

    Returns:
        Rows of ``slices`` with ``p_value`` (corrected), at most one in twenty such tables holding a slice that is no
        worse than the others; the highest error rate first. Empty where there are too few images to tell.

    Raises:
        ValueError: If the error rate is no share.
    """
    if not 0 <= overall_error_rate <= 1:
        raise ValueError(f"overall_error_rate must lie between 0 and 1, not {overall_error_rate}")
    total = _images(slices)
    # A slice of all images has no others to be compared with.
    tested = slices[slices["images"] < total]
    errors = round(overall_error_rate * total)
    chance = hypergeom.sf(tested["errors"].to_numpy() - 1, total, errors, tested["images"].to_numpy())
    found = tested.assign(p_value=_holm(np.asarray(chance, dtype=float)))
    found = found[found["p_value"] <= _LEVEL]
    return found.sort_values(["error_rate", "p_value"], ascending=[False, True], kind="stable").reset_index(drop=True)


def slices_figure(slices: pd.DataFrame, overall_error_rate: float, worst: pd.DataFrame) -> Figure:
    """Draw the error rate of every slice with its interval, next to that of all images.

    Of more than 60 classes those are drawn whose intervals begin highest: of many classes with an image or two, some
    are wrong on all by chance.

    Args:
        slices: From ``slice_errors``.
        overall_error_rate: Of all images, a share between 0 and 1.
        worst: From ``worst_slices``; these are named and drawn in the signal colour.
    """
    notes = _notes(slices, overall_error_rate, worst)
    if (classes := int((slices["slice"] == "class").sum())) > style.MOST_CLASSES:
        notes.append(f"Of {classes:,} classes, the {style.MOST_CLASSES} whose intervals begin highest are shown.")
    rows = _places(slices)
    height = 0.9 + 0.25 * max(rows["place"].max() + 1 if len(rows) else 0, 3)
    figure = style.new_figure(9.0, height, "Where the errors are", notes)
    axes = figure.add_subplot()
    bad = set(zip(worst["slice"], worst["value"], strict=True))
    colours = [style.VERMILLION if key in bad else style.BLUE for key in zip(rows["slice"], rows["value"], strict=True)]
    _draw(axes, rows, colours, overall_error_rate)
    _name_rows(axes, rows)
    return figure


def _sizes(longest: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if not len(longest):
        return np.empty(0, dtype=int), []
    quartiles = np.quantile(longest, (0.25, 0.5, 0.75))
    edges = sorted({_round(edge) for edge in quartiles if longest.min() < _round(edge) <= longest.max()})
    if not edges:
        low, high = int(longest.min()), int(longest.max())
        return np.zeros(len(longest), dtype=int), [f"longest side {low if low == high else f'{low} to {high}'} px"]
    middle = [f"longest side {low} to {high - 1} px" for low, high in pairwise(edges)]
    names = [f"longest side below {edges[0]} px", *middle, f"longest side {edges[-1]} px or more"]
    return np.digitize(longest, edges), names


def _round(edge: float) -> int:
    return int(float(f"{edge:.1e}"))


def _with_rates(table: pd.DataFrame) -> pd.DataFrame:
    intervals = [wilson_interval(wrong, total) for wrong, total in zip(table["errors"], table["images"], strict=True)]
    return table.assign(
        error_rate=table["errors"] / table["images"],
        error_low=pd.Series([low for low, _ in intervals], dtype=float),
        error_high=pd.Series([high for _, high in intervals], dtype=float),
    )


def _holm(chances: np.ndarray) -> np.ndarray:
    order = np.argsort(chances)
    stepped = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    corrected = np.empty_like(chances)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def _images(slices: pd.DataFrame) -> int:
    # Every kind of slice holds all images.
    return int(slices.groupby("slice")["images"].sum().max()) if len(slices) else 0


def _notes(slices: pd.DataFrame, overall_error_rate: float, worst: pd.DataFrame) -> list[str]:
    if slices.empty:
        return ["There are no images."]
    note = (
        "Share of wrong validation images with Wilson 95 % intervals; beside them errors of images. "
        f"The line: {style.percent(overall_error_rate)} of all {_images(slices):,}."
    )
    if not slices["errors"].any():
        return [note, "Nothing is wrong."]
    if worst.empty:
        return [note, "Too few images to call any group worse than the rest: what differs may be chance."]
    named = [f"{row.value} ({style.percent(row.error_rate)})" for row in worst[:_NAMED].itertuples()]
    more = f" and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
    return [note, f"Worse than the rest, beyond chance: {'; '.join(named)}{more}."]


def _places(slices: pd.DataFrame) -> pd.DataFrame:
    kinds = [group for _, group in slices.groupby("slice", sort=False)]
    # Sizes and shapes have an order of their own.
    kinds = [
        group.nlargest(style.MOST_CLASSES, "error_low")
        .sort_index()
        .sort_values(["error_rate", "images"], ascending=False)
        if group["slice"].iloc[0] == "class"
        else group
        for group in kinds
    ]
    rows = pd.concat(kinds, ignore_index=True) if kinds else slices
    begins = rows["slice"].ne(rows["slice"].shift()).cumsum()
    # Every kind has a line for its name and, below the first, one of air.
    return rows.assign(place=np.arange(len(rows)) + begins + 0.4 * (begins - 1))


def _draw(axes: Axes, rows: pd.DataFrame, colours: list[str], overall_error_rate: float) -> None:
    rate, low, high = (100 * rows[name] for name in ("error_rate", "error_low", "error_high"))
    axes.axvline(100 * overall_error_rate, color=style.FAINT, linewidth=1.4, zorder=1)
    axes.hlines(rows["place"], low, high, color=colours, linewidth=2.2, zorder=2)
    axes.scatter(
        rate, rows["place"], color=colours, s=36, zorder=3, clip_on=False, edgecolors=style.PAPER, linewidths=1
    )
    texts = [f"{wrong:,} of {total:,}" for wrong, total in zip(rows["errors"], rows["images"], strict=True)]
    for place, words, end in zip(rows["place"], texts, high, strict=True):
        note = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        note["bbox"] = {"facecolor": style.PAPER, "linewidth": 0, "pad": 1}
        axes.annotate(words, (end, place), **note, **style.text(style.SMALL_SIZE, style.MUTED))
    reach = high.max() if len(rows) else 1.0
    room = max((style.text_width(words, style.SMALL_SIZE) for words in texts), default=0) + 0.2
    axes.set_xlim(0, reach * 5.6 / max(5.6 - room, 2))
    ticks = MaxNLocator(6).tick_values(0, reach)
    axes.set_xticks([tick for tick in ticks if 0 <= tick <= min(100, axes.get_xlim()[1])])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.set_xlabel("error rate")
    style.clean(axes, "x")


def _name_rows(axes: Axes, rows: pd.DataFrame) -> None:
    names = [(place, value, style.text()) for place, value in zip(rows["place"], rows["value"], strict=True)]
    firsts = rows.drop_duplicates("slice")
    names += [
        (place - 1, kind.capitalize(), style.text(weight="bold"))
        for place, kind in zip(firsts["place"], firsts["slice"], strict=True)
    ]
    axes.set_yticks([place for place, _, _ in names], labels=[style.shorten(name, _NAME_WIDTH) for _, name, _ in names])
    for tick, (_, _, look) in zip(axes.get_yticklabels(), names, strict=True):
        tick.update(look)
    axes.set_ylim(max((place for place, _, _ in names), default=1) + 0.6, -0.6)
