"""Versions of what the project makes, so that results do not outlive the code that made them.

A node names the families of what it makes by its tags. Their versions are part of its fingerprint, next to its inputs
and parameters, and of the keys of what is kept between runs: drawn sets, prepared pictures, decoded pixels, predicted
chunks, states of training. What has another version than here is made again.

Raise a number by one when the same inputs give another result than before: other pixels, numbers, words or lines. A
change that only reads better, or is faster, asks for none. The tests compare small results of each family with those
that its version stands for, and say which number to raise.
"""

from __future__ import annotations

from collections.abc import Iterable

VERSIONS = {
    "drawn_pictures": 2,  # the demo set, and the other things
    "prepared_pictures": 2,  # what reading, shrinking, encoding and hashing make of a file, or why it is refused
    "image_tables": 4,  # duplicates, curation, given parts and groups, pictures without labels
    "decoded_pixels": 1,  # what training reads: prepared pictures, read and resized
    "splits": 2,  # also those of the cross-validation
    "trained_networks": 3,  # learning rates, weights, histories
    "predictions": 1,  # of any picture: reading it, resizing it, the network, its probabilities and energy
    "calibrated_models": 1,  # temperature and thresholds
    "reports": 5,  # figures, tables, numbers and cards, from all of the above
    "bundles": 2,  # exported models, with their own preprocessing
}


def versions_of(tags: Iterable[str]) -> dict[str, int]:
    """Return the versions of the families among the tags of a node."""
    return {family: VERSIONS[family] for family in sorted(VERSIONS.keys() & set(tags))}


def version_changes(now: dict[str, int], then: dict[str, int]) -> list[str]:
    """Say of which families the versions differ, in a few words each."""
    words = []
    for family in sorted({*now, *then}):
        version, earlier = now.get(family, 0), then.get(family, 0)
        if version != earlier:
            way = "a newer way" if version > earlier else "an older way"
            words.append(f"{family.replace('_', ' ')} are made in {way} (version {version}, was {earlier})")
    return words
