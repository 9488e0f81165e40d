"""Labels that look wrong, for a person to check."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from pydantic import BaseModel

from guitar_kedro.metrics.predictions import class_places, probabilities, probability_of, refuse_mixed_stages


class SuspectRow(BaseModel):
    """An image whose label is likely to be wrong.

    Attributes:
        image_id: As in ``image_table``.
        file: Name of the file in the source.
        label: Its class.
        suggested: The most probable class.
        probability: Of ``suggested``, 0 to 1.
        probability_of_label: Of ``label``, 0 to 1.
    """

    image_id: str
    file: str
    label: str
    suggested: str
    probability: float
    probability_of_label: float


def suspect_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """Find labels that are probably wrong, by confident learning.

    How many labels of each class are wrong is estimated from the images that are at least as probable in another
    class as its own images are on average; as many images of the class with the lowest probability of their label are
    suspect. Source: C. Northcutt, L. Jiang and I. Chuang (2021), "Confident learning: estimating uncertainty in
    dataset labels", Journal of Artificial Intelligence Research 70, 1373-1411; there "prune by class", as cleanlab
    computes it. Of cleanlab's filters it missed the fewest of 5 % planted errors: a person who looks at the suspects
    loses less by a false alarm than by an error that is never shown. The probabilities must come from a network that
    did not train on the images: it may have learnt the wrong labels by heart.

    A class that no given image is labelled with has no average to compare with: it makes nothing suspect by itself,
    although an image that is suspect may look most like it. The only image of a class is never suspect, for the same
    reason. With fewer than two labels nothing can be compared, and nothing is suspect.

    Args:
        predictions: Of one stage, with ``image_id``, ``file``, ``label`` and a column ``probability_<class>`` per
            class.

    Returns:
        A row per image, as ``SuspectRow`` describes it, the lowest probability of the label first.

    Raises:
        ValueError: If several stages are mixed, or a label has no column of probabilities.
    """
    refuse_mixed_stages(predictions)
    of_class = probabilities(predictions)
    places = _suspects(of_class, predictions["label"])
    found, of_class = predictions.iloc[places].reset_index(drop=True), of_class.iloc[places]
    return found[["image_id", "file", "label"]].assign(
        suggested=of_class.idxmax(axis=1).to_numpy(str),
        probability=of_class.max(axis=1).to_numpy(float),
        probability_of_label=probability_of(of_class, found["label"]),
    )


def curation_proposal(suspects: pd.DataFrame) -> pd.DataFrame:
    """Propose lines for the curation file; a person deletes those that are wrong.

    Args:
        suspects: From ``suspect_labels``.

    Returns:
        ``file``, ``action`` (relabel) and ``label`` (the suggested class), a row per file, in the order of the
        suspects.
    """
    once = suspects.drop_duplicates("file").reset_index(drop=True)
    return once[["file"]].assign(action="relabel", label=once["suggested"])


def _suspects(of_class: pd.DataFrame, labels: pd.Series) -> np.ndarray:
    if labels.nunique() < 2:
        return np.empty(0, dtype=int)
    # It takes a second to import, and no other report needs it.
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # It warns of every class with one image or none; the reader of the report can do nothing about it.
        warnings.filterwarnings("ignore", "May not flag all label issues")
        found = find_label_issues(
            class_places(of_class, labels),
            of_class.to_numpy(),
            filter_by="prune_by_class",
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    return np.asarray(found, dtype=int)
