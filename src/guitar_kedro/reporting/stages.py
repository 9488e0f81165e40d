"""Whether a stage of training was worth its time: neighbouring stages compared on the same images.

``predictions`` has one row per image and stage, as in ``guitar_kedro.reporting.predictions``. Only those of the split
``validation`` are read, which every stage has to have made on the same images. The order of the stages is that of
their first rows.

An image is *fixed* where the later stage is right and the earlier was wrong, and *broken* the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from guitar_kedro.reporting import sheets, style
from guitar_kedro.reporting.statistics import mcnemar_test, wilson_interval

_SPLIT = "validation"
_PROBABILITY = "probability_"
_CHANCE = 0.05  # a p-value below it is taken for more than chance
_TYPES = {
    "stage_before": "str",
    "stage": "str",
    "images": "int64",
    "errors_before": "int64",
    "errors": "int64",
    "fixed": "int64",
    "broken": "int64",
    "p_value": "float64",
    "seconds": "float64",
    "seconds_per_error_removed": "float64",
}

_WIDTH, _WIDTH_OF_ONE = 11.0, 7.0  # inches
_NAME_WIDTH = 2.4  # inches
_PITCH = 0.66  # inches from stage to stage
_PANELS = (10, 8, 6)  # how the panels share the width


def compare_neighbours(predictions: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """Count what each stage fixed and broke of the stage before it, and what that cost.

    Args:
        predictions: Of any number of stages; ``image_id``, ``stage``, ``split``, ``label`` and ``predicted`` are read.
        seconds: How long each stage was trained, by its name. A stage that is missing has an unknown price.

    Returns:
        One row per pair of neighbours: ``stage_before``, ``stage``, ``images``, ``errors_before``, ``errors``,
        ``fixed``, ``broken`` (images), ``p_value`` (exact McNemar test), ``seconds`` (of the later stage) and
        ``seconds_per_error_removed`` (``seconds`` by ``fixed - broken``; NaN where no error was removed). A single
        stage gives no row.

    Raises:
        ValueError: If the stages did not predict the same images, or one of them predicted an image twice.
    """
    stages = _stages_of(predictions)
    right = [_right(_of_stage(predictions, stage)) for stage in stages]
    pairs = zip(stages[:-1], stages[1:], right[:-1], right[1:], strict=True)
    rows = [_pair(*pair, float(seconds.get(pair[1], np.nan))) for pair in pairs]
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def stage_verdict(neighbours: pd.DataFrame) -> str:
    """Say in a sentence or two whether the last stage was worth it.

    A difference counts as more than chance below a p-value of 0.05.

    Args:
        neighbours: From ``compare_neighbours``.
    """
    if neighbours.empty:
        return "There is no earlier stage to compare with."
    row = neighbours.iloc[-1]
    return " ".join(part for part in (_effect(row), _price(row)) if part)


def stage_errors_figure(predictions: pd.DataFrame, neighbours: pd.DataFrame, verdict: str) -> Figure:
    """Draw the error rate of every stage with its interval, and between the stages what each fixed and broke.

    Args:
        predictions: As given to ``compare_neighbours``.
        neighbours: From ``compare_neighbours``.
        verdict: From ``stage_verdict``; drawn below the title.
    """
    errors = _errors(predictions)
    height = 0.85 + _PITCH * max(len(errors), 1)
    width = _WIDTH if len(neighbours) else _WIDTH_OF_ONE
    figure = style.new_figure(width, height, "What each stage brought", [verdict, _reading(errors)])
    names = max((style.text_width(_short(stage)) for stage in errors["stage"]), default=0.0)
    room = width - 1.12 * names - 0.8  # bold type is that much wider
    if neighbours.empty:
        _draw_errors(figure.subplots(), errors, room)
        return figure
    rates, changes, prices = figure.subplots(1, 3, sharey=True, width_ratios=_PANELS)
    _draw_errors(rates, errors, room * _PANELS[0] / sum(_PANELS))
    _draw_changes(changes, neighbours, room * _PANELS[1] / sum(_PANELS))
    _write_prices(prices, neighbours)
    return figure


def fixed_and_broken(
    predictions: pd.DataFrame, stage_before: str, stage: str, most: int = 8
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pick the images on which a stage changed its mind from wrong to right, and from right to wrong.

    Args:
        predictions: With the columns that ``compare_neighbours`` reads and ``probability_<class>`` of every class.
        stage_before: The earlier stage.
        stage: The later stage.
        most: How many images to give of each kind.

    Returns:
        The rows of the later stage of the images it fixed, and of those it broke, each with the column
        ``predicted_before`` added. The surest come first: those with the highest probability of the class that the
        later stage predicted.

    Raises:
        ValueError: If a stage is missing, the two did not predict the same images, or a probability is missing.
    """
    missing = {stage_before, stage} - set(_stages_of(predictions))
    if missing:
        raise ValueError(f"there are no predictions of {sorted(missing)}; there are {_stages_of(predictions)}")
    before, now = (_of_stage(predictions, name) for name in (stage_before, stage))
    fixed, broken = _changes(_right(before), _right(now), stage_before, stage)
    surest = now.assign(predicted_before=before["predicted"])
    surest = surest.iloc[np.argsort(-_sureness(now), kind="stable")]
    chosen = [surest[changed.reindex(surest.index)].head(most) for changed in (fixed, broken)]
    first, second = (rows.reset_index()[[*predictions.columns, "predicted_before"]] for rows in chosen)
    return first, second


