"""Nodes of reporting: everything in here is made of predictions; only pictures are read beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lazy_loader as lazy

from guitar_kedro import cards, images, learning, metrics, plots
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.learning.inference.decision import Decision, decide
from guitar_kedro.pipelines.audit.nodes import OUT_OF_FOLD, honest_sentence
from guitar_kedro.project import project_folder

np = lazy.load("numpy")
pd = lazy.load("pandas")

PICTURES_ON_SHEET = 24
STEPS_ON_SHEET = 8
LIBRARIES = ("kedro", "fastai", "torch", "torchvision", "numpy", "pandas", "pillow", "cleanlab")
CARD_FIGURES = {  # what the model card shows, and as what, with the part of the images that it is about
    "confusion_matrix": "Confusion matrix of the validation images",
    "reliability_diagram": "Reliability diagram of the validation and the test images",
    "risk_coverage": "Risk and coverage of the test images",
    "energies": "Energy of the test images and of other pictures",
    "stage_steps_plot": "What each stage brought, on the validation images",
    "fixed_and_broken_sheet": "Validation images that stages fixed and broke",
    "top_losses_sheet": "Top losses of the validation images",
    "attention_of_errors": "Where it looks when it is wrong, on validation images",
    "attention_by_class": "Where it looks for each class, on validation images",
    "slices_plot": "Errors of the validation images by class, size, shape and near duplicates",
    "suspects_sheet": "Suspect labels",
    "class_contact_sheet": "Contact sheet of the classes",
    "class_balance": "Class balance",
    "split_balance": "Balance of the parts",
    "resolutions": "Resolutions of the originals",
    "duplicates_sheet": "Contact sheet of near duplicates",
}


def compute_metrics(predictions: pd.DataFrame, spec: learning.ModelSpec) -> dict:
    """Computes accuracy, error rate, Wilson interval and loss for each part and stage."""
    return metrics.compute_metrics(predictions, spec.provenance["stage"])


def report_classes(predictions: pd.DataFrame, spec: learning.ModelSpec) -> pd.DataFrame:
    """Computes precision, recall, F1 and support of each class on the test part."""
    return metrics.classification_report(_of_model(predictions, spec, "test"), list(spec.classes))


def plot_confusion_matrix(predictions: pd.DataFrame, spec: learning.ModelSpec) -> tuple[plots.Figure, Any]:
    """Draws which classes the model takes for which, on the validation part: to read, and to point at."""
    what = (
        _of_model(predictions, spec, "validation"),
        list(spec.classes),
        spec.display_names,
        f"Validation part, {spec.provenance['stage']}",
    )
    return plots.confusion_matrix_figure(*what), plots.confusion_explorer(*what)


def list_most_confused(predictions: pd.DataFrame, spec: learning.ModelSpec) -> pd.DataFrame:
    """Lists the pairs of classes that the model confuses at least twice on the validation part."""
    return metrics.most_confused(_of_model(predictions, spec, "validation"), spec.display_names)


def show_top_losses(
    predictions: pd.DataFrame, spec: learning.ModelSpec, prepared_images: images.PreparedImages
) -> tuple[pd.DataFrame, plots.Figure]:
    """Lists and draws the validation images with the highest losses."""
    table = metrics.top_losses(_of_model(predictions, spec, "validation"), spec.display_names, PICTURES_ON_SHEET)
    return table, plots.top_losses_sheet(_pictures(prepared_images, table["image_id"]), table)


def report_calibration(
    predictions: pd.DataFrame,
    other_predictions: pd.DataFrame,
    spec: learning.ModelSpec,
    sure_accuracy: float,
    known_share: float,
) -> tuple[dict[str, Any], plots.Figure, plots.Figure, plots.Figure]:
    """Says whether probabilities can be believed, what "sure" means, and whether strange pictures are noticed.

    The validation part has chosen the temperature and the thresholds, so what they do is measured on the test part.

    Returns:
        Numbers (of each part the images and the expected calibration error before and after scaling; share of answers
        that are sure and how many of them are right; share of the test images that count as known, and AUROC of their
        energy against the other pictures), reliability diagram, and of the test part the risk-coverage curve and the
        histogram of the energies.
    """
    parts = {part: _confidences(_of_model(predictions, spec, part), spec) for part in ("validation", "test")}
    numbers: dict[str, Any] = {"temperature": spec.temperature}
    for part, (before, after, right) in parts.items():
        numbers[part] = {
            "images": len(right),
            "ece_before": metrics.expected_calibration_error(before, right),
            "ece_after": metrics.expected_calibration_error(after, right),
        }
    numbers["sure"] = {
        "accuracy_asked": sure_accuracy,
        "threshold": spec.sure_threshold,
        "fewest_images": metrics.fewest_for_sure(sure_accuracy),
    }
    for part in parts:
        numbers["sure"][part] = _sureness(_of_model(predictions, spec, part), spec)
    known = _of_model(predictions, spec, "test")["energy"].to_numpy()
    others = other_predictions["energy"].to_numpy() if len(other_predictions) else None
    auroc = None if others is None else metrics.auroc(known, others)
    numbers["unknown"] = {
        "share_asked": known_share,
        "threshold": spec.known_threshold,
        "fewest_images": metrics.fewest_for_known(known_share),
        "test": _share_up_to(spec.known_threshold, known),
        "auroc": auroc,
        "other_images": len(other_predictions),
        "refused": None if others is None else 1 - _share_up_to(spec.known_threshold, others)["share"],
    }
    _, after, right = parts["test"]
    return (
        numbers,
        plots.reliability_figure(parts, spec.temperature),
        plots.risk_coverage_figure(metrics.risk_coverage(after, right), spec.sure_threshold, sure_accuracy),
        plots.unknown_figure(known, others, spec.known_threshold, auroc),
    )


def _confidences(predictions: pd.DataFrame, spec: learning.ModelSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives the probability of the prediction before and after temperature scaling, and whether it is right."""
    after = predictions[[f"{learning.PROBABILITY}{label}" for label in spec.classes]].to_numpy()
    before = metrics.tempered(after, 1 / spec.temperature)
    return before.max(axis=1), after.max(axis=1), (predictions["label"] == predictions["predicted"]).to_numpy()


