"""Nodes of reporting: everything in here is made of predictions; only pictures are read beside them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from guitar_kedro import cards, datasets, images, learning, metrics, plots
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.lazy import np, pd
from guitar_kedro.learning.inference.decision import Decision, decide
from guitar_kedro.pipelines.collect.schemas import AttributionRow
from guitar_kedro.pipelines.cross_validation.nodes import OUT_OF_FOLD, honest_sentence
from guitar_kedro.pipelines.ingestion.nodes import open_thumbnails
from guitar_kedro.pipelines.search.nodes import search_note
from guitar_kedro.pipelines.training.plan import PROBE
from guitar_kedro.project import project_folder
from guitar_kedro.sizes import size_in_words
from guitar_kedro.splits import TEST, VALIDATION

logger = logging.getLogger(__name__)

PICTURES_ON_SHEET = 24
STEPS_ON_SHEET = 8
THUMBNAIL_SIDE = 64  # pixels, on the map
POINTS_ON_MAP = 2000  # t-SNE of these takes some ten seconds
LIBRARIES = ("kedro", "fastai", "torch", "torchvision", "numpy", "pandas", "pillow", "cleanlab")
CARD_FIGURES = {  # what the model card shows; the titles say which part of the images it is about
    "confusion_matrix": cards.CardFigure(
        "Confusion matrix of the validation images",
        "results",
        "how often each class was taken for each other one; right answers lie on the diagonal",
    ),
    "reliability_diagram": cards.CardFigure(
        "Reliability diagram of the validation and the test images",
        "calibration",
        "how often answers were right, against how probable the model called them",
    ),
    "risk_coverage": cards.CardFigure("Risk and coverage of the test images", "calibration"),
    "energies": cards.CardFigure("Energy of the test images and of other pictures", "calibration"),
    "stage_steps_plot": cards.CardFigure(
        "What each stage brought, on the validation images", "recipe", "error of each stage with its interval"
    ),
    "fixed_and_broken_sheet": cards.CardFigure(
        "Validation images that stages fixed and broke",
        "recipe",
        "what the stage before had wrong and this one right, and the other way round",
    ),
    "top_losses_sheet": cards.CardFigure(
        "Top losses of the validation images",
        "errors",
        "the pictures on which the model was most wrong, each with its label and the answer",
    ),
    "embedding_map": cards.CardFigure(
        "Embedding map of the validation images",
        "errors",
        "points that lie close together where pictures look alike to the network; errors and suspect labels are marked",
    ),
    "grad_cam_of_errors": cards.CardFigure(
        "Where it looks when it is wrong, on validation images",
        "errors",
        "pictures overlaid with the regions that decided the answer",
    ),
    "grad_cam_by_class": cards.CardFigure(
        "Where it looks for each class, on validation images",
        "errors",
        "pictures overlaid with the regions that decided the answer",
    ),
    "slices_plot": cards.CardFigure(
        "Errors of the validation images by class, size, shape and near duplicates", "errors"
    ),
    "suspects_sheet": cards.CardFigure("Suspect labels", "errors"),
    "class_contact_sheet": cards.CardFigure("Contact sheet of the classes", "data"),
    "class_balance": cards.CardFigure("Class balance", "data", "bars of how many images each class has"),
    "split_balance": cards.CardFigure(
        "Balance of the parts", "data", "bars of how many images of each class each part has"
    ),
    "resolutions": cards.CardFigure("Resolutions of the originals", "data"),
    "duplicates_sheet": cards.CardFigure("Contact sheet of near duplicates", "data"),
}


def compute_metrics(
    predictions: pd.DataFrame, model_spec: learning.ModelSpec
) -> tuple[metrics.Metrics, pd.DataFrame, pd.DataFrame]:
    """Compute how good every stage is, and the model on each class.

    Returns:
        Accuracy, error rate, Wilson interval and loss for each part and stage; precision, recall, F1 and support of
        each class on the test part; the pairs of classes that are confused at least twice on the validation part.
    """
    test, validation = (_of_model(predictions, model_spec, part) for part in (TEST, VALIDATION))
    return (
        metrics.compute_metrics(predictions, model_spec.provenance["stage"]),
        metrics.classification_report(test, list(model_spec.classes)),
        metrics.most_confused(validation, model_spec.display_names),
    )


def plot_confusion_matrix(predictions: pd.DataFrame, model_spec: learning.ModelSpec) -> tuple[plots.Figure, Any]:
    """Draw which classes the model takes for which, on the validation part: to read, and to point at."""
    what = (
        _of_model(predictions, model_spec, VALIDATION),
        list(model_spec.classes),
        model_spec.display_names,
        f"Validation part, {model_spec.provenance['stage']}",
    )
    return plots.confusion_matrix_figure(*what), plots.confusion_explorer(*what)


def show_top_losses(
    predictions: pd.DataFrame, model_spec: learning.ModelSpec, prepared_images: images.PreparedImages
) -> tuple[pd.DataFrame, plots.Figure]:
    """List and draw the validation images with the highest losses."""
    table = metrics.top_losses(
        _of_model(predictions, model_spec, VALIDATION), model_spec.display_names, PICTURES_ON_SHEET
    )
    return table, plots.top_losses_sheet(open_thumbnails(prepared_images, table["image_id"]), table)


def report_calibration(
    predictions: pd.DataFrame,
    ood_predictions: pd.DataFrame,
    model_spec: learning.ModelSpec,
    selective_accuracy: float,
    in_distribution_recall: float,
) -> tuple[metrics.Calibration, plots.Figure, plots.Figure, plots.Figure]:
    """Say whether probabilities can be believed, what "sure" means, and whether strange pictures are noticed.

    The validation part has chosen the temperature and the thresholds, so what they do is measured on the test part.

    Returns:
        Numbers, the reliability diagram, and of the test part the risk-coverage curve and the histogram of the
        energies.
    """
    parts = {part: _of_model(predictions, model_spec, part) for part in (VALIDATION, TEST)}
    confidences = {part: _confidences(rows, model_spec) for part, rows in parts.items()}
    known = parts["test"]["energy"].to_numpy()
    others = ood_predictions["energy"].to_numpy() if len(ood_predictions) else None
    unknown = metrics.unknown(known, others, model_spec.ood_threshold, in_distribution_recall)
    sure = {part: _are_sure(rows, model_spec) for part, rows in parts.items()}
    numbers = metrics.Calibration(
        temperature=model_spec.temperature,
        **{part: metrics.calibration_error(*each) for part, each in confidences.items()},
        sure=metrics.selection(parts, sure, model_spec.confidence_threshold, selective_accuracy),
        unknown=unknown,
    )
    _, after, right = confidences["test"]
    return (
        numbers,
        plots.reliability_figure(confidences, model_spec.temperature),
        plots.risk_coverage_figure(
            metrics.risk_coverage(after, right), model_spec.confidence_threshold, selective_accuracy
        ),
        plots.unknown_figure(known, others, model_spec.ood_threshold, unknown.auroc),
    )


def _confidences(
    predictions: pd.DataFrame, model_spec: learning.ModelSpec
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the probability of the prediction before and after temperature scaling, and whether it is right."""
    after = predictions[metrics.probability_columns(model_spec.classes)].to_numpy()
    before = metrics.tempered(after, 1 / model_spec.temperature)
    return before.max(axis=1), after.max(axis=1), (predictions["label"] == predictions["predicted"]).to_numpy()


