"""Figures and tables about pictures and predictions. No Kedro and no torch in here."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "data": [
            "class_balance",
            "class_contact_sheet",
            "contact_sheet",
            "duplicates_sheet",
            "resolutions",
            "split_balance",
        ],
        "comparison": ["stage_comparison_figure"],
        "confusion": ["confusion_matrix_figure"],
        "predictions": ["classification_report", "metrics", "most_confused", "stage_comparison"],
        "statistics": ["wilson_interval"],
        "style": ["Figure", "display_name"],
        "summary": ["console_summary"],
        "training": ["history_plot", "learning_rate_curve", "training_batch", "training_sheet"],
    },
)