def _sureness(predictions: pd.DataFrame, spec: learning.ModelSpec) -> dict[str, float | None]:
    answers = zip(predictions.filter(like=learning.PROBABILITY).max(axis=1), predictions["energy"], strict=True)
    sure = predictions[[decide(spec, *answer) is Decision.SURE for answer in answers]]
    right = int((sure["label"] == sure["predicted"]).sum())
    low, high = metrics.wilson_interval(right, len(sure))
    return {
        "images": len(sure),
        "right": right,
        "coverage": len(sure) / len(predictions),
        "accuracy": right / len(sure) if len(sure) else None,
        "accuracy_low": low,
        "accuracy_high": high,
    }


def _share_up_to(threshold: float | None, energies: np.ndarray) -> dict[str, float]:
    """Counts what is taken for one of the classes; without a threshold, that is everything."""
    kept = len(energies) if threshold is None else int((energies <= threshold).sum())
    low, high = metrics.wilson_interval(kept, len(energies))
    return {"images": len(energies), "kept": kept, "share": kept / len(energies), "share_low": low, "share_high": high}


def report_slices(
    predictions: pd.DataFrame, image_table: pd.DataFrame, spec: learning.ModelSpec
) -> tuple[pd.DataFrame, plots.Figure]:
    """Measures the error by class, size and shape of the original, and near duplicates, on the validation part."""
    validation = _of_model(predictions, spec, "validation")
    slices = metrics.slice_errors(validation, image_table, spec.display_names)
    overall = float((validation["label"] != validation["predicted"]).mean())
    return slices, plots.slices_figure(slices, overall, metrics.worst_slices(slices, overall))


