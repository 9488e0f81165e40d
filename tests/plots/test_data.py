"""What a reader of the figures about the data may rely on."""

import io

import numpy as np
import pandas as pd
import pytest
from figures import count_pictures
from PIL import Image, ImageChops

from guitar_kedro.plots import data, sheets

BLUE = (0x33, 0x66, 0x99)


def _image_table(names):
    random = np.random.default_rng(0)
    labels = np.repeat(list(names), random.integers(1, 1500, len(names)))
    sides = random.lognormal(5.6, 0.5, (2, len(labels))).astype(int) + 20
    return pd.DataFrame({"label": labels, "width": sides[0], "height": sides[1]})


def _picture(colour="#336699", size=(60, 40), mode="RGB"):
    return Image.new("RGB", size, colour).convert(mode)


def _cut(sheet):
    """A sheet without the white around it."""
    white = Image.new("RGB", sheet.size, "white")
    return sheet.convert("RGB").crop(ImageChops.difference(sheet.convert("RGB"), white).getbbox())


@pytest.mark.parametrize("number", [1, 40])
def test_class_balance_is_readable_and_counts_every_image(number, names_of, is_readable, words_of):
    table = _image_table(names_of(number))
    figure = data.class_balance(table, names_of(number))
    assert is_readable(figure)
    words = words_of(figure)
    assert f"{len(table):,} images" in words
    assert all(f"{count:,}" in words for count in table["label"].value_counts())


@pytest.mark.parametrize("number", [1, 40])
def test_split_balance_is_readable_and_counts_every_part(number, names_of, is_readable, words_of):
    splits = _image_table(names_of(number))[["label"]]
    splits["split"] = np.random.default_rng(0).choice(["train", "validation", "test"], len(splits), p=[0.7, 0.2, 0.1])
    figure = data.split_balance(splits, names_of(number))
    assert is_readable(figure)
    counts = splits["split"].value_counts()
    assert all(f"{name} {counts[name]:,} (" in words_of(figure) for name in data.SPLITS)


def test_split_balance_shows_the_parts_in_the_order_of_their_use(words_of):
    splits = pd.DataFrame({"label": list("aaab"), "split": ["test", "train", "train", "train"]})
    assert "train · test" in words_of(data.split_balance(splits, {}))
    assert "2 · 1" in words_of(data.split_balance(splits, {}))


def test_a_stage_larger_than_most_originals_is_warned_about(is_readable, words_of):
    table = pd.DataFrame({"width": [300, 310, 5000], "height": [400, 200, 5000]})
    figure = data.resolutions(table, {"small_300px": 300, "large_448px": 448})
    assert is_readable(figure)
    warning = next(line for line in words_of(figure).splitlines() if line.startswith("\N{WARNING SIGN}"))
    assert "large_448px (448 px)" in warning
    assert "median shorter side 300 px" in warning
    assert "small_300px" not in warning


def test_a_stage_of_upright_pictures_is_drawn_with_its_height_first(is_readable, words_of):
    table = pd.DataFrame({"width": [150, 160], "height": [300, 310]})
    figure = data.resolutions(table, {"small": 96, "large": [256, 192]})
    assert is_readable(figure)
    assert "256 x 192 px: large" in words_of(figure)
    assert "large (256 x 192 px) looks at larger images" in words_of(figure)


def test_no_warning_where_the_originals_are_large_enough(words_of):
    table = pd.DataFrame({"width": [500], "height": [500]})
    assert "\N{WARNING SIGN}" not in words_of(data.resolutions(table, {"large_448px": 448}))


@pytest.mark.parametrize(("images", "stages"), [(0, 0), (0, 9), (1, 9), (1000, 0), (1000, 9)])
def test_resolutions_are_readable_for_any_number_of_images_and_stages(images, stages, guitars, is_readable):
    table = _image_table(guitars)[:images]
    assert is_readable(data.resolutions(table, {f"a_stage_with_a_long_name_{n}": 64 + 32 * n for n in range(stages)}))


def test_originals_of_one_size_are_drawn(is_readable):
    assert is_readable(data.resolutions(pd.DataFrame({"width": [160] * 9, "height": [160] * 9}), {"small": 64}))


def test_a_contact_sheet_shows_every_picture_with_its_caption(is_readable, words_of):
    captions = [f"file_{n}.jpg\nGretsch White Falcon Player's Edition Hollow Body 97.3 %" for n in range(7)]
    figure = sheets.contact_sheet([_picture()] * 7, captions, 3, "Predictions")
    assert is_readable(figure)
    assert count_pictures(figure, BLUE) == 7
    assert all(f"file_{n}.jpg" in words_of(figure) for n in range(7))