def fixed_and_broken_sheet(
    rows: Sequence[tuple[str, Sequence[Image.Image], Sequence[str]]], left_out: int = 0
) -> Figure:
    """Lay out the images that stages fixed and broke.

    Args:
        rows: From top to bottom: a label such as ``Fixed by large (9)``, the pictures, and a caption for each. A row
            without pictures becomes a line below the title.
        left_out: How many earlier stages are not among the rows.
    """
    notes = [f"The last stages; {left_out} before them are left out."] if left_out else []
    notes += [f"{label}: nothing to show." for label, pictures, _ in rows if not pictures]
    shown = [sheets.Row(pictures, captions, label) for label, pictures, captions in rows if pictures]
    return sheets.picture_sheet(shown, "Images fixed and broken", notes)


def _stages_of(predictions: pd.DataFrame) -> list[str]:
    return [str(stage) for stage in dict.fromkeys(predictions["stage"])]


def _of_stage(predictions: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Give the rows of a stage on the validation images, by image in a common order."""
    chosen = (predictions["stage"].astype(str) == stage) & (predictions["split"].astype(str) == _SPLIT)
    rows = predictions[chosen].set_index("image_id").sort_index()
    if not rows.index.is_unique:
        twice = rows.index[rows.index.duplicated()][0]
        raise ValueError(f"stage '{stage}' predicted the image {twice} twice")
    return rows


def _right(rows: pd.DataFrame) -> pd.Series:
    return rows["label"].astype(str) == rows["predicted"].astype(str)


def _changes(before: pd.Series, now: pd.Series, stage_before: str, stage: str) -> tuple[pd.Series, pd.Series]:
    if not before.index.equals(now.index):
        only = before.index.symmetric_difference(now.index)
        raise ValueError(
            f"'{stage_before}' and '{stage}' did not predict the same {_SPLIT} images: "
            f"{style.count(len(only), 'image')} by one of them only, such as {only[0]}"
        )
    return now & ~before, before & ~now


def _pair(stage_before: str, stage: str, before: pd.Series, now: pd.Series, seconds: float) -> dict[str, Any]:
    fixed, broken = (int(changed.sum()) for changed in _changes(before, now, stage_before, stage))
    removed = fixed - broken
    return {
        "stage_before": stage_before,
        "stage": stage,
        "images": len(now),
        "errors_before": int((~before).sum()),
        "errors": int((~now).sum()),
        "fixed": fixed,
        "broken": broken,
        "p_value": mcnemar_test(fixed, broken),
        "seconds": seconds,
        "seconds_per_error_removed": seconds / removed if removed > 0 else np.nan,
    }


def _sureness(rows: pd.DataFrame) -> np.ndarray:
    """Give the probability of what was predicted, an array of (images,)."""
    columns = _PROBABILITY + rows["predicted"].astype(str)
    missing = sorted(set(columns) - set(rows.columns))
    if missing:
        raise ValueError(f"the predictions lack the columns {missing}")
    names = sorted(set(columns))
    values = rows[names].to_numpy(float)
    return values[np.arange(len(rows)), pd.Index(names).get_indexer(columns)]


def _effect(row: pd.Series) -> str:
    stage, before = row["stage"], row["stage_before"]
    if not row["fixed"] and not row["broken"]:
        same = f"{stage} is right and wrong on the same images as {before}"
        return f"{same} ({style.count(row['errors'], 'error')} of {_images_of(row)}): it changed nothing."
    fixed = style.count(row["fixed"], "image") if row["fixed"] else "no image"
    broke = f"broke {row['broken']:,} that {before} had right" if row["broken"] else "broke none"
    counts = f"{row['errors']:,} errors against {row['errors_before']:,} of {_images_of(row)}"
    return f"{stage} fixed {fixed} and {broke} ({counts}): {_judgement(row)} (McNemar {_p_value(row['p_value'])})."


def _judgement(row: pd.Series) -> str:
    more = row["errors"] - row["errors_before"]
    if not more:
        return "neither better nor worse"
    if row["p_value"] >= _CHANCE:
        return "that may well be chance" if more < 0 else "worse, though that may well be chance"
    return "better, by more than chance would explain" if more < 0 else "worse, by more than chance would explain"


def _price(row: pd.Series) -> str:
    if pd.isna(row["seconds"]):
        return ""
    took = f"It took {style.clock(row['seconds'] / 60)}"
    if pd.isna(row["seconds_per_error_removed"]):
        return f"{took} and did not make the errors fewer."
    return f"{took}, {_duration(row['seconds_per_error_removed'])} for each error removed."


def _images_of(row: pd.Series) -> str:
    return style.count(row["images"], f"{_SPLIT} image")


def _p_value(value: float) -> str:
    if value < 0.001:
        return "p < 0.001"
    for digits in range(2, 16):
        written = f"{value:.{digits}g}"
        # Rounding must not carry it over the threshold that decided the words beside it.
        if (float(written) < _CHANCE) == (value < _CHANCE):
            break
    return f"p = {written}"


def _duration(seconds: float) -> str:
    if seconds >= 59.5:
        return style.clock(seconds / 60)
    return f"{seconds:.0f} s" if seconds >= 9.95 or not seconds else f"{max(seconds, 0.1):.1f} s"


def _errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the errors of every stage: ``stage``, ``images``, ``errors``, ``rate``, ``low`` and ``high`` (shares)."""
    rows = []
    for stage in _stages_of(predictions):
        right = _right(_of_stage(predictions, stage))
        wrong = int((~right).sum())
        if len(right):
            rows.append((stage, len(right), wrong, wrong / len(right), *wilson_interval(wrong, len(right))))
    return pd.DataFrame(rows, columns=["stage", "images", "errors", "rate", "low", "high"])


def _short(stage: str) -> str:
    return style.shorten(stage, _NAME_WIDTH)


def _reading(errors: pd.DataFrame) -> str:
    if errors.empty:
        return f"No stage has predicted {_SPLIT} images."
    images = errors["images"].max()
    return f"Share of {style.count(images, f'{_SPLIT} image')} that was wrong, with Wilson 95 % intervals."


def _draw_errors(axes: Axes, errors: pd.DataFrame, width: float) -> None:
    places = np.arange(len(errors))
    rate, low, high = (100 * errors[name].astype(float) for name in ("rate", "low", "high"))
    colours = [style.BLUE if place == len(errors) - 1 else style.SKY for place in places]
    axes.plot(rate, places, color=style.RULE, linewidth=1.2, zorder=1)
    axes.hlines(places, low, high, color=colours, linewidth=2.4, zorder=2)
    axes.scatter(rate, places, color=colours, s=56, zorder=3, clip_on=False, edgecolors=style.PAPER, linewidths=1)
    words = [
        f"{style.percent(share, 2)}, {style.count(wrong, 'error')}"
        for share, wrong in zip(errors["rate"], errors["errors"], strict=True)
    ]
    for place, end, line in zip(places, high, words, strict=True):
        _note(axes, line, (end, place), 6)
    reach = max(high.max(), 1e-9) if len(errors) else 1.0
    axes.set_xlim(0, reach + _room(words, width) * reach)
    axes.set_xticks([tick for tick in MaxNLocator(4).tick_values(0, reach) if 0 <= tick <= reach])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    style.clean(axes, "x", "Error rate")
    axes.set_yticks(places, labels=[_short(stage) for stage in errors["stage"]])
    for tick, place in zip(axes.get_yticklabels(), places, strict=True):
        tick.update(style.text(style.TEXT_SIZE, style.INK, "bold" if place == len(errors) - 1 else "normal"))
    axes.set_ylim(max(len(errors), 1) - 0.5, -0.5)


def _draw_changes(axes: Axes, neighbours: pd.DataFrame, width: float) -> None:
    places = np.arange(len(neighbours)) + 0.5
    words = {side: [f"{number:,} {side}" for number in neighbours[side]] for side in ("broken", "fixed")}
    for side, sign, colour in (("broken", -1, style.VERMILLION), ("fixed", 1, style.GREEN)):
        axes.barh(places, sign * neighbours[side], color=colour, height=0.4)
        for place, number, line in zip(places, neighbours[side], words[side], strict=True):
            _note(axes, line, (sign * number, place), 5 * sign)
    left, right = (float(neighbours[side].max()) for side in ("broken", "fixed"))
    room = _room(words["broken"] + words["fixed"], width, 2) * max(left + right, 1)
    axes.set_xlim(-left - room, right + room)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set_xticks([])
    style.clean(axes, title="Images changed")
    _bare(axes)


def _write_prices(axes: Axes, neighbours: pd.DataFrame) -> None:
    for place, row in enumerate(neighbours.to_dict("records")):
        _note(axes, f"{_p_value(row['p_value'])}, {_short_judgement(row)}", (0, place + 0.5), 0, 7)
        _note(axes, _short_price(row), (0, place + 0.5), 0, -7, style.MUTED)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    style.clean(axes, title="Chance, and price")
    _bare(axes)


def _short_judgement(row: Mapping[Any, Any]) -> str:
    if row["fixed"] == row["broken"]:
        return "neither better nor worse"
    if row["p_value"] >= _CHANCE:
        return "may be chance"
    return "more than chance" if row["fixed"] > row["broken"] else "worse, not by chance"


def _short_price(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["seconds"]):
        return "time unknown"
    if pd.isna(row["seconds_per_error_removed"]):
        return f"{style.clock(row['seconds'] / 60)}, no error removed"
    return f"{_duration(row['seconds_per_error_removed'])} per error removed"


def _bare(axes: Axes) -> None:
    axes.tick_params(labelleft=False)
    axes.spines[["left", "bottom"]].set_visible(False)


def _room(words: Sequence[str], width: float, sides: int = 1) -> float:
    """Give the room that the longest of some words needs beside data, as a share of the extent of the data.

    Args:
        words: To be drawn at the ends of the data.
        width: Of the axes, in inches.
        sides: At how many ends they stand.
    """
    needed = max((style.text_width(line, style.SMALL_SIZE) for line in words), default=0.0) + 0.12
    return needed / max(width - sides * needed, 0.15 * width)


def _note(
    axes: Axes, line: str, place: tuple[float, float], right: float, up: float = 0, colour: str = style.INK
) -> None:
    align = "right" if right < 0 else "left"
    offset = {"xytext": (right, up), "textcoords": "offset points", "ha": align, "va": "center"}
    offset |= {"bbox": {"facecolor": style.PAPER, "linewidth": 0, "pad": 0.5}}  # nothing shall cross the words
    axes.annotate(line, place, **offset, **style.text(style.SMALL_SIZE, colour))
