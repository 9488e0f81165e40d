"""Whose images a model was made of."""

from __future__ import annotations

import pandas as pd

from guitar_kedro.metrics import attributions_of, images_by_license

BY, CC0 = ("CC BY 4.0", "https://by"), ("CC0 1.0", "https://zero")


def test_images_are_known_by_their_content_and_counted_by_licence():
    image_table = pd.DataFrame({"file_hash": ["a", "b", "b", "mine"]})
    attributions = pd.DataFrame(
        [("a", *CC0), ("b", *BY), ("deleted", *BY)], columns=["sha256", "license", "license_url"]
    )
    own = attributions_of(attributions, image_table)
    assert own["sha256"].tolist() == ["a", "b"]
    assert images_by_license(own, image_table).to_numpy().tolist() == [[*BY, 2], [*CC0, 1]]


def test_where_nothing_was_collected_nothing_is_attributed():
    assert attributions_of(pd.DataFrame(), pd.DataFrame({"file_hash": ["a"]})).empty
