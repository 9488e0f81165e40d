from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.offsetbox import AnnotationBbox
from PIL import Image

from guitar_kedro.metrics import embed, lie_apart
from guitar_kedro.plots import embedding_explorer, embedding_map, style


def points(labels: list[str], predicted: list[str]) -> pd.DataFrame:
    table = pd.DataFrame({"label": labels, "predicted": predicted, "probability": 0.9, "is_suspect": False})
    return table.assign(x=range(len(table)), y=0.0, file=[f"<{place}>.jpg" for place in range(len(table))])


def test_what_is_wrong_and_suspect_has_a_ring_in_its_square(saved):
    picture = saved(embedding_map(points(["cat"], ["dog"]).assign(is_suspect=True), {}, "Map", "the model"))
    pixels = np.asarray(picture.convert("RGB")).astype(int)[200:, : picture.width // 2 + 100]
    for colour in (to_rgb(style.INK), to_rgb(style.VERMILLION)):
        assert (abs(pixels - 255 * np.array(colour)).max(axis=-1) < 30).any()


def test_pictures_with_similar_features_lie_together_and_the_map_is_the_same_again():
    random = np.random.default_rng(0)
    features = np.concatenate([random.normal(place, 0.1, (20, 30)) for place in (0, 5)]).astype(np.float32)
    places = embed(features, 1)
    assert np.array_equal(places, embed(features, 1))
    one, other = places[:20], places[20:]
    assert np.linalg.norm(one - one.mean(0), axis=1).max() < np.linalg.norm(other - one.mean(0), axis=1).min()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_there_is_a_map_of_few_pictures_and_of_equal_ones(count: int):
    for features in (np.ones((count, 6)), np.random.default_rng(0).normal(size=(count, 6))):
        places = embed(features.astype(np.float32), 1)
        assert places.shape == (count, 2)
        assert np.isfinite(places).all()


def test_pointing_at_a_picture_tells_its_file_its_class_and_what_it_is_taken_for():
    table = points(["cat", "dog", "dog"], ["cat", "cat", "dog"]).assign(is_suspect=[False, True, False])
    wrong, suspects, cats, dogs = embedding_explorer(table, {"cat": "Big Cat"}, "Map", "the model").data
    assert (wrong.name, list(wrong.x)) == ("wrong prediction", [1])
    assert (suspects.name, list(suspects.x)) == ("suspect label", [1])
    assert list(cats.hovertext) == ["&lt;0&gt;.jpg<br>Big Cat, rightly seen as such (90.0 %)"]
    assert dogs.hovertext[0] == "&lt;1&gt;.jpg<br>dog taken for Big Cat (90.0 %)<br>suspect label"


def test_of_too_many_classes_the_points_tell_only_right_from_wrong(names_of):
    labels = list(names_of(40))
    table = points(labels, [labels[0], *labels[:-1]])
    assert [trace.name for trace in embedding_explorer(table, {}, "Map", "the model").data] == [
        "wrong prediction",
        "40 classes",
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 11, 36, 37])
def test_the_map_can_be_read(number: int, names_of, is_readable):
    labels = list(names_of(number))
    assert is_readable(embedding_map(points(labels, labels), names_of(number), "Embedding map", "the model"))


def test_pictures_are_shown_where_they_do_not_hide_each_other():
    places = np.array([[0, 0], [0.5, 0.5], [1, 0.2], [3, 3]])
    assert lie_apart(places, 1) == [0, 2, 3]
    table = points(["cat"] * 4, ["cat"] * 4).assign(x=places[:, 0], y=places[:, 1])
    thumbnails = {row: Image.new("RGB", (8, 6), "red") for row in (0, 2, 3)}
    figure = embedding_explorer(table, {}, "Map", "the model", thumbnails)
    assert [(each.x, each.y) for each in figure.layout.images] == [(0, 0), (1, 0.2), (3, 3)]
    assert figure.layout.images[0].source.startswith("data:image/jpeg;base64,")
    drawn = embedding_map(table, {}, "Map", "the model", thumbnails)
    assert sum(isinstance(each, AnnotationBbox) for each in drawn.axes[0].artists) == 3