@pytest.mark.parametrize(
    ("mode", "size"),
    [*((mode, (3, 900)) for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16", "F")), ("1", (1, 1)), ("F", (900, 3))],
)
def test_pictures_of_any_mode_and_shape_have_a_place(mode, size, is_readable):
    picture = Image.new("L", size, 100).convert("I").convert(mode) if mode == "I;16" else _picture(size=size, mode=mode)
    assert is_readable(sheets.contact_sheet([picture], ["odd"], 4, "Odd"))


def test_colours_on_a_sheet_are_those_of_the_picture(saved):
    sheet = saved(sheets.contact_sheet([_picture("#336699", (500, 500))], [""], 1, "One"))
    assert (0x33, 0x66, 0x99, 255) in {colour for _, colour in sheet.convert("RGBA").getcolors(10_000)}


@pytest.mark.parametrize("dpi", [144, 100])
def test_pictures_stay_between_their_texts_where_a_sheet_is_cropped(dpi, saved):
    rows = [sheets.Row([_picture()] * 2, ["a", "b"], label) for label in ("above", "below")]
    figure = sheets.picture_sheet(rows, "As a notebook shows it")
    file = io.BytesIO()
    figure.savefig(file, dpi=dpi, bbox_inches="tight")
    expected = _cut(saved(figure))
    shown = _cut(Image.open(file)).resize(expected.size)
    assert np.abs(np.asarray(shown, int) - np.asarray(expected, int)).mean() < 6


def test_file_names_are_shown_as_they_are(is_readable, words_of):
    names = [
        "a$b_{c}$d.jpg",
        "100%.png",
        r"back\slash.jpg",
        "broken\udce9name.jpg",
        "\N{CJK UNIFIED IDEOGRAPH-5409}.png",
    ]
    figure = sheets.contact_sheet([_picture()] * len(names), names, 5, "Names with $ and $")
    assert is_readable(figure)
    assert all(name in words_of(figure) for name in names[:3])


def test_captions_and_pictures_must_match():
    with pytest.raises(ValueError, match="1 and 2"):
        sheets.contact_sheet([_picture()], ["a", "b"], 2, "")
    with pytest.raises(ValueError, match="columns"):
        sheets.contact_sheet([], [], 0, "")


def test_an_empty_sheet_says_that_it_is_empty(is_readable, words_of):
    for figure in (
        sheets.contact_sheet([], [], 3, "Nothing"),
        data.duplicates_sheet([]),
        data.class_contact_sheet({}, {}),
    ):
        assert is_readable(figure)
        assert "no pictures" in words_of(figure)


@pytest.mark.parametrize("number", [2, 30])
def test_a_class_sheet_has_a_row_per_class_and_at_most_eight_pictures(number, names_of, is_readable):
    pictures = {label: [_picture()] * (10 if place % 2 else 1) for place, label in enumerate(names_of(number))}
    figure = data.class_contact_sheet(pictures, names_of(number))
    assert is_readable(figure)
    assert count_pictures(figure, BLUE) == sum(8 if place % 2 else 1 for place in range(number))


@pytest.mark.parametrize(("number", "shown"), [(31, 31), (240, 240), (1000, 240)])
def test_a_sheet_of_more_classes_has_a_picture_of_each_and_says_how_many_are_left_out(
    number, shown, names_of, words_of
):
    names = names_of(number)
    labels, most = data.classes_on_sheet(list(names))
    assert (len(set(labels)), most) == (shown, 1)
    figure = data.class_contact_sheet({label: [_picture()] for label in labels}, names, list(names))
    assert count_pictures(figure, BLUE) == shown
    assert f"A picture of each of {shown}{' of the 1,000' if number == 1000 else ''} classes." in words_of(figure)


def test_of_many_classes_the_largest_and_the_smallest_are_drawn(words_of):
    counts = {f"class {place:03d}": place for place in range(1, 301)}
    table = pd.DataFrame({"label": [label for label, count in counts.items() for _ in range(count)]}).assign(
        split="train"
    )
    for figure in (data.class_balance(table, {}), data.split_balance(table, {})):
        words = words_of(figure)
        assert "the 30 largest and the 30 smallest classes" in words
        assert "in 300 classes" in words or "45,150 images" in words
        drawn = {line for line in words.splitlines() if line.startswith("class ")}
        assert drawn == {f"class {place:03d}" for place in [*range(1, 31), *range(271, 301)]}


def test_classes_whose_names_look_alike_are_told_apart(words_of):
    table = pd.DataFrame({"label": ["cat", "cat ", "dog"], "split": "train"})
    pictures = {label: [_picture()] for label in table["label"]}
    for figure in (
        data.class_balance(table, {}),
        data.split_balance(table, {}),
        data.class_contact_sheet(pictures, {}),
    ):
        assert {"cat (cat)", "cat (cat\N{OPEN BOX})", "dog"} <= set(words_of(figure).splitlines())


def test_a_class_without_pictures_keeps_its_row(is_readable, words_of):
    figure = data.class_contact_sheet({"cat": [_picture()], "dog": []}, {})
    assert is_readable(figure)
    assert "dog" in words_of(figure)


def test_duplicates_stand_in_a_row_per_group(is_readable, words_of):
    groups = [[(_picture(), "cat/a.jpg"), (_picture(), "dog/b.jpg")], [(_picture(), f"{n}.jpg") for n in range(11)]]
    figure = data.duplicates_sheet(groups)
    assert is_readable(figure)
    assert "13 images in 2 groups" in words_of(figure)
    assert "shown" in words_of(figure)


def test_a_choice_of_duplicates_says_how_many_there_are(is_readable, words_of):
    figure = data.duplicates_sheet([[(_picture(), "a"), (_picture(), "b")]], sizes=[12, 2, 2])
    assert is_readable(figure)
    assert "16 images in 3 groups" in words_of(figure)
    assert "Shown: 1 group." in words_of(figure)
    assert "12 images, 2 shown" in words_of(figure).replace("\n", " ")
    with pytest.raises(ValueError, match="2 groups, not 1"):
        data.duplicates_sheet([[], []], sizes=[2])


def test_more_groups_than_a_sheet_can_hold_are_counted(words_of):
    figure = data.duplicates_sheet([[(_picture(), "a"), (_picture(), "b")]] * 300)
    assert "The first 37 of 300 rows." in words_of(figure)
