"""Whether a stage of training was worth its time, as figures: see ``guitar_kedro.metrics.stages``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.metrics.errors import Errors, count_errors
from guitar_kedro.metrics.stages import CHANCE, duration, of_validation, p_value, stages_of
from guitar_kedro.plots import sheets, style
from guitar_kedro.plots.intervals import draw_error_rates, name_rows, note, room_for
from guitar_kedro.splits import VALIDATION

_WIDTH, _WIDTH_OF_ONE = 11.0, 7.0  # inches
_NAME_WIDTH = 2.4  # inches
_PITCH = 0.66  # inches from stage to stage
_PANELS = (10, 8, 6)  # how the panels share the width


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
    short_names = style.shorten_together(list(errors["stage"]), _NAME_WIDTH)
    names = max((style.text_width(name) for name in short_names), default=0.0)
    room = width - 1.12 * names - 0.8  # bold type is that much wider
    if neighbours.empty:
        _draw_errors(figure.subplots(), errors, room)
        return figure
    rates, changes, prices = figure.subplots(1, 3, sharey=True, width_ratios=_PANELS)
    _draw_errors(rates, errors, room * _PANELS[0] / sum(_PANELS))
    _draw_changes(changes, neighbours, room * _PANELS[1] / sum(_PANELS))
    _write_prices(prices, neighbours)
    return figure


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


def _errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the errors of every stage: ``stage`` and the fields of ``Errors``."""
    counted = ((stage, count_errors(of_validation(predictions, stage))) for stage in stages_of(predictions))
    rows = [{"stage": stage, **errors.model_dump()} for stage, errors in counted if errors.images]
    return pd.DataFrame(rows, columns=["stage", *Errors.model_fields])


def _reading(errors: pd.DataFrame) -> str:
    if errors.empty:
        return f"No stage has predicted {VALIDATION} images."
    images = errors["images"].max()
    return f"Share of {formatting.count(images, f'{VALIDATION} image')} that was wrong, with Wilson 95 % intervals."


def _draw_errors(axes: Axes, errors: pd.DataFrame, width: float) -> None:
    rows, last = errors.assign(place=np.arange(len(errors))), len(errors) - 1
    colours = [style.BLUE if place == last else style.SKY for place in rows["place"]]
    words = [
        f"{formatting.percent(row.error_rate, 2)}, {formatting.count(row.errors, 'error')}" for row in rows.itertuples()
    ]
    axes.plot(100 * rows["error_rate"], rows["place"], color=style.RULE, linewidth=1.2, zorder=1)
    draw_error_rates(axes, rows, colours, words, width)
    looks = [style.text(weight="bold" if place == last else "normal") for place in rows["place"]]
    name_rows(axes, dict(enumerate(zip(rows["stage"], looks, strict=True))), _NAME_WIDTH)
    axes.set_ylim(max(len(errors), 1) - 0.5, -0.5)


def _draw_changes(axes: Axes, neighbours: pd.DataFrame, width: float) -> None:
    places = np.arange(len(neighbours)) + 0.5
    words = {side: [f"{number:,} {side}" for number in neighbours[side]] for side in ("broken", "fixed")}
    for side, sign, colour in (("broken", -1, style.VERMILLION), ("fixed", 1, style.GREEN)):
        axes.barh(places, sign * neighbours[side], color=colour, height=0.4)
        for place, number, line in zip(places, neighbours[side], words[side], strict=True):
            note(axes, line, (sign * number, place), 5 * sign)
    left, right = (float(neighbours[side].max()) for side in ("broken", "fixed"))
    room = room_for(words["broken"] + words["fixed"], width, 2) * max(left + right, 1)
    axes.set_xlim(-left - room, right + room)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set_xticks([])
    style.clean(axes, title="Images changed")
    _bare(axes)


def _write_prices(axes: Axes, neighbours: pd.DataFrame) -> None:
    for place, row in enumerate(neighbours.to_dict("records")):
        note(axes, f"{p_value(row['p_value'])}, {_short_judgement(row)}", (0, place + 0.5), 0, 7)
        note(axes, _short_price(row), (0, place + 0.5), 0, -7, style.MUTED)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    style.clean(axes, title="Chance, and price")
    _bare(axes)


def _short_judgement(row: Mapping[Any, Any]) -> str:
    if row["fixed"] == row["broken"]:
        return "neither better nor worse"
    if row["p_value"] >= CHANCE:
        return "may be chance"
    return "more than chance" if row["fixed"] > row["broken"] else "worse, not by chance"


def _short_price(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["seconds"]):
        return "time unknown"
    if pd.isna(row["seconds_per_error_removed"]):
        return f"{formatting.clock(row['seconds'] / 60)}, no error removed"
    return f"{duration(row['seconds_per_error_removed'])} per error removed"


def _bare(axes: Axes) -> None:
    axes.tick_params(labelleft=False)
    axes.spines[["left", "bottom"]].set_visible(False)