def find_suspect_labels(
    predictions: pd.DataFrame,
    out_of_fold_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    spec: learning.ModelSpec,
    prepared_images: images.PreparedImages,
) -> tuple[pd.DataFrame, pd.DataFrame, plots.Figure]:
    """Ranks the images whose label is likely to be wrong.

    After an audit of these very images all but the test part are looked at, otherwise the validation part.

    Returns:
        The table, lines for the curation file as a proposal, and a contact sheet.
    """
    searched = _held_out(predictions, out_of_fold_predictions, splits, spec)
    suspects = metrics.suspect_labels(searched)
    shown = suspects.head(PICTURES_ON_SHEET)
    pictures = _pictures(prepared_images, shown["image_id"])
    sheet = plots.suspects_sheet(pictures, shown, spec.display_names, _part_of(searched))
    return suspects, metrics.curation_proposal(suspects), sheet


def _held_out(
    predictions: pd.DataFrame, out_of_fold_predictions: pd.DataFrame, splits: pd.DataFrame, spec: learning.ModelSpec
) -> pd.DataFrame:
    """Gives what was said of images by networks that had not seen them."""
    if len(out_of_fold_predictions) and _same_labels(out_of_fold_predictions, splits[splits["split"] != "test"]):
        return out_of_fold_predictions
    return _of_model(predictions, spec, "validation")


def _part_of(held_out: pd.DataFrame) -> str:
    return "training and validation" if held_out["stage"].iloc[0] == OUT_OF_FOLD else "validation"


