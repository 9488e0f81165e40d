"""All that the card of a model is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from guitar_kedro.metrics.confidence import Calibration
from guitar_kedro.metrics.formatting import display_name
from guitar_kedro.metrics.random_split import Leakage
from guitar_kedro.metrics.scores import Metrics
from guitar_kedro.metrics.tta import TtaGain

AVERAGES = ("macro average", "weighted average")  # rows of the report of classes that are no class


@dataclass(frozen=True)
class Attributions:
    """Of images that were collected: by whom they are, and under which licences.

    Attributes:
        licenses: ``license``, ``license_url`` and ``images`` of each licence.
        others: How many images were not collected.
        path: Of the table of attributions.
        table: As CSV, the rows of the images of the model.
    """

    licenses: pd.DataFrame
    others: int
    path: str
    table: str


@dataclass(frozen=True)
class CardFacts:
    """All that the card of a model is made of.

    Attributes:
        spec: The model's spec as a dictionary: ``architecture``, ``classes``, ``display_names``, ``image_size``,
            ``resize_method``, ``precision``, ``mean``, ``std``, ``temperature``, ``confidence_threshold`` (probability
            or ``None``), ``ood_threshold`` (energy or ``None``), ``provenance`` and ``sha256``.
        checksum: Of the model.
        counts: One row per class: ``label`` and the number of images in ``train``, ``validation`` and ``test``.
        rejected: How many files were left out, by reason.
        source: Where the images came from.
        fingerprint: SHA-256 of the table of the images' content hashes.
        stages: From ``stage_comparison``.
        verdict: A sentence on whether the last stage was worth it; may be empty.
        metrics: From ``metrics``; the score of the model is the headline.
        classes_report: From ``classification_report``, of the test images.
        calibration: From ``calibration``.
        tta_gain: From ``tta_gain``.
        leakage: From ``leakage``.
        similar: Of ``similar_images``, how many pairs lie in different parts of the split.
        honest: A sentence or two about the accuracy that may honestly be claimed; may be empty.
        curation: Sentences on what changed of the images, and what that did; may be empty.
        worst_slices: ``slice``, ``value``, ``images``, ``error_rate``, the worst first.
        searched: How many images were searched for wrong labels.
        searched_part: Of which part they are, such as ``validation``.
        suspects: How many images are suspected of a wrong label.
        test_log: One row per time the test part was opened: ``time``, ``model_version``, ``images``, ``errors``,
            ``accuracy``.
        versions: Of packages, by name, when the card was made.
        limits: Sentences on limits that no number tells.
        model_path: Folder of the weights and their spec.
        attributions: Of images that were collected, where there are any.
        accepted: Sentences on images that came without a label; empty where there are none.
    """

    spec: Mapping[str, Any]
    checksum: str
    counts: pd.DataFrame
    rejected: Mapping[str, int]
    source: str
    fingerprint: str
    stages: pd.DataFrame
    verdict: str
    metrics: Metrics
    classes_report: pd.DataFrame
    calibration: Calibration
    tta_gain: TtaGain
    leakage: Leakage
    similar: int
    honest: str
    curation: str
    worst_slices: pd.DataFrame
    searched: int
    searched_part: str
    suspects: int
    test_log: pd.DataFrame
    versions: Mapping[str, str]
    limits: Sequence[str]
    model_path: str
    attributions: Attributions | None = None
    accepted: str = ""

    def name(self, label: str) -> str:
        """Return what people call a class."""
        return display_name(label, self.spec["display_names"])
