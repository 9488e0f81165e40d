"""The model card as the Hugging Face hub reads it: with a header in YAML, and how the files are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from guitar_kedro.cards.rendering import render
from guitar_kedro.errors import UserError
from guitar_kedro.metrics.errors import Errors
from guitar_kedro.metrics.formatting import count

if TYPE_CHECKING:
    from guitar_kedro.learning import ModelSpec


def hub_card(card: str, spec: ModelSpec, test: Errors | None, licence: str, datasets: Sequence[str]) -> str:
    """Put a header before a model card, and say at its end how the files beside it are used.

    Args:
        card: In Markdown.
        spec: Of the model.
        test: Its errors on the test part; ``None`` where that was not opened.
        licence: Of the model, by its identifier on the hub.
        datasets: What it was trained on, by their names on the hub.

    Raises:
        UserError: If the hub's own library does not take the header.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    results = None
    if test is not None and test.error_rate is not None:
        results = [
            EvalResult(
                task_type="image-classification",
                dataset_type=datasets[0] if datasets else "image-folder",
                dataset_name=f"test part, {test.images:,} images",
                dataset_split="test",
                metric_type="accuracy",
                metric_value=round(1 - test.error_rate, 6),
            )
        ]
    try:
        header = ModelCardData(
            license=licence,
            library_name="onnx",
            pipeline_tag="image-classification",
            tags=["image-classification", "onnx", "safetensors", "fastai", "kedro"],
            datasets=list(datasets) or None,
            metrics=["accuracy"],
            model_name=f"{spec.architecture} for {count(len(spec.classes), 'class')} of pictures",
            eval_results=results,
        )
        return str(ModelCard(render("hub_card.md.j2", header=header.to_yaml(), card=card.strip())))
    except ValueError as error:
        raise UserError(f"The header of the card cannot be used ({error}); mend `publish` in parameters.yml.") from None
