"""What a user may rely on of reports where a part of the images is empty."""

from __future__ import annotations

import pandas as pd

from guitar_kedro.learning import ModelSpec
from guitar_kedro.pipelines.reporting.nodes import report_curation


def predictions(stage: str, **said: tuple[str, str]) -> pd.DataFrame:
    """Makes a table of the validation part: of each image its label and the predicted class."""
    rows = [(image, image, stage, "validation", *row) for image, row in said.items()]
    return pd.DataFrame(rows, columns=["image_id", "file", "stage", "split", "label", "predicted"])


def test_what_changed_since_a_model_without_a_test_part_is_measured_by_its_last_stage():
    earlier = predictions("small", a=("cat", "dog")), predictions("large", a=("cat", "cat"), b=("dog", "cat"))
    now = predictions("large", a=("cat", "cat"), b=("dog", "dog"), c=("dog", "dog"))
    spec = ModelSpec.model_construct(provenance={"stage": "large"})
    decisions = pd.DataFrame(columns=["file", "action", "label"], dtype="str")
    effect = report_curation(now, pd.concat(earlier), {}, earlier[1], now, decisions, spec)
    assert effect.before is not None
    assert effect.both is not None
    assert (effect.before.images, effect.before.errors, effect.both.fixed) == (2, 1, 1)
