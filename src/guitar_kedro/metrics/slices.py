"""Which kinds of images a network errs on most."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from pydantic import BaseModel
from scipy.stats import hypergeom

from guitar_kedro.metrics import formatting
from guitar_kedro.metrics.errors import is_right, with_error_rates
from guitar_kedro.metrics.predictions import refuse_mixed_stages

_ASPECT_RATIOS = (1 / 2, 3 / 4, 4 / 3, 2)  # width to height
_ASPECT_NAMES = (
    "narrower than 1:2",
    "between 1:2 and 3:4",
    "nearly square, 3:4 to 4:3",
    "wider than 4:3, not yet 2:1",
    "2:1 or wider",
)
_LEVEL = 0.05


class SliceRow(BaseModel):
    """Images that have something in common.

    Attributes:
        slice: What they are sorted by: ``class``, ``original size``, ``aspect ratio`` or ``near duplicates``.
        value: What they have in common, in words.
        images: How many.
        errors: Of them, those that were predicted wrong.
        error_rate: Their share, 0 to 1.
        error_low: Lower end of its Wilson 95 % interval.
        error_high: Upper end of its interval.
    """

    slice: str
    value: str
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float


def slice_errors(
    predictions: pd.DataFrame, image_table: pd.DataFrame, display_names: Mapping[str, str]
) -> pd.DataFrame:
    """Count the errors among images that have something in common.

    Args:
        predictions: Of one stage; ``image_id``, ``label`` and ``predicted`` are read.
        image_table: Holds every image of the predictions and possibly others, which count as near duplicates:
            ``image_id``, ``width`` and ``height`` of the original in pixels, ``duplicate_group``.
        display_names: Names to show, by label.

    Returns:
        A row per slice, as ``SliceRow`` describes it. Each kind of slice holds every image once; slices without images
        are left out.
        Sizes are divided at the quartiles of the predicted images' longest sides, rounded to two digits.

    Raises:
        ValueError: If several stages are mixed, or an image is not in the image table.
    """
    refuse_mixed_stages(predictions)
    others = image_table.set_index("image_id")
    missing = ~predictions["image_id"].isin(others.index)
    if missing.any():
        raise ValueError(f"image {predictions['image_id'][missing].iloc[0]} is not in the image table")
    group_sizes = others["duplicate_group"].map(others["duplicate_group"].value_counts())
    images = others.loc[predictions["image_id"], ["width", "height"]].astype(float).reset_index(drop=True)
    shared = (group_sizes.loc[predictions["image_id"]] > 1).to_numpy()
    labels = sorted(set(predictions["label"]))
    ratios = np.digitize(images["width"] / images["height"], _ASPECT_RATIOS)
    # Exactly 3:4 and 4:3, the shapes of most cameras, belong in the middle.
    ratios[np.isclose(images["width"] / images["height"], _ASPECT_RATIOS[2])] = 2
    sizes, size_names = _sizes(images.max(axis=1).to_numpy())
    kinds = {
        "class": (
            pd.Index(labels).get_indexer(predictions["label"]),
            [formatting.display_name(x, display_names) for x in labels],
        ),
        "original size": (sizes, size_names),
        "aspect ratio": (ratios, _ASPECT_NAMES),
        "near duplicates": (shared.astype(int), ("has no near duplicates", "has near duplicates")),
    }
    wrong = ~is_right(predictions).to_numpy()
    rows = [
        (kind, name, total, errors)
        for kind, (places, names) in kinds.items()
        for name, total, errors in zip(
            names, *(np.bincount(of, minlength=len(names)) for of in (places, places[wrong])), strict=True
        )
    ]
    table = pd.DataFrame(rows, columns=["slice", "value", "images", "errors"])
    return with_error_rates(table[table["images"] > 0].reset_index(drop=True))


def worst_slices(slices: pd.DataFrame, overall_error_rate: float) -> pd.DataFrame:
    """Name the slices that are worse than all other images, beyond what chance explains.

    Fisher's exact test, one-sided: how often would so many of the errors fall into the slice if they fell anywhere?
    One in twenty slices would pass by luck, so the levels are corrected for the number of slices: S. Holm (1979),
    "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (2), 65-70. It
    holds for slices that overlap, too. Whether intervals lie apart would be no test: with few images they never do,
    and with a hundred classes some do by luck.

    Args:
        slices: From ``slice_errors``.
        overall_error_rate: Of all images of the slices, a share between 0 and 1.

    Returns:
        Rows of ``slices`` with ``p_value`` (corrected), at most one in twenty such tables holding a slice that is no
        worse than the others; the highest error rate first. Empty where there are too few images to tell.

    Raises:
        ValueError: If the error rate is no share.
    """
    if not 0 <= overall_error_rate <= 1:
        raise ValueError(f"overall_error_rate must lie between 0 and 1, not {overall_error_rate}")
    total = images(slices)
    # A slice of all images has no others to be compared with.
    tested = slices[slices["images"] < total]
    errors = round(overall_error_rate * total)
    chance = hypergeom.sf(tested["errors"].to_numpy() - 1, total, errors, tested["images"].to_numpy())
    found = tested.assign(p_value=_holm(np.asarray(chance, dtype=float)))
    found = found[found["p_value"] <= _LEVEL]
    return found.sort_values(["error_rate", "p_value"], ascending=[False, True], kind="stable").reset_index(drop=True)


def _sizes(longest: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if not len(longest):
        return np.empty(0, dtype=int), []
    quartiles = np.quantile(longest, (0.25, 0.5, 0.75))
    edges = sorted({_round(edge) for edge in quartiles if longest.min() < _round(edge) <= longest.max()})
    if not edges:
        low, high = int(longest.min()), int(longest.max())
        return np.zeros(len(longest), dtype=int), [f"longest side {low if low == high else f'{low} to {high}'} px"]
    middle = [f"longest side {low} to {high - 1} px" for low, high in pairwise(edges)]
    names = [f"longest side below {edges[0]} px", *middle, f"longest side {edges[-1]} px or more"]
    return np.digitize(longest, edges), names


def _round(edge: float) -> int:
    return int(float(f"{edge:.1e}"))


def _holm(chances: np.ndarray) -> np.ndarray:
    order = np.argsort(chances)
    stepped = np.maximum.accumulate(chances[order] * np.arange(len(chances), 0, -1))
    corrected = np.empty_like(chances)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def images(slices: pd.DataFrame) -> int:
    """Return how many images the slices are made of."""
    # Every kind of slice holds all images.
    return int(slices.groupby("slice")["images"].sum().max()) if len(slices) else 0
