"""Whether a network knows what it knows, as figures: see ``guitar_kedro.metrics.calibration``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from guitar_kedro.metrics.calibration import ROUNDING, binned, expected_calibration_error, finite
from guitar_kedro.metrics.errors import share_of
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.plots import style

_BEFORE, _AFTER = style.VERMILLION, style.BLUE
_BINS, _HISTOGRAM_BINS = 15, 40  # of confidence, and of energy


def reliability_figure(parts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], temperature: float) -> Figure:
    """Draw accuracy against confidence before and after scaling, and how often each confidence occurs.

    Args:
        parts: By name, such as ``validation``: (images,) confidence before, confidence after, and whether the most
            probable class is the right one.
        temperature: By which the confidences were scaled.

    Raises:
        ValueError: If there are no parts, one has no images, or the shapes or numbers are impossible.
    """
    if not parts:
        raise ValueError("there must be at least one part to draw")
    notes = [
        f"Temperature {temperature:.3g}, fitted on the validation images. Points on the diagonal are as often right as "
        "they claim; below it they are too sure. Bars are Wilson 95 % intervals. ECE is the expected calibration "
        "error, before → after scaling."
    ]
    panel = 4.6
    figure = style.new_figure(max(panel * len(parts) + 0.4, 6.0), 5.6, "Confidence and accuracy", notes)
    rows = figure.subplots(2, len(parts), sharex=True, sharey="row", height_ratios=(4, 1), squeeze=False)
    for (name, (before, after, right)), (above, below) in zip(parts.items(), rows.T, strict=True):
        tables = binned(before, right, _BINS), binned(after, right, _BINS)
        errors = [percent(expected_calibration_error(each, right, _BINS)) for each in (before, after)]
        ending = f": ECE {errors[0]} → {errors[1]}"
        room = panel - 0.9 - 1.1 * style.text_width(ending, style.TEXT_SIZE + 1)
        title = style.shorten(name[:1].upper() + name[1:], room, style.TEXT_SIZE + 1) + ending
        _draw_reliability(above, tables, title)
        _draw_confidences(below, tables, len(right))
    rows[0, 0].set_ylabel("Share of images right")
    rows[1, 0].set_ylabel("Images")
    rows[1, 0].set_ylim(bottom=0)
    layout: Any = figure.get_layout_engine()
    layout.set(wspace=0.06)
    figure.align_ylabels(rows[:, 0])
    handles, labels = rows[0, 0].get_legend_handles_labels()
    style.legend(figure, handles=handles, labels=labels, loc="outside lower center", ncols=3)
    return figure


def risk_coverage_figure(curve: pd.DataFrame, threshold: float | None, accuracy: float) -> Figure:
    """Draw the error among answered images against the share of images that is answered.

    Args:
        curve: From ``risk_coverage``, of the test images.
        threshold: From ``confidence_threshold``, of the validation images; only images at least as sure are answered.
        accuracy: Share of answered images that should be right, between 0 and 1.

    Raises:
        ValueError: If the curve has no rows.
    """
    if curve.empty:
        raise ValueError("the curve of risk and coverage has no rows")
    answered = curve.iloc[:0] if threshold is None else curve[curve["threshold"] >= threshold]
    notes, warnings = _selection_notes(answered, threshold, accuracy)
    figure = style.new_figure(8.0, 4.2, "Error among the test images that are answered", notes, warnings)
    axes = figure.add_subplot()
    coverage, risk = curve["coverage"], curve["risk"]
    # A mistake among the very first leaps to 100 % and would flatten all that follows.
    highest = max(risk[coverage >= 0.05].max(), *answered["risk"].tail(1), 1 - accuracy, 0.01)
    top = min(1.15 * highest, 1.02)
    look: dict[str, Any] = {"color": style.BLUE, "linewidth": 1.6, "markersize": 4, "clip_on": bool(risk.max() > top)}
    axes.plot(coverage, risk, marker="o" if len(curve) < 30 else "", **look)
    axes.axhline(1 - accuracy, color=style.MUTED, linewidth=1, linestyle="--", label="Error wanted at most")
    if len(answered):
        chosen = answered.iloc[-1]
        look = {"color": style.VERMILLION, "markersize": 8, "linestyle": "", "clip_on": False, "zorder": 4}
        axes.plot(chosen["coverage"], chosen["risk"], marker="o", label=f"From confidence {threshold:.4g} on", **look)
    axes.set(xlim=(0, 1), ylim=(0, top), xlabel="Share of test images answered, the surest first", ylabel="Share wrong")
    _in_percent(axes)
    style.clean(axes, "both")
    style.legend(figure, loc="outside lower center", ncols=2)
    return figure


def unknown_figure(known: np.ndarray, other: np.ndarray | None, threshold: float | None, auroc: float | None) -> Figure:
    """Draw the energies of images of known classes and of other pictures, and what the threshold does to both.

    Args:
        known: (images,) energies of the test images, which show known classes; without unit.
        other: (others,) energies of other pictures, or None where there are none.
        threshold: From ``ood_threshold``, of the validation images; pictures above it are refused. None refuses none.
        auroc: From the function of this name, or None where it is not known.

    Raises:
        ValueError: If energies are given but empty or not finite.
    """
    groups = [("Test part", finite("known energies", known), style.BLUE)]
    if other is not None:
        groups.append(("Other pictures", finite("other energies", other), style.VERMILLION))
    notes = _refusal_notes(*(energies for _, energies, _ in groups), threshold=threshold, auroc=auroc)
    figure = style.new_figure(8.0, 4.0, "Known classes and other pictures", notes)
    axes = figure.add_subplot()
    marks = [] if threshold is None else [threshold]
    edges = np.histogram_bin_edges(np.concatenate([marks, *(each for _, each, _ in groups)]), _HISTOGRAM_BINS)
    for name, energies, colour in groups:
        heights = np.histogram(energies, edges)[0] / len(energies)
        label = f"{name} ({count(len(energies), 'image')})"
        axes.stairs(heights, edges, fill=True, color=colour, alpha=0.3)
        axes.stairs(heights, edges, color=colour, linewidth=1.4, label=label)
    for mark in marks:
        axes.axvline(mark, color=style.INK, linewidth=1.2, linestyle="--", label=f"Threshold {_signed(mark)}")
    margin = (edges[1] - edges[0]) / 2  # else the outermost bars lose half of their outline
    axes.set_xlim(edges[0] - margin, edges[-1] + margin)
    axes.set(xlabel="Energy (low: known, high: unknown)", ylabel="Share of each group")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    style.clean(axes, "y")
    style.legend(figure, loc="outside lower center", ncols=3)
    return figure


def _draw_reliability(axes: Axes, tables: tuple[pd.DataFrame, pd.DataFrame], title: str) -> None:
    axes.plot((0, 1), (0, 1), color=style.MUTED, linewidth=1, linestyle="--", label="Confidence is accuracy")
    looks = (("Before scaling", _BEFORE, "s"), ("After scaling", _AFTER, "o"))
    for table, (label, colour, marker) in zip(tables, looks, strict=True):
        shares = (share_of(*counts) for counts in zip(table["right"], table["images"], strict=True))
        accuracy, low, high = zip(*shares, strict=True)
        axes.vlines(table["confidence"], low, high, color=colour, linewidth=1.2, alpha=0.45)
        look: dict[str, Any] = {"markersize": 4.5, "linewidth": 1.4, "clip_on": False, "zorder": 3}
        axes.plot(table["confidence"], accuracy, color=colour, marker=marker, label=label, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    _in_percent(axes)
    style.clean(axes, "both", title)


def _draw_confidences(axes: Axes, tables: tuple[pd.DataFrame, pd.DataFrame], images: int) -> None:
    edges = np.linspace(0, 1, _BINS + 1)
    for table, colour in zip(tables, (_BEFORE, _AFTER), strict=True):
        shares = table["share"].reindex(range(_BINS), fill_value=0).to_numpy()
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.18)
        axes.stairs(shares, edges, color=colour, linewidth=1.2)
    axes.set_xlabel(f"Confidence ({count(images, 'image')})")
    _in_percent(axes)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    style.clean(axes, "y")


def _signed(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _in_percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(_tick))
    # Else both zeros meet in the corner.
    axes.tick_params(pad=6)


def _tick(value: float, _: int | None = None) -> str:
    return f"{100 * value:.4g} %"


def _selection_notes(answered: pd.DataFrame, threshold: float | None, accuracy: float) -> tuple[list[str], list[str]]:
    wanted = f"{100 * accuracy:g} %"
    if threshold is None:
        return [], [f"No confidence threshold promises the accuracy of {wanted} that was asked for."]
    if answered.empty:
        return [], [f"No test image is as sure as the threshold of {threshold:.4g}: none is answered."]
    last = answered.iloc[-1]
    images = int(last["answered"])
    right = images - round(last["risk"] * images)
    accurate, low, high = share_of(right, images)
    note = (
        f"From confidence {threshold:.4g} on, which the validation images chose, {percent(last['coverage'])} of "
        f"the test images are answered, {percent(accurate)} of them right ({right:,} of {images:,}, 95 % "
        f"interval {interval(low, high)}; wanted: {wanted})."
    )
    if accurate >= accuracy - ROUNDING:
        return [note], []
    chance = ", which may be chance" if high >= accuracy else ""
    return [note], [f"The accuracy asked for is missed on these images{chance}."]


def _refusal_notes(
    known: np.ndarray, other: np.ndarray | None = None, *, threshold: float | None, auroc: float | None
) -> list[str]:
    if threshold is None:
        note = "The validation images are too few for a threshold, so no picture is refused."
    else:
        kept = int((known <= threshold).sum())
        share, low, high = share_of(kept, len(known))
        note = (
            f"Up to the threshold of {_signed(threshold)}, which the validation images chose, lie "
            f"{percent(share)} of the test images (95 % interval {interval(low, high)})"
        )
        if other is None:
            return [f"{note}. No other pictures were given, so how many of them it refuses is not known."]
        note += f"; {percent(float(np.mean(other > threshold)))} of the other pictures are refused."
    if auroc is None:
        return [note]
    return [note, f"AUROC {auroc:.3f}: the chance that an other picture has a higher energy than a test image."]
