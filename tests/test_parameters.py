"""What stands behind --params comes out as it was typed."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from guitar_kedro.command_options import PARAMS
from guitar_kedro.errors import UserError
from guitar_kedro.parameters import check_runtime_parameters, check_texts, parse_parameters


@pytest.mark.parametrize("typed", ["007", "2024_05", "1e5", "1.50", "true", "no", "null", "0x1F", "1:30", "[a]", "{a}"])
def test_a_name_is_what_was_typed(typed: str):
    assert parse_parameters(f"name={typed}") == {"name": typed}


@pytest.mark.parametrize("name", ["images", "ood_images", "weights", "architecture", "sha256", "stages.small.weights"])
def test_so_is_every_other_text(name: str):
    [*groups, last] = name.split(".")
    found: Any = parse_parameters(f"{name}=007")
    for group in groups:
        found = found[group]
    assert found == {last: "007"}


def test_null_leaves_a_text_out_that_may_be_left_out():
    given = parse_parameters("stages.larger.weights=null,images=null,name=null")
    assert given == {"stages": {"larger": {"weights": None}}, "images": None, "name": "null"}


def test_numbers_lists_and_truth_values_are_still_these():
    given = parse_parameters("epochs=5, resume=false,stages.small.unfrozen.learning_rate=[1.0e-5,2.0e-3]")
    assert given["epochs"] == 5
    assert given["resume"] is False
    assert given["stages"]["small"]["unfrozen"]["learning_rate"] == [1e-5, 2e-3]


def test_quotes_are_taken_off_as_before():
    assert parse_parameters("name='007',images=\"a b\"") == {"name": "007", "images": "a b"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="=${},'\""), min_size=1))
def test_every_path_with_commas_and_spaces_comes_out_as_it_is(path: str):
    path = f"my, {path.strip() or 'pets'}, photos"
    assert parse_parameters(f"images={path},name=pets") == {"images": path, "name": "pets"}


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("images", "--params=images: images has no value; write NAME=VALUE"),
        ("images=", "there is no value"),
        ("=5", "has no name"),
        ("images=${HOME}/pets", "nothing is put in for ${...} here"),
        ("images=???", "nothing is put in for ???"),
        ("epochs=[1", "--params=epochs=[1 cannot be read"),
        ("epochs='1", "--params=epochs='1 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(typed: str, wrong: str):
    with pytest.raises(UserError) as refused:
        parse_parameters(typed)
    assert wrong in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"name": 7}, "name is read as a number (7), but it is a text: put it in quotes, name='...'"),
        ({"name": True}, "name is read as true or false"),
        ({"name": None}, "put it in quotes"),
        ({"images": ["a"]}, "images is read as a list"),
        ({"name": {"a": 1}}, "name is read as a group of parameters"),
        ({"stages": {"small": {"weights": 7}}}, "stages.small.weights is read as a number"),
        ({"images": "${HOME}"}, "nothing is put in for ${...}"),
        ({"cluster": "10.0.0.1"}, "--params=cluster=10.0.0.1: write the address with its port"),
        ({"rdzv_endpoint": "tcp://host:29400"}, "write the address with its port"),
        ({"rdzv_endpoint": "host:99999"}, "write the address with its port"),
        ({"images": "http://me:s3cret@host/x.tgz"}, "An address must not hold a password"),
        ({"ood_images": "ftp://me:s3cret@host/x"}, "An address must not hold a password"),
        ({"display_names": {1: "One"}}, "display_names: the name 1 is read as a number; put it in quotes"),
    ],
)
def test_what_others_made_of_texts_is_refused(given: dict[str, Any], wrong: str):
    with pytest.raises(UserError) as refused:
        check_runtime_parameters(given)
    assert wrong in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_what_is_right_is_not_refused():
    check_runtime_parameters(
        {"name": "pets", "cluster": "tcp://[::1]:8786", "rdzv_endpoint": "host:29400", "images": None}
    )


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"display_names": {1: "One"}}, "display_names: the name 1 is read as a number; put it in quotes"),
        ({"display_names": {False: "Nein"}}, "the name false is read as true or false; put it in quotes"),
        ({"display_names": {"cat": 1}}, "display_names.cat is read as a number (1)"),
        ({"stages": {2: {}}}, "stages: the name 2 is read as a number"),
    ],
)
def test_names_and_texts_that_yaml_reads_as_something_else_are_refused(parameters: dict[str, Any], wrong: str):
    with pytest.raises(UserError) as refused:
        check_texts(parameters)
    assert wrong in str(refused.value)


def test_the_command_line_refuses_in_one_line():
    import click

    run = CliRunner().invoke(click.Command("run", params=[PARAMS], callback=lambda params: None), ["--params=images"])
    assert run.output.splitlines() == ["Error: --params=images: images has no value; write NAME=VALUE."]