def _same_labels(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = ["image_id", "label"]
    return set(one[columns].itertuples(index=False, name=None)) == set(
        other[columns].itertuples(index=False, name=None)
    )


def report_curation(
    predictions: pd.DataFrame,
    predictions_before_curation: pd.DataFrame,
    model_before_curation: dict[str, Any],
    applied_curation: pd.DataFrame,
    spec: learning.ModelSpec,
) -> dict[str, Any]:
    """Says what the changes of the curation file did to the accuracy."""
    before = predictions_before_curation
    if len(before):
        last_stage = before.loc[before["split"] == "test", "stage"].iloc[0]  # the test part is seen by the model only
        before = metrics.of_stage(before, last_stage, "validation")
    changes = metrics.recipe_changes(model_before_curation, spec.model_dump(mode="json"))
    return metrics.curation_effect(before, _of_model(predictions, spec, "validation"), applied_curation, changes)


def compare_neighbours(
    predictions: pd.DataFrame,
    stage_comparison: pd.DataFrame,
    spec: learning.ModelSpec,
    prepared_images: images.PreparedImages,
) -> tuple[pd.DataFrame, plots.Figure, plots.Figure]:
    """Tests what each stage brought over the one before, on the same validation images.

    Returns:
        A row per pair of neighbours, the figure, and a contact sheet of images that stages fixed and broke.
    """
    seconds = (60 * stage_comparison.groupby("stage")["minutes"].sum()).to_dict()
    neighbours = metrics.compare_neighbours(predictions, seconds)
    shown = neighbours.tail(STEPS_ON_SHEET)
    rows = [
        row
        for pair in shown.itertuples()
        for row in _fixed_and_broken(predictions, pair, spec.display_names, prepared_images)
    ]
    figure = plots.stage_errors_figure(predictions, neighbours, metrics.stage_verdict(neighbours))
    return neighbours, figure, plots.fixed_and_broken_sheet(rows, len(neighbours) - len(shown))


def _fixed_and_broken(
    predictions: pd.DataFrame, pair: Any, names: dict[str, str], prepared_images: images.PreparedImages
) -> Iterable[tuple[str, list[images.Picture], list[str]]]:
    tables = metrics.fixed_and_broken(predictions, pair.stage_before, pair.stage)
    for what, count, table in zip(("Fixed", "Broken"), (pair.fixed, pair.broken), tables, strict=True):
        captions = [
            f"is {names[row.label]}\nbefore: {names[row.predicted_before]}\nnow: {names[row.predicted]}"
            for row in table.itertuples()
        ]
        yield f"{what} by {pair.stage} ({count})", _pictures(prepared_images, table["image_id"]), captions


def compare_stages(
    splits: pd.DataFrame, *results: pd.DataFrame | learning.ModelSpec
) -> tuple[pd.DataFrame, plots.Figure]:
    """Compares the error on the validation part after each phase of each stage.

    Args:
        splits: For the number of validation images, and for what a guess would give.
        *results: The histories of all phases in the order of training, then their specs.

    Returns:
        The table (error with its interval, time spent, and a warning where it is worse than a guess), and its figure.
    """
    histories, specs = results[: len(results) // 2], results[len(results) // 2 :]
    count, guess = int((splits["split"] == "validation").sum()), metrics.guess(splits)
    phases = pd.DataFrame(
        [
            {
                "stage": spec.provenance["stage"],
                "phase": spec.provenance["phase"],
                "architecture": spec.architecture,
                "image_size": spec.image_size,
                "epochs": len(history),
                "error_rate": history["error_rate"].iloc[-1],
                "images": count,
                "seconds": history["seconds"].sum(),
                "warning": metrics.worse_than_guessing(*history[["valid_loss", "error_rate"]].iloc[-1], guess),
            }
            for history, spec in zip(histories, specs, strict=True)
        ]
    )
    table = metrics.stage_comparison(phases)
    return table, plots.stage_comparison_figure(table)


def write_model_card(
    spec: learning.ModelSpec,
    image_table: pd.DataFrame,
    rejected_images: pd.DataFrame,
    splits: pd.DataFrame,
    predictions: pd.DataFrame,
    out_of_fold_predictions: pd.DataFrame,
    leakage: dict[str, Any],
    scores: dict[str, Any],
    classification_report: pd.DataFrame,
    stage_comparison: pd.DataFrame,
    stage_steps: pd.DataFrame,
    calibration: dict[str, Any],
    slices: pd.DataFrame,
    suspects: pd.DataFrame,
    test_log: pd.DataFrame,
    augmented_views: dict[str, Any],
    honest_accuracy: dict[str, Any],
    curation_effect: dict[str, Any],
    published_accuracy: str | None,
    workspace: str,
    *figures: Any,
) -> tuple[str, str]:
    """Writes what one should know of the model before one uses it.

    The figures are those of ``CARD_FIGURES``, in that order.

    Returns:
        The model card as a page, and as Markdown.
    """
    searched = _held_out(predictions, out_of_fold_predictions, splits, spec)
    validation = scores["validation"][spec.provenance["stage"]]
    facts = cards.CardFacts(
        spec=spec.model_dump(),
        checksum=spec.checksum,
        counts=pd.crosstab(splits["label"], splits["split"]).reset_index(),
        rejected=rejected_images["reason"].value_counts().to_dict(),
        source=_source(image_table),
        fingerprint=_fingerprint(image_table),
        stages=stage_comparison,
        verdict=metrics.stage_verdict(stage_steps),
        metrics=scores,
        classes_report=classification_report,
        calibration=calibration,
        augmented_views=augmented_views,
        leakage=leakage,
        honest=" ".join(filter(None, (honest_sentence(honest_accuracy, predictions, spec), published_accuracy))),
        curation=metrics.curation_sentence(curation_effect),
        worst_slices=metrics.worst_slices(slices, validation["error_rate"]),
        searched=len(searched),
        searched_part=_part_of(searched),
        suspects=len(suspects),
        test_log=test_log,
        versions={library: version(library) for library in LIBRARIES},
        limits=(),
        model_path=f"data/06_models/{workspace}/model",
    )
    pictures = dict(zip(CARD_FIGURES.values(), figures, strict=True))
    return cards.model_card_html(facts, pictures), cards.model_card_markdown(facts)


def _source(image_table: pd.DataFrame) -> str:
    sources = image_table["source"].tolist()
    if images.is_address(sources[0]):
        return os.path.commonpath(sources).replace(":/", "://", 1)
    common = Path(os.path.commonpath(sources))
    # a card is for others: where the project lies on this computer is nothing to them
    return str(common.relative_to(project_folder()) if common.is_relative_to(project_folder()) else common)


def _fingerprint(image_table: pd.DataFrame) -> str:
    return sha256_of_lines(image_table["file_hash"] + " " + image_table["label"])


def _of_model(predictions: pd.DataFrame, spec: learning.ModelSpec, part: str) -> pd.DataFrame:
    return metrics.of_stage(predictions, spec.provenance["stage"], part)


def _pictures(prepared_images: images.PreparedImages, image_ids: Iterable[str]) -> list[images.Picture]:
    return [images.open_thumbnail(prepared_images.path(image_id)) for image_id in image_ids]
