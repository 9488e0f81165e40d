"""What a reader of the figures about training may rely on."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from guitar_kedro.plots.training import history_plot, learning_rate_curve, training_batch, training_sheet


@pytest.fixture
def curve():
    rates = np.geomspace(1e-7, 10, 100)
    loss = 2.4 - 1.9 / (1 + np.exp(-2 * (np.log10(rates) + 3))) + np.where(rates > 0.5, (4 * rates) ** 3, 0)
    return pd.DataFrame({"learning_rate": rates, "loss": loss, "smoothed_loss": loss})


@pytest.mark.parametrize("used", [None, (1e-2,), (1e-5, 2e-3)])
def test_the_learning_rate_curve_marks_what_was_suggested_and_used(curve, used, is_readable, words_of):
    figure = learning_rate_curve(curve, 1.2e-3, used, "resnet34_224px, frozen")
    assert is_readable(figure)
    assert "Suggested: 0.0012." in words_of(figure)
    assert ("trained with" in words_of(figure)) == bool(used)


def test_the_explosion_at_the_end_does_not_flatten_the_curve(curve):
    bottom, top = learning_rate_curve(curve, 1e-3, None, "").axes[0].get_ylim()
    assert curve["smoothed_loss"].max() > 1000
    assert bottom < 0.5
    assert 2.4 < top < 5


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_search_that_ended_early_is_drawn_without_a_suggestion(curve, rows, is_readable, words_of):
    broken = curve[:rows].assign(loss=math.nan)
    figure = learning_rate_curve(broken, math.nan, None, "Ended early")
    assert is_readable(figure)
    assert "no suggestion" in words_of(figure)


@pytest.mark.parametrize("epochs", [0, 1, 60])
def test_a_history_is_readable_at_any_length(epochs, is_readable):
    epoch = np.arange(1, epochs + 1)
    columns = ["train_loss", "valid_loss", "error_rate", "learning_rate", "seconds"]
    history = pd.DataFrame({"epoch": epoch, **dict.fromkeys(columns, 0.5 / epoch)}).assign(kept=epoch == epochs)
    assert is_readable(history_plot(history, "resnet34_224px, frozen"))


def test_a_history_tells_the_last_and_the_best_error(words_of):
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": 1.0,
            "valid_loss": 1.0,
            "error_rate": [0.3, 0.1, 0.2],
            "learning_rate": 1e-3,
            "seconds": 20.0,
            "kept": [False, False, True],
        }
    )
    words = words_of(history_plot(history, "A phase"))
    assert "3 epochs in 1:00 min; error rate 20.00 % at the end, 10.00 % at best (epoch 2)." in words
    assert "Kept" not in words
    best = history.assign(kept=[False, True, False])
    assert "at best (epoch 2). Kept: epoch 2." in words_of(history_plot(best, "A phase"))


def test_a_batch_is_shown_pixel_by_pixel(saved):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    sheet = np.asarray(saved(training_batch([Image.fromarray(pixels)], ["noise"], "One")).convert("RGB"))
    factor = 3
    enlarged = pixels.repeat(factor, 0).repeat(factor, 1)
    windows = np.lib.stride_tricks.sliding_window_view(sheet[:, :, 0], (1, 12))[:, :, 0]
    rows, columns = np.nonzero((windows == enlarged[0, :12, 0]).all(axis=-1))
    top, left = rows[0], columns[0]
    assert (sheet[top : top + 64 * factor, left : left + 64 * factor] == enlarged).all()


@pytest.mark.parametrize(("number", "side"), [(0, 64), (1, 224), (64, 448)])
def test_a_batch_is_readable(number, side, is_readable):
    pictures = [Image.new("RGB", (side, side), "green")] * number
    assert is_readable(training_batch(pictures, ["Fender Stratocaster"] * number, "A batch of resnet50_448px"))


def test_a_batch_needs_a_caption_per_picture():
    with pytest.raises(ValueError, match="1 and 0"):
        training_batch([Image.new("RGB", (8, 8))], [], "")


def test_wide_and_tall_figures_stand_on_the_white_of_their_sheet(saved):
    figures = [Image.new("RGB", size, "white") for size in ((1440, 544), (863, 1117))]
    sheet = saved(training_sheet([figures])).convert("RGB")
    below_the_title = sheet.crop((sheet.width // 2, 150, sheet.width, sheet.height))
    assert below_the_title.getcolors() == [(below_the_title.width * below_the_title.height, (255, 255, 255))]


def test_the_six_phases_of_the_article_are_on_the_sheet(words_of):
    figures = [Image.new("RGB", size, "white") for size in ((1440, 544), (863, 863), (1080, 659))]
    assert "The first" not in words_of(training_sheet([figures] * 6))


def test_a_curve_of_less_than_a_decade_has_rates_at_its_axis(words_of, is_readable):
    curve = pd.DataFrame({"learning_rate": np.geomspace(2e-3, 5e-3, 30)}).assign(loss=1.0, smoothed_loss=1.0)
    figure = learning_rate_curve(curve, 3e-3, None, "narrow")
    assert is_readable(figure)
    assert "10^{-3}" in words_of(figure)