def _are_sure(predictions: pd.DataFrame, model_spec: learning.ModelSpec) -> np.ndarray:
    """Say which predictions count as sure; one that counts as none of the classes does not."""
    answers = zip(predictions.filter(like=metrics.PROBABILITY).max(axis=1), predictions["energy"], strict=True)
    return np.array([decide(model_spec, *answer) is Decision.SURE for answer in answers], bool)


def report_slices(
    predictions: pd.DataFrame, image_table: pd.DataFrame, model_spec: learning.ModelSpec
) -> tuple[pd.DataFrame, plots.Figure]:
    """Measure the error by class, size and shape of the original, and near duplicates, on the validation part."""
    validation = _of_model(predictions, model_spec, VALIDATION)
    slices = metrics.slice_errors(validation, image_table, model_spec.display_names)
    overall = float((validation["label"] != validation["predicted"]).mean())
    return slices, plots.slices_figure(slices, overall, metrics.worst_slices(slices, overall))


def find_suspect_labels(
    predictions: pd.DataFrame,
    out_of_fold_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    model_spec: learning.ModelSpec,
    prepared_images: images.PreparedImages,
) -> tuple[pd.DataFrame, pd.DataFrame, plots.Figure]:
    """Rank the images whose label is likely to be wrong.

    After a cross-validation of these very images all but the test part are looked at, otherwise the validation part.

    Returns:
        The table, lines for the curation file as a proposal, and a contact sheet.
    """
    searched = _held_out(predictions, out_of_fold_predictions, splits, model_spec)
    suspects = metrics.suspect_labels(searched)
    shown = suspects.head(PICTURES_ON_SHEET)
    pictures = open_thumbnails(prepared_images, shown["image_id"])
    sheet = plots.suspects_sheet(pictures, shown, model_spec.display_names, _part_of(searched))
    return suspects, metrics.curation_proposal(suspects), sheet


