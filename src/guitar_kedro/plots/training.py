"""Figures about how a network was trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import sheets, style


def learning_rate_curve(curve: pd.DataFrame, suggested: float, used: tuple[float, ...] | None, title: str) -> Figure:
    """Draw what the learning-rate finder saw: the loss while the rate grows from batch to batch.

    Method: L. N. Smith (2017), "Cyclical learning rates for training neural networks", WACV.

    Args:
        curve: One row per batch with ``learning_rate``, ``loss`` and ``smoothed_loss``.
        suggested: The rate that the finder suggests; not marked when it is not a finite number.
        used: The rates that the phase is trained with, one or (first and last layers') two; None marks nothing.
        title: Which stage and phase this is.
    """
    rates = sorted(set(used or ()))
    notes = [_describe_rates(suggested, rates)]
    figure = style.new_figure(7.5, 3.9, title, notes)
    axes = figure.add_subplot()
    axes.plot(curve["learning_rate"], curve["loss"], color=style.FAINT, linewidth=1.2, label="loss of the batch")
    axes.plot(curve["learning_rate"], curve["smoothed_loss"], color=style.BLUE, linewidth=2, label="smoothed loss")
    axes.set_xscale("log")
    if curve["learning_rate"].max() >= 10 * curve["learning_rate"].min():
        axes.minorticks_off()  # they take a third of the time, and only below a decade have they labels
    if len(rates) > 1:
        axes.axvspan(rates[0], rates[-1], color=style.AMBER, alpha=0.18, linewidth=0, label="trained with")
    elif rates:
        axes.axvline(rates[0], color=style.AMBER, linewidth=2, linestyle="--", label="trained with")
    if math.isfinite(suggested) and suggested > 0:
        axes.axvline(suggested, color=style.VERMILLION, linewidth=1.4, label="suggested")
    axes.set(xlabel="learning rate (logarithmic)", ylabel="loss", ylim=_loss_limits(curve))
    style.clean(axes, "y")
    style.legend(figure, loc="outside lower center", ncols=4)
    return figure


def training_batch(pictures: Sequence[Image.Image], captions: Sequence[str], title: str) -> Figure:
    """Show a batch exactly as the network sees it, pixel by pixel.

    Args:
        pictures: The batch's pictures after augmentation, all of one size.
        captions: One per picture.
        title: Which stage and phase this is.

    Raises:
        ValueError: If there is not one caption per picture.
    """
    columns = min(8, max(1, math.ceil(math.sqrt(len(pictures)))))
    side = max((max(picture.size) for picture in pictures), default=1)
    # Small pictures are enlarged by a whole factor: every pixel of the network's input is a square of the figure.
    pixels = side * math.ceil(180 / side) if side < 320 else 320
    notes = (
        [f"{formatting.count(len(pictures), 'image')} of {pictures[0].height} x {pictures[0].width} px."]
        if pictures
        else []
    )
    resample = Image.Resampling.NEAREST if side < pixels else Image.Resampling.LANCZOS
    return sheets.contact_sheet(pictures, captions, columns, title, notes, pixels / style.DPI, resample)


def training_sheet(pictures_by_phase: Sequence[Sequence[Image.Image]]) -> Figure:
    """Show what was drawn of each phase (history, a batch, learning rates) side by side, a row per phase.

    Args:
        pictures_by_phase: Whose titles name the phase, in the order of the rows.
    """
    rows = [sheets.Row(pictures) for pictures in pictures_by_phase]
    return sheets.picture_sheet(rows, "How the network was trained", tile=2.9, ground=style.PAPER, square=False)


def history_plot(history: pd.DataFrame, title: str) -> Figure:
    """Draw how a phase went: losses, error rate and learning rate after every epoch.

    Args:
        history: One row per epoch with ``epoch``, ``train_loss``, ``valid_loss``, ``error_rate`` (share between 0 and
            1), ``learning_rate``, ``seconds`` and ``kept`` (whose weights are kept).
        title: Which stage and phase this is.
    """
    figure = style.new_figure(10.0, 3.1, title, [_describe_history(history)])
    losses, errors, rates = figure.subplots(1, 3)
    epochs = history["epoch"]
    markers = {"marker": "o", "markersize": 4, "clip_on": False} if 0 < len(history) <= 30 else {}
    losses.plot(epochs, history["train_loss"], color=style.AMBER, linewidth=1.8, label="training", **markers)
    losses.plot(epochs, history["valid_loss"], color=style.BLUE, linewidth=1.8, label="validation", **markers)
    errors.plot(epochs, 100 * history["error_rate"], color=style.VERMILLION, linewidth=1.8, **markers)
    rates.plot(epochs, history["learning_rate"], color=style.GREEN, linewidth=1.8, **markers)
    for axes, name in ((losses, "Loss"), (errors, "Error rate on validation"), (rates, "Learning rate")):
        _scale_epochs(axes, epochs)
        style.clean(axes, "y", name)
    errors.set_ylim(bottom=0)
    rates.set_ylim(bottom=0)
    errors.yaxis.set_major_formatter("{x:g} %")
    rates.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    if len(history):
        style.legend(losses, loc="best")
    return figure


def _describe_rates(suggested: float, used: Sequence[float]) -> str:
    found = f"Suggested: {suggested:.2g}." if math.isfinite(suggested) else "The finder has no suggestion."
    if not used:
        return found
    return f"{found} Trained with: {' to '.join(f'{rate:.2g}' for rate in (used[0], used[-1])[: len(used)])}."


def _loss_limits(curve: pd.DataFrame) -> tuple[float, float]:
    # The finder stops when the loss explodes; without a limit that last part flattens all that matters.
    values = curve["smoothed_loss"].replace([np.inf, -np.inf], np.nan).dropna()
    if values.empty:
        return 0.0, 1.0
    lowest, start = values.min(), values.iloc[: max(1, len(values) // 4)].max()
    reach = max(start - lowest, 0.1 * abs(lowest), 1e-3)
    return lowest - 0.15 * reach, start + 0.6 * reach


def _describe_history(history: pd.DataFrame) -> str:
    if history.empty:
        return "No epochs."
    best = history["error_rate"].idxmin() if history["error_rate"].notna().any() else history.index[-1]
    return (
        f"{formatting.count(len(history), 'epoch')} in {formatting.clock(history['seconds'].sum() / 60)}; "
        f"error rate {formatting.percent(history['error_rate'].iloc[-1], 2)} at the end, "
        f"{formatting.percent(history['error_rate'].loc[best], 2)} at best (epoch {history['epoch'].loc[best]})."
        + ("" if history["kept"].iloc[-1] else f" Kept: epoch {history['epoch'][history['kept'].idxmax()]}.")
    )


def _scale_epochs(axes: Axes, epochs: pd.Series) -> None:
    axes.set_xlabel("epoch")
    if len(epochs) <= 10:
        axes.set_xticks(epochs)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(epochs):
        axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
