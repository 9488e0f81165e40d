"""What a reader may rely on where classes are called by name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guitar_kedro.display_names import distinct_names, written_out

LABELS = st.sets(st.text(min_size=1, max_size=8) | st.text("aA _\u200b\u202e(")).map(lambda labels: labels - {""})


def test_names_that_differ_stay_as_they_are():
    names = distinct_names(["gibson_ES", "dog"], {"gibson_ES": "Gibson ES-335", "cat": "Cat"})
    assert names == {"dog": "dog", "gibson_ES": "Gibson ES-335"}


@pytest.mark.parametrize(
    ("labels", "given_names", "shown"),
    [
        (["a_b", "a b"], {}, ["a b (a b)", "a b (a_b)"]),
        (["cat", "cat "], {}, ["cat (cat)", "cat (cat\N{OPEN BOX})"]),
        (["a  b", "a b"], {}, ["a b (a \N{OPEN BOX}b)", "a b (a b)"]),
        (["felis", "katze"], {"felis": "Cat", "katze": "Cat"}, ["Cat (felis)", "Cat (katze)"]),
        (["Cat", "cat"], {}, ["Cat (Cat)", "cat (cat)"]),
        (["cat", "c\N{ZERO WIDTH SPACE}at"], {}, ["cat (c\\u200bat)", "cat (cat)"]),
        (["cat", "cat\N{ZERO WIDTH JOINER}"], {}, ["cat (cat)", "cat\N{ZERO WIDTH JOINER} (cat\\u200d)"]),
        (["cat", "\N{RIGHT-TO-LEFT OVERRIDE}cat"], {}, ["cat (cat)", "cat (\\u202ecat)"]),
        (["\N{NO-BREAK SPACE}", "Icon\r"], {}, ["Icon", "\\xa0"]),
        (["a_cat", "a_dog"], {"a_cat": None, "a_dog": ""}, ["a cat", "a dog"]),
        (["caf\udce9", "cat"], {}, ["caf\N{REPLACEMENT CHARACTER}", "cat"]),
    ],
)
def test_names_that_look_alike_are_told_apart_by_their_folders(labels, given_names, shown):
    assert set(distinct_names(labels, given_names).values()) == set(shown)


def test_a_name_that_is_like_one_with_its_folder_gets_a_number():
    names = distinct_names(["a_b", "a b", "x"], {"x": "a b (a_b)"})
    assert names == {"a b": "a b (a b)", "a_b": "a b (a_b)", "x": "a b (a_b) 2"}


def test_scripts_and_emoji_that_need_joiners_keep_them():
    family, persian = "\N{MAN}\N{ZERO WIDTH JOINER}\N{GIRL}", "\u0645\u06cc\N{ZERO WIDTH NON-JOINER}\u0634"
    assert distinct_names([family, persian], {}) == {family: family, persian: persian}


@settings(max_examples=40)
@given(LABELS, st.dictionaries(st.sampled_from(["a", "A", "a_", " "]), st.text(max_size=3)))
def test_no_two_classes_have_one_name_and_each_can_be_written_and_read(labels, given_names):
    names = distinct_names(labels, given_names)
    assert set(names) == labels
    shown = [unicodedata.normalize("NFKC", " ".join(name.split())) for name in names.values()]
    assert len(set(shown)) == len(labels)
    assert all(name.strip() and len(name.splitlines()) == 1 and name.encode("utf-8") for name in names.values())
    assert names == distinct_names(sorted(labels, reverse=True), given_names)


@given(st.text(), st.text())
def test_two_folders_are_never_written_out_alike(one, other):
    escapes = ("\\", "\N{OPEN BOX}")  # a folder that is called like an escape is nobody's accident
    if one != other and not any(escape in one + other for escape in escapes):
        assert written_out(one) != written_out(other)