def _held_out(
    predictions: pd.DataFrame,
    out_of_fold_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    model_spec: learning.ModelSpec,
) -> pd.DataFrame:
    """Return what was said of images by networks that had not seen them."""
    if len(out_of_fold_predictions) and _labels(out_of_fold_predictions) == _labels(splits[splits["split"] != TEST]):
        return out_of_fold_predictions
    return _of_model(predictions, model_spec, VALIDATION)


def _part_of(held_out: pd.DataFrame) -> str:
    return "training and validation" if held_out["stage"].iloc[0] == OUT_OF_FOLD else "validation"


def _labels(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["label"], strict=True))


def draw_embedding_map(
    predictions: pd.DataFrame,
    suspects: pd.DataFrame,
    features: learning.Features,
    prepared_images: images.PreparedImages,
    model_spec: learning.ModelSpec,
    seed: int,
    *,
    source: str,
) -> tuple[plots.Figure, Any]:
    """Draw which pictures of the validation part look alike to a network: to read, and to point at.

    Args:
        predictions: Of the stages.
        suspects: Images whose label is likely to be wrong; they are marked.
        features: Of the validation part.
        prepared_images: The pictures; those that do not hide each other are shown, errors and suspects first.
        model_spec: Of the model.
        seed: Chooses the pictures, where they are many, and their places.
        source: What the features come from, for the title.
    """
    validation = _of_model(predictions, model_spec, VALIDATION)
    shown = validation.sample(min(len(validation), POINTS_ON_MAP), random_state=seed).sort_index()
    probability = shown[metrics.probability_columns(model_spec.classes)].max(axis=1)
    x, y = metrics.embed(features.of(shown["image_id"].tolist()), seed).T
    is_suspect = shown["image_id"].isin(suspects["image_id"])
    points = shown[["file", "label", "predicted"]].assign(x=x, y=y, probability=probability, is_suspect=is_suspect)
    first = points[(points["label"] != points["predicted"]) | points["is_suspect"]]
    ordered = pd.concat([first, points.drop(first.index)])
    apart = metrics.lie_apart(ordered[["x", "y"]].to_numpy(), plots.THUMBNAIL_SHARE * plots.extent(points))
    seen = shown.loc[ordered.index[apart], "image_id"]
    thumbnails = dict(zip(seen.index, open_thumbnails(prepared_images, seen, THUMBNAIL_SIDE), strict=True))
    title = f"Embedding map of {metrics.count(len(shown), 'validation image')}"
    if len(shown) < len(validation):
        title += f", drawn at random from {len(validation):,}"
    what = points, model_spec.display_names, title, source, thumbnails
    return plots.embedding_map(*what), plots.embedding_explorer(*what)


def list_similar_images(image_table: pd.DataFrame, splits: pd.DataFrame, features: learning.Features) -> pd.DataFrame:
    """List pairs of images that look alike to a network, and are no near duplicates by their hashes.

    Only images are compared whose features are there: those of the test part are, where the split goes by them.
    """
    known = image_table.merge(splits[["image_id", "split"]], on="image_id")
    known = known[known["image_id"].isin(features.image_ids)]
    similar = metrics.similar_images(known, *metrics.similar_pairs(features.of(known["image_id"].tolist())))
    logger.info(
        "%s of images look alike to a network, though their hashes differ; %d of them in different parts of the split",
        metrics.count(len(similar), "pair"),
        metrics.crossing(similar),
    )
    return similar


