"""What a user may rely on about the drawn demo set."""

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from guitar_kedro.demo import MODELS, OTHERS, draw_guitar, draw_other
from guitar_kedro.demo.curves import closed, mirrored, opened
from guitar_kedro.errors import UserError

SMALL = 64


def digest(picture: Image.Image) -> str:
    return sha256(picture.tobytes() + repr(picture.size).encode()).hexdigest()


def thumbnail(model: str, seed: int) -> np.ndarray:
    return np.asarray(draw_guitar(model, SMALL, seed).resize((16, 16)), dtype=float)


def test_there_are_the_eleven_models_of_the_article():
    assert len(MODELS) == len(set(MODELS)) == 11
    assert {name.split("_")[0] for name in MODELS} == {"fender", "gibson"}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [1, 33, 200])
def test_a_picture_is_rgb_and_its_longer_side_is_the_size_asked_for(model, size):
    picture = draw_guitar(model, size, seed=5)
    assert picture.mode == "RGB"
    assert max(picture.size) == size
    assert min(picture.size) >= round(size * 3 / 4)


def test_pictures_come_upright_lying_and_square():
    shapes = [draw_guitar("gibson_ES", SMALL, seed).size for seed in range(20)]
    assert {np.sign(width - height) for width, height in shapes} == {-1, 0, 1}


def test_the_same_seed_draws_the_same_pixels():
    assert digest(draw_guitar("fender_jaguar", SMALL, 7)) == digest(draw_guitar("fender_jaguar", SMALL, 7))


def test_another_process_draws_the_same_pixels():
    code = (
        "import sys; from hashlib import sha256; from guitar_kedro.demo import draw_guitar;"
        "picture = draw_guitar('gibson_SG', 64, 3); assert 'torch' not in sys.modules and 'fastai' not in sys.modules;"
        "print(sha256(picture.tobytes() + repr(picture.size).encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == digest(draw_guitar("gibson_SG", 64, 3))


def test_no_two_seeds_or_models_draw_the_same_picture():
    seen = {digest(draw_guitar(model, SMALL, seed)) for model in MODELS for seed in range(6)}
    assert len(seen) == 6 * len(MODELS)


def test_the_same_seed_shows_the_same_scene_at_every_size():
    small, large = (
        np.asarray(draw_guitar("gibson_explorer", size, 11).resize((12, 12)), dtype=float) for size in (96, 192)
    )
    assert np.abs(small - large).mean() < 12


@pytest.mark.parametrize("model", MODELS)
def test_a_picture_is_neither_flat_nor_dark(model):
    for seed in range(4):
        pixels = np.asarray(draw_guitar(model, SMALL, seed), dtype=float)
        assert pixels.std() > 15
        assert pixels.max() > 100


def test_the_pictures_of_a_model_differ_in_more_than_noise():
    first, *others = (thumbnail("fender_telecaster", seed) for seed in range(8))
    assert min(np.abs(first - other).mean() for other in others) > 8


@pytest.mark.parametrize("model", ["fender_Jaguar", "", "ukulele"])
def test_an_unknown_model_is_refused_and_the_known_ones_are_named(model):
    with pytest.raises(UserError, match=r"fender_jaguar.*gibson_les_paul") as refusal:
        draw_guitar(model, SMALL, 0)
    assert repr(model) in str(refusal.value)


@pytest.mark.parametrize(
    ("size", "seed", "said"), [(0, 0, "size is 0"), (-3, 0, "size is -3"), (SMALL, -1, "seed is -1")]
)
def test_a_size_or_seed_that_cannot_be_drawn_is_refused_by_its_value(size, seed, said):
    with pytest.raises(UserError, match=said):
        draw_guitar("gibson_SG", size, seed)


def test_an_outline_between_two_corners_is_straight():
    assert opened("0,0 10,0") == "M0.00 0.00L10.00 0.00"
    assert closed("0,0! 10,0! 10,10!").count("L") == 3


def test_a_closed_outline_through_four_points_of_a_circle_is_round():
    path = closed("100,0 0,100 -100,0 0,-100")
    controls = [float(number) for number in path.removeprefix("M100.00 0.00C").split("C")[0].split()]
    assert controls[:4] == pytest.approx([100, 55.2, 55.2, 100], abs=0.5)


def test_a_mirrored_outline_does_not_double_the_points_on_its_middle_line():
    assert mirrored("3,0! 5,4 0,9!") == "3,0! 5,4 0,9! -5,4 -3,0!"


def test_the_other_things_are_none_of_the_models():
    assert len(OTHERS) == len(set(OTHERS)) >= 8
    assert not set(OTHERS) & set(MODELS)


@pytest.mark.parametrize("kind", OTHERS)
def test_another_thing_is_a_picture_of_the_size_asked_for_and_the_same_each_time(kind):
    picture = draw_other(kind, SMALL, 4)
    assert picture.mode == "RGB"
    assert max(picture.size) == SMALL
    assert np.asarray(picture, dtype=float).std() > 10
    assert digest(picture) == digest(draw_other(kind, SMALL, 4))


def test_no_two_kinds_or_seeds_of_other_things_draw_the_same_picture():
    seen = {digest(draw_other(kind, SMALL, seed)) for kind in OTHERS for seed in range(4)}
    assert len(seen) == 4 * len(OTHERS)


def test_an_unknown_other_thing_is_refused_and_the_known_ones_are_named():
    with pytest.raises(UserError, match=r"'gibson_SG'.*banjo.*violin"):
        draw_other("gibson_SG", SMALL, 0)
    with pytest.raises(UserError, match="size is 0"):
        draw_other("violin", 0, 0)
