"""Messages name commands that can be typed as they stand, and no more things than one can read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kedro.io import DataCatalog
from kedro.io.core import DatasetError

from guitar_kedro.errors import UserError, listed
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.session import note_session


@pytest.fixture(autouse=True)
def _session_of_others() -> Iterator[None]:
    yield
    note_session({})


@pytest.mark.parametrize(
    ("session", "said", "shown"),
    [
        ((None, None), "run `kedro run` first", "run `kedro run` first"),
        (("photos", None), "run `kedro run` first", "run `kedro run --env=photos` first"),
        (("photos", "pets"), "run `kedro run` first", "run `kedro run --env=photos --params=name=pets` first"),
        (
            ("photos", "pets"),
            "`kedro run --pipeline=export --params=export.int8=true`",
            "`kedro run --env=photos --pipeline=export --params=name=pets,export.int8=true`",
        ),
        ((None, None, "/x/conf.zip"), "`kedro serve`", "`kedro serve --conf-source=/x/conf.zip`"),
        (("photos", None), "`kedro run --env=guitars`", "`kedro run --env=guitars`"),
        (("photos", "pets"), "the command `kedro viz`", "the command `kedro viz`"),
    ],
)
def test_a_command_is_shown_with_the_environment_and_the_name(session: tuple, said: str, shown: str):
    error = UserError(said)
    env, name, *conf_source = session
    note_session({"name": name}, env=env, conf_source=next(iter(conf_source), None))
    assert str(error) == shown
    assert str(user_error_behind(error)) == shown


def test_of_many_things_a_sentence_names_some_and_counts_the_rest():
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(place) for place in range(5000)]) == "0, 1, 2, 3, 4 and 4,995 more"
    assert listed([]) == ""


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'torch'"), DatasetError("... No module named 'torch'.")]
)
def test_what_lacks_on_a_server_is_told_with_what_brings_it(error: Exception):
    told = "torch is not installed: `pip install 'guitar-kedro[train]'` brings it."
    assert str(user_error_behind(error)) == told
    assert user_error_behind(ModuleNotFoundError("No module named 'their_own'")) is None


def test_a_catalog_entry_of_an_unknown_type_is_told_by_its_name():
    with pytest.raises(DatasetError) as failed:
        DataCatalog.from_config({"raw_images": {"type": "nosuch.Dataset"}})["raw_images"]
    assert str(user_error_behind(failed.value)).startswith("catalog: raw_images cannot be made (")
    assert "mend its entry" in str(user_error_behind(failed.value))
