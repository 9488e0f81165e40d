"""A mistake in a file of the configuration is told with the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.yaml_files import check_yaml

CONF = Path(__file__).parents[1] / "conf"


@pytest.fixture(autouse=True)
def no_loader_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(StagesConfigLoader, "current", None)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"a: 1\nb: [1, 2\nc: 3\n", "x.yml, line 3: this is no YAML that can be read"),
        (b"a: 1\n\tb: 2\n", "x.yml, line 2: this is no YAML"),
        (b"a: 1\na: 2\n", "x.yml, line 2: this is no YAML that can be read (while constructing a mapping, found dup"),
        (b"a: *nowhere\n", "x.yml, line 1: this is no YAML"),
        (
            "# é\na: 1\nb: ü\n".encode("cp1252"),
            "x.yml, line 1: 0xe9, byte 3 of the file, is no UTF-8: save it as UTF-8",
        ),
        ("a: 1\n".encode("utf-16"), "x.yml, line 1: 0xff, byte 1 of the file, is no UTF-8: save it as UTF-8"),
        (b"a: \x01\n", "x.yml is no YAML that can be read"),
        (b"- a\n- b\n", "x.yml must hold names with values"),
        (b"7", "x.yml must hold names with values"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(content: bytes, wrong: str):
    with pytest.raises(UserError) as caught:
        check_yaml("x.yml", content)
    assert str(caught.value).startswith(wrong)


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xef\xbb\xbfa: 1\n", b"a: 1\r\nb: \xc3\xa9\r\n"])
def test_what_is_right_is_taken(content: bytes):
    check_yaml("x.yml", content)


@pytest.mark.parametrize(
    "content", [b"seed: 'open\n", "# é\nseed: 1\n".encode("cp1252"), b"- seed\n", b"seed: 1\nseed: 2"]
)
@pytest.mark.parametrize("env", ["base", "local"])
def test_the_loader_names_the_file_that_it_cannot_read(tmp_path: Path, env: str, content: bytes):
    for folder in ("base", "local"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "parameters.yml").write_bytes(b"resume: true\n")
    (tmp_path / env / "parameters_own.yml").write_bytes(content)
    with pytest.raises(UserError, match=rf"{tmp_path / env}/parameters_own\.yml"):
        StagesConfigLoader(str(tmp_path), base_env="base", default_run_env="local", config_patterns={})


def test_a_name_too_long_for_a_folder_is_refused():
    options = {"base_env": "base", "default_run_env": "local", "env": "photos"}
    StagesConfigLoader(str(CONF), runtime_params={"name": "x" * 100}, **options)["globals"]
    with pytest.raises(Exception, match="it has 300 letters, and a workspace may have 100") as caught:
        StagesConfigLoader(str(CONF), runtime_params={"name": "x" * 300}, **options)["globals"]
    assert str(user_error_behind(caught.value)).startswith("--params=name=xxx")
