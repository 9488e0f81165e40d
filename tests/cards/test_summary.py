"""What the terminal says at the end of a run."""

import io

import pandas as pd
import pytest
from rich.console import Console

from guitar_kedro.cards.summary import console_summary
from guitar_kedro.metrics.scores import Metrics, compute_metrics, most_confused, stage_comparison

_PLACES = {
    "metrics": "data/08_reporting/demo/metrics.json/2026-01-01T00.00.00.000Z/metrics.json",
    "confusion matrix": "data/08_reporting/demo/confusion_matrix.png",
}


@pytest.fixture
def results(random_predictions, guitars):
    predictions = pd.concat([random_predictions(11, 20), random_predictions(11, 10).assign(split="test")])
    phases = pd.DataFrame(
        {
            "stage": ["small", "small", "large"],
            "phase": ["frozen", "unfrozen", "unfrozen"],
            "architecture": "resnet18",
            "image_size": 64,
            "epochs": [1, 2, 3],
            "error_rate": [0.5, 0.25, 0.125],
            "images": 200,
            "seconds": [30.0, 61.0, 3700.0],
        }
    )
    return compute_metrics(predictions, "small"), stage_comparison(phases), most_confused(predictions, guitars)


def _printed(summary, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(summary, soft_wrap=True)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_plain_log_holds_all_that_matters(results, width):
    text = _printed(console_summary(*results, _PLACES), width)
    accuracy = results[0].test["small"].accuracy
    assert f"Accuracy on test: {100 * accuracy:.1f} %" in text
    for words in ("50.00 %", "12.50 %", "1:01 min", "1:01 h", "taken for", *_PLACES.values()):
        assert words in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_path_stands_whole_on_one_line_however_narrow_the_console_is(results):
    path = (
        "../../data/08_reporting/a name of one's own/confusion_matrix.png/2026-01-01T00.00.00.000Z/confusion_matrix.png"
    )
    text = _printed(console_summary(*results, {"confusion_matrix": path}), 40)
    assert f"  {path}" in text.splitlines()


def test_it_is_short(results):
    assert len(_printed(console_summary(*results, _PLACES), 100).splitlines()) < 30


def test_names_with_square_brackets_are_no_markup(results):
    confused = pd.DataFrame({"actual": ["[red]Cat"], "predicted": ["[/b] Dog"], "count": [2]})
    text = _printed(console_summary(results[0], results[1], confused, {"[bold]x": "a/[b]/c"}), 80)
    assert "[red]Cat taken for [/b] Dog" in text
    assert "[bold]x  a/[b]/c" in text


def test_a_run_without_results_says_so(results):
    text = _printed(console_summary(Metrics(), results[1][:0], results[2][:0], {}), 80)
    assert "There are no predictions." in text
    assert "no pair of classes" in text


def test_without_a_test_part_the_headline_is_about_what_there_is(results):
    validation = Metrics(validation=results[0].validation)
    assert "Accuracy on validation" in _printed(console_summary(validation, results[1], results[2], {}), 80)
