"""What the tables about predictions mean."""

import warnings

import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import classification_report as sklearn_report

from guitar_kedro.metrics.scores import classification_report, compute_metrics, most_confused, stage_comparison
from guitar_kedro.plots.comparison import stage_comparison_figure

_PHASES = pd.DataFrame(
    # The closing table of the article, with the number of images that its intervals would need.
    [
        ("resnet34_224px", "frozen", "resnet34", 224, 5, 0.0494, 1697, 274),
        ("resnet34_224px", "unfrozen", "resnet34", 224, 5, 0.0265, 1697, 380),
        ("resnet50_448px", "frozen", "resnet50", 448, 5, 0.0135, 1697, 2266),
        ("resnet50_448px", "unfrozen", "resnet50", 448, 5, 0.0118, 1697, 2992),
    ],
    columns=["stage", "phase", "architecture", "image_size", "epochs", "error_rate", "images", "seconds"],
)


def _scipys_interval(successes, total):
    interval = binomtest(successes, total).proportion_ci(method="wilson")
    return interval.low, interval.high


def test_metrics_say_how_good_each_stage_is_on_each_split(made_predictions):
    predictions = pd.concat(
        [
            made_predictions("aabb", "aabb", "large", "validation"),
            made_predictions("aabb", "abbb", "small", "validation"),
            made_predictions("ab" * 50, "ab" * 49 + "bb", "large", "test"),
        ]
    )
    found = compute_metrics(predictions, "large")
    assert list(found.validation) == ["small", "large"]
    small = found.validation["small"]
    assert (small.images, small.errors, small.accuracy, small.error_rate, small.loss) == (4, 1, 0.75, 0.25, 0.5)
    test = found.test["large"]
    assert (test.accuracy_low, test.accuracy_high) == pytest.approx(_scipys_interval(99, 100))
    assert "small" not in found.test
    assert found.of_model == test


def test_metrics_without_the_last_stage_are_refused_by_name(made_predictions):
    with pytest.raises(ValueError, match="'large'"):
        compute_metrics(made_predictions("ab", "ab", "small"), "large")


def test_the_report_agrees_with_scikit_learn(random_predictions, guitars):
    predictions = random_predictions(11)
    report = classification_report(predictions, list(guitars)).set_index("label")
    expected = sklearn_report(predictions["label"], predictions["predicted"], output_dict=True)
    for row in report.index:
        wanted = expected[row.replace("average", "avg")]
        assert report.loc[row].tolist() == pytest.approx(
            [wanted["precision"], wanted["recall"], wanted["f1-score"], wanted["support"]]
        )


def test_a_class_that_is_never_predicted_has_precision_0_and_no_warning(made_predictions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = classification_report(made_predictions("aab", "aaa"), ["a", "b"])
    assert report.loc[1].tolist() == ["b", 0, 0, 0, 1]


def test_a_class_without_images_keeps_its_row(made_predictions):
    report = classification_report(made_predictions("ab", "ab"), ["a", "b", "c"])
    assert report["label"].tolist() == ["a", "b", "c", "macro average", "weighted average"]
    assert report["support"].tolist() == [1, 1, 0, 2, 2]


def test_no_predictions_give_a_report_of_zeros(made_predictions):
    report = classification_report(made_predictions("", ""), ["a", "b"])
    assert report[["precision", "recall", "f1", "support"]].to_numpy().sum() == 0


def test_the_report_names_a_label_that_is_no_class(made_predictions):
    with pytest.raises(ValueError, match="banjo"):
        classification_report(made_predictions(["banjo"], ["a"]), ["a", "b"])


def test_most_confused_lists_directed_pairs_from_the_most_frequent(made_predictions):
    labels = ["fender_jaguar"] * 4 + ["fender_jazzmaster"] * 3 + ["gibson_ES"] * 2
    predicted = (
        ["fender_jazzmaster"] * 2 + ["fender_jaguar"] * 2 + ["fender_jaguar"] * 3 + ["fender_jaguar", "gibson_ES"]
    )
    table = most_confused(made_predictions(labels, predicted), {"fender_jazzmaster": "Fender Jazzmaster"})
    assert table.to_numpy().tolist() == [
        ["Fender Jazzmaster", "fender jaguar", 3],
        ["fender jaguar", "Fender Jazzmaster", 2],
    ]


def test_a_pair_that_was_confused_once_is_listed_on_demand_only(made_predictions):
    predictions = made_predictions("ab", "bb")
    assert len(most_confused(predictions, {}, at_least=1)) == 1
    assert list(most_confused(predictions, {})) == ["actual", "predicted", "count"]
    assert most_confused(predictions, {}).empty


@pytest.mark.parametrize(
    "table", [lambda made: most_confused(made, {}), lambda made: classification_report(made, "ab")]
)
def test_predictions_of_two_stages_are_not_counted_together(table, made_predictions):
    mixed = pd.concat([made_predictions("ab", "ab", "small"), made_predictions("ab", "ab", "large")])
    with pytest.raises(ValueError, match=r"large.*small"):
        table(mixed)


def test_the_stage_comparison_gives_errors_with_intervals_and_minutes():
    table = stage_comparison(_PHASES)
    assert table["errors"].tolist() == [84, 45, 23, 20]
    assert table["minutes"].iloc[0] == pytest.approx(274 / 60)
    assert tuple(table[["error_low", "error_high"]].iloc[3]) == pytest.approx(_scipys_interval(20, 1697))
    assert table["error_rate"].tolist() == _PHASES["error_rate"].tolist()


def test_a_skipped_phase_is_left_out():
    phases = _PHASES.assign(error_rate=[0.05, None, 0.02, 0.01])
    assert stage_comparison(phases)["phase"].tolist() == ["frozen", "frozen", "unfrozen"]


def test_an_impossible_error_rate_names_its_phase():
    with pytest.raises(ValueError, match="resnet34_224px, frozen"):
        stage_comparison(_PHASES.assign(error_rate=4.94))


@pytest.mark.parametrize(
    "error_rate", [None, 0.0, 1.0], ids=["as in the article", "everything right", "everything wrong"]
)
def test_the_stage_figure_is_readable(error_rate, is_readable, words_of):
    phases = _PHASES if error_rate is None else _PHASES.assign(error_rate=error_rate, images=1, seconds=0)
    figure = stage_comparison_figure(stage_comparison(phases))
    assert is_readable(figure)
    assert "resnet50_448px" in words_of(figure)
    assert words_of(figure).count("unfrozen") == 2


def test_the_stage_figure_copes_with_many_stages_of_long_names_and_with_none(is_readable):
    many = pd.concat([_PHASES.assign(stage=f"a stage with quite a long name, number {n}") for n in range(12)])
    assert is_readable(stage_comparison_figure(stage_comparison(many)))
    assert is_readable(stage_comparison_figure(stage_comparison(_PHASES[:0])))
