"""Figures and tables about pictures and predictions. No Kedro and no torch in here."""

from typing import TYPE_CHECKING, Any

import lazy_loader as lazy

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Figure
else:
    Figure = Any  # Kedro looks up the types of all nodes in each command; none of them shall wait for matplotlib

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "attention": ["attention_by_class", "attention_missing", "attention_of_errors", "mapped_classes"],
        "calibration": [
            "auroc",
            "expected_calibration_error",
            "fewest_for_known",
            "fewest_for_sure",
            "fit_temperature",
            "known_threshold",
            "reliability_figure",
            "risk_coverage",
            "risk_coverage_figure",
            "sure_threshold",
            "tempered",
            "unknown_figure",
        ],
        "data": [
            "class_balance",
            "class_contact_sheet",
            "classes_on_sheet",
            "contact_sheet",
            "duplicates_sheet",
            "resolutions",
            "split_balance",
        ],
        "card": ["CardFacts", "model_card_html", "model_card_markdown"],
        "comparison": ["stage_comparison_figure"],
        "curation": ["curation_effect", "curation_sentence", "recipe_changes"],
        "errors": ["top_losses", "top_losses_sheet"],
        "confusion": ["confusion_explorer", "confusion_matrix_figure"],
        "guessing": ["guess", "worse_than_guessing"],
        "predicted": ["predictions_sheet"],
        "predictions": ["classification_report", "metrics", "most_confused", "of_stage", "stage_comparison"],
        "slices": ["slice_errors", "slices_figure", "worst_slices"],
        "stages": [
            "compare_neighbours",
            "fixed_and_broken",
            "fixed_and_broken_sheet",
            "stage_errors_figure",
            "stage_verdict",
        ],
        "statistics": ["mcnemar_test", "paired_difference_interval", "wilson_interval"],
        "style": ["count", "display_name", "percent"],
        "suspects": ["curation_proposal", "suspect_labels", "suspects_sheet"],
        "summary": ["console_summary"],
        "training": ["history_plot", "learning_rate_curve", "training_batch", "training_sheet"],
    },
)
