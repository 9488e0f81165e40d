"""What every figure shares."""

import subprocess
import sys
import warnings

import pytest

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import style


def test_a_display_name_falls_back_to_the_label():
    assert formatting.display_name("gibson_ES", {"gibson_ES": "Gibson ES-335"}) == "Gibson ES-335"
    assert formatting.display_name("gibson_Flying_V", {}) == "gibson Flying V"
    assert formatting.display_name("a_cat", {"a_cat": None}) == "a cat"


@pytest.mark.parametrize(
    ("share", "written"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.9999, ">99.9 %"), (1e-5, "<0.1 %"), (0.0494, "4.9 %")],
)
def test_only_everything_is_a_hundred_percent(share, written):
    assert formatting.percent(share) == written


@pytest.mark.parametrize(("minutes", "written"), [(0, "0:00 min"), (4 + 34 / 60, "4:34 min"), (122.9, "2:02 h")])
def test_durations_are_written_as_on_a_clock(minutes, written):
    assert formatting.clock(minutes) == written


def test_long_names_keep_their_beginning_and_their_end():
    name = "Gretsch White Falcon Player's Edition Hollow Body 1958"
    short = style.shorten(name, 1.5)
    assert short.startswith("Gretsch")
    assert short.endswith("1958")
    assert style.text_width(short) <= 1.5


def test_words_are_wrapped_at_spaces_and_slashes_and_nothing_is_lost():
    lines = style.wrap("fender_jazzmaster/000123.jpg and more words", 1.3, most_lines=9)
    assert lines[:2] == ["fender_jazzmaster/", "000123.jpg and"]
    assert all(style.text_width(line) <= 1.3 for line in lines)
    assert style.wrap("", 1) == [""]


def test_type_contrasts_with_what_it_stands_on():
    assert style.readable_on((0.0, 0.2, 0.4)) == style.PAPER
    assert style.readable_on((1.0, 0.9, 0.8)) == style.INK


def test_names_that_no_font_can_draw_neither_fail_nor_warn(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved(style.new_figure(4, 1, "\N{GUITAR} \udcff \x07 $a^ $", ["line\nbreak"], ["\N{EGYPTIAN HIEROGLYPH A001}"]))


def test_characters_that_no_font_can_draw_are_escaped_and_the_log_says_so_once(caplog):
    names = ["\N{EGYPTIAN HIEROGLYPH A001}", "\N{EGYPTIAN HIEROGLYPH A002}"]
    assert [style.printable(name) for name in names * 2] == ["\\U00013000", "\\U00013001"] * 2
    assert sum("U00013001" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize(
    "names",
    [
        [f"Gretsch White Falcon {colour} Player's Edition Hollow Body 1958" for colour in ("red", "blue", "green")],
        [f"{'a' * 40}{middle}{'b' * 40}{end}{'c' * 40}" for middle in "12" for end in "34"],
    ],
)
def test_long_names_that_differ_in_the_middle_stay_different_when_they_are_shortened_together(names):
    short = style.shorten_together(names, 1.5)
    assert len(set(short)) == len(names)
    assert all(style.text_width(name) <= 1.5 for name in short)


def test_figures_need_neither_pyplot_nor_torch_nor_kedro():
    code = (
        "import sys\n"
        "from guitar_kedro import cards, metrics, plots\n"
        "[getattr(room, name) for room in (cards, metrics, plots) for name in room.__all__]\n"
        "loaded = {'matplotlib.pyplot', 'torch', 'fastai', 'kedro'} & set(sys.modules)\n"
        "sys.exit(f'imported: {loaded}' if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("number", "thing", "words"),
    [(1, "epoch", "1 epoch"), (8, "epoch", "8 epochs"), (1, "batch", "1 batch"), (48, "batch", "48 batches")],
)
def test_things_are_counted_as_people_count_them(number: int, thing: str, words: str):
    assert formatting.count(number, thing) == words