def report_curation(
    predictions: pd.DataFrame,
    predictions_before_change: pd.DataFrame,
    model_before_change: dict[str, Any],
    image_labels_before_change: pd.DataFrame,
    image_labels: pd.DataFrame,
    applied_curation: pd.DataFrame,
    model_spec: learning.ModelSpec,
) -> metrics.CurationEffect:
    """Say what changed of the images and their labels since an earlier model, and what that did to the accuracy."""
    before = test_before = predictions_before_change
    images_changed = None
    if len(before):
        stage = metrics.stage_of_model(before)
        before, test_before = (metrics.of_stage(before, stage, part) for part in (VALIDATION, TEST))
        images_changed = metrics.image_changes(image_labels_before_change, image_labels)
    changes = metrics.recipe_changes(model_before_change, model_spec.model_dump(mode="json"))
    # that a picture without a label was accepted says nothing about labels that others came with
    decisions = applied_curation[~images.are_unlabelled(applied_curation["file"])]
    now, test = (_of_model(predictions, model_spec, part) for part in (VALIDATION, TEST))
    return metrics.curation_effect(before, now, decisions, changes, images_changed, (test_before, test))


def compare_neighbours(
    predictions: pd.DataFrame,
    stage_comparison: pd.DataFrame,
    model_spec: learning.ModelSpec,
    prepared_images: images.PreparedImages,
) -> tuple[pd.DataFrame, plots.Figure, plots.Figure]:
    """Test what each stage brought over the one before, on the same validation images.

    Returns:
        A row per pair of neighbours, the figure, and a contact sheet of images that stages fixed and broke.
    """
    seconds = (60 * stage_comparison.groupby("stage")["minutes"].sum()).to_dict()
    neighbours = metrics.compare_neighbours(predictions, seconds)
    shown = neighbours.tail(STEPS_ON_SHEET)
    rows = [
        row
        for pair in shown.itertuples()
        for row in _fixed_and_broken(predictions, pair, model_spec.display_names, prepared_images)
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
        yield f"{what} by {pair.stage} ({count})", open_thumbnails(prepared_images, table["image_id"]), captions


def compare_stages(splits: pd.DataFrame, *results: Any) -> tuple[pd.DataFrame, plots.Figure]:
    """Compare the error on the validation part after each phase of each stage.

    Args:
        splits: For the number of validation images, and for what a guess would give.
        *results: The histories of all phases in the order of training, then the specs of their checkpoints.

    Returns:
        The table (error with its interval, time spent, and a warning where it is worse than a guess or than the
        probe of its stage), and its figure.
    """
    histories, specs = results[: len(results) // 2], results[len(results) // 2 :]
    count, guess = int((splits["split"] == VALIDATION).sum()), metrics.guess(splits)
    probes = {
        spec.provenance["stage"]: history["error_rate"].iloc[-1]
        for history, spec in zip(histories, specs, strict=True)
        if spec.provenance["phase"] == PROBE
    }
    phases = pd.DataFrame(
        [
            {
                "stage": spec.provenance["stage"],
                "phase": spec.provenance["phase"],
                "architecture": spec.architecture,
                "image_size": size_in_words(spec.image_size),
                "epochs": len(history),
                "error_rate": kept["error_rate"],
                "images": count,
                "seconds": history["seconds"].sum(),
                "warning": _warnings(kept, guess, probes.get(spec.provenance["stage"]), count),
            }
            for history, spec in zip(histories, specs, strict=True)
            for kept in [history[history["kept"]].iloc[0]]
        ]
    )
    table = metrics.stage_comparison(phases)
    return table, plots.stage_comparison_figure(table)


def _warnings(kept: pd.Series, guess: metrics.Guess, of_probe: float | None, images: int) -> str:
    found = [metrics.worse_than_guessing(kept["valid_loss"], kept["error_rate"], guess)]
    if of_probe is not None:
        found.append(metrics.worse_than_probe(kept["error_rate"], of_probe, images))
    return " ".join(filter(None, found))


def write_model_card(
    model_spec: learning.ModelSpec,
    image_table: pd.DataFrame,
    rejected_images: pd.DataFrame,
    splits: pd.DataFrame,
    predictions: pd.DataFrame,
    out_of_fold_predictions: pd.DataFrame,
    leakage: metrics.Leakage,
    similar_images: pd.DataFrame,
    scores: metrics.Metrics,
    classification_report: pd.DataFrame,
    stage_comparison: pd.DataFrame,
    stage_steps: pd.DataFrame,
    calibration: metrics.Calibration,
    slices: pd.DataFrame,
    suspects: pd.DataFrame,
    test_log: pd.DataFrame,
    tta_gain: metrics.TtaGain,
    honest_accuracy: metrics.HonestAccuracy | None,
    search_result: metrics.SearchResult | None,
    curation_effect: metrics.CurationEffect,
    attributions: pd.DataFrame,
    published_accuracy: str | None,
    workspace: str,
    *figures: Any,
) -> tuple[str, str]:
    """Write what one should know of the model before one uses it.

    The figures are those of ``CARD_FIGURES``, in that order.

    Returns:
        The model card as a page, and as Markdown.
    """
    searched = _held_out(predictions, out_of_fold_predictions, splits, model_spec)
    validation = scores.validation[model_spec.provenance["stage"]]
    of_search = search_note(search_result, splits, model_spec)
    honest = honest_sentence(honest_accuracy, predictions, model_spec, leakage.relative)
    facts = cards.CardFacts(
        spec=model_spec.model_dump(),
        checksum=model_spec.checksum,
        counts=pd.crosstab(splits["label"], splits["split"]).reset_index(),
        rejected=rejected_images["reason"].value_counts().to_dict(),
        source=_source(image_table[~images.are_unlabelled(image_table["file"])]),
        fingerprint=sha256_of_lines(image_table["file_hash"] + " " + image_table["label"]),
        stages=stage_comparison,
        verdict=metrics.stage_verdict(stage_steps),
        metrics=scores,
        classes_report=classification_report,
        calibration=calibration,
        tta_gain=tta_gain,
        leakage=leakage,
        similar=metrics.crossing(similar_images),
        honest=" ".join(filter(None, (of_search, honest, published_accuracy))),
        curation=metrics.curation_sentence(curation_effect),
        worst_slices=metrics.worst_slices(slices, validation.error_rate),
        searched=len(searched),
        searched_part=_part_of(searched),
        suspects=len(suspects),
        test_log=test_log,
        versions={library: version(library) for library in LIBRARIES},
        limits=(),
        model_path=f"data/06_models/{workspace}/model",
        attributions=_attributions(attributions, image_table, workspace),
        accepted=_accepted(image_table, rejected_images, splits),
    )
    pictures = dict(zip(CARD_FIGURES.values(), figures, strict=True))
    return cards.model_card_html(facts, pictures), cards.model_card_markdown(facts)


def _attributions(attributions: pd.DataFrame, image_table: pd.DataFrame, workspace: str) -> cards.Attributions | None:
    own = metrics.attributions_of(attributions, image_table)
    if own.empty:
        return None
    licenses = metrics.images_by_license(own, image_table)
    return cards.Attributions(
        licenses=licenses,
        others=len(image_table) - int(licenses["images"].sum()),
        path=f"data/01_raw/{workspace}/attributions.csv",
        table=datasets.SpreadsheetDataset.as_text(own, AttributionRow),
    )


def _accepted(image_table: pd.DataFrame, rejected_images: pd.DataFrame, splits: pd.DataFrame) -> str:
    accepted = image_table[images.are_unlabelled(image_table["file"])]
    joined = accepted[accepted["image_id"].isin(splits["image_id"])]
    left_out = len(accepted) - len(joined) + int(images.are_unlabelled(rejected_images["file"]).sum())
    return metrics.accepted_sentence(joined, left_out)


def _source(image_table: pd.DataFrame) -> str:
    sources = image_table["source"].tolist()
    if images.is_address(sources[0]):
        return os.path.commonpath(sources).replace(":/", "://", 1)
    common = Path(os.path.commonpath(sources))
    # a card is for others: where folders lie on this computer, and whose they are, is nothing to them
    return str(common.relative_to(project_folder())) if common.is_relative_to(project_folder()) else common.name


def _of_model(predictions: pd.DataFrame, model_spec: learning.ModelSpec, part: str) -> pd.DataFrame:
    return metrics.of_stage(predictions, model_spec.provenance["stage"], part)
