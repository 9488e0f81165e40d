"""The config loader reads a configuration wherever it lies, and refuses what cannot be meant."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.project import pipelines

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.parameters import RENAMED, RENAMED_ENTRIES
from guitar_kedro.session import note_session

CONF = Path(__file__).parents[1] / "conf"
Load = Callable[..., StagesConfigLoader]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the configuration, without what one person keeps to themselves."""
    folder = shutil.copytree(CONF, tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "local").mkdir()
    (folder / "local/.gitkeep").touch()
    return folder


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Loads a configuration, and leaves no trace of it."""
    monkeypatch.setattr(StagesConfigLoader, "current", None)
    yield lambda source, env=None, **given: StagesConfigLoader(
        source, env, given, base_env="base", default_run_env="local"
    )
    pipelines.configure(None)
    note_session({})


def refusal(load: Load, source: Path, env: str | None = None, **given: Any) -> str:
    with pytest.raises(Exception) as refused:
        load(source, env, **given)
    sentence = str(user_error_behind(refused.value))
    assert "\n" not in sentence
    return sentence


def packed(conf: Path, suffix: str) -> Path:
    """The configuration as ``kedro package`` packs it, or as a zip."""
    archive = conf.with_name(f"conf-guitar_kedro{suffix}")
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in [conf, *sorted(conf.rglob("*"))]:
                file.write(path, path.relative_to(conf.parent))
    else:
        with tarfile.open(archive, "w:gz") as file:
            file.add(conf, "conf")
    return archive


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_a_packed_configuration_knows_its_parameters_and_environments(load: Load, conf: Path, suffix: str):
    archive = packed(conf, suffix)
    assert load(archive, names_encoding="cp932")["parameters"]["seed"] == 42
    assert load(archive, "photos", images="pets", name="pets")["globals"]["workspace"] == "pets"
    assert "Did you mean images?" in refusal(load, archive, "photos", imgaes="x")
    assert "choose one of base, guitars, local, modern, photos" in refusal(load, archive, "fotos")


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_local_may_be_missing_in_it(load: Load, conf: Path, suffix: str):
    shutil.rmtree(conf / "local")
    assert load(packed(conf, suffix))["parameters"]["seed"] == 42


def test_an_archive_that_is_none_is_refused(load: Load, tmp_path: Path):
    for name in ("conf.tar.gz", "conf.tar", "conf.zip"):
        (tmp_path / name).write_bytes(b"no archive")
        assert f"{name} cannot be read" in refusal(load, tmp_path / name)


def test_an_archive_that_kedro_does_not_unpack_is_refused_with_what_it_does_unpack(load: Load, conf: Path):
    assert "give a folder, a .tar.gz or a .zip" in refusal(load, packed(conf, ".tgz"))


def test_a_folder_that_holds_no_configuration_is_refused(load: Load, conf: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert "holds no folder base" in refusal(load, tmp_path / "empty")
    assert "holds no folder base" in refusal(load, conf / "base")


def test_local_may_be_missing(load: Load, conf: Path):
    shutil.rmtree(conf / "local")
    loader = load(conf, names_encoding="cp932")
    assert loader["parameters"]["stages"]
    assert loader["catalog"]["images_to_predict"]["names_encoding"] == "cp932"


def test_parameters_of_yaml_and_json_files_are_known_as_well(load: Load, conf: Path):
    (conf / "local/catalog_mine.yaml").write_text("mine: {type: MemoryDataset, data: '${runtime_params:mine, 1}'}\n")
    (conf / "local/parameters_yours.json").write_text('{"yours": 1}')
    load(conf, mine=2, yours=3)


@pytest.mark.parametrize(
    ("env", "name", "whose"),
    [
        ("photos", "Guitars", "the workspace of --env=guitars"),
        ("photos", "modern", "the workspace of --env=modern"),
        ("modern", "photos", "the workspace of --env=photos"),
        ("photos", "pretrained", "the folder of downloaded weights"),
    ],
)
def test_the_workspace_of_an_environment_is_refused_as_a_name(load: Load, env: str, name: str, whose: str):
    assert refusal(load, CONF, env, name=name) == f"--params=name={name}: that is {whose}; choose another name."


def test_the_workspace_of_commands_without_an_environment_is_refused_as_a_name(load: Load):
    name = load(CONF)["globals"]["workspace"]
    assert f"{name}: that is the workspace of commands without --env;" in refusal(load, CONF, "photos", name=name)


@pytest.mark.parametrize("env", ["photos", "modern"])
def test_the_own_workspace_of_the_environment_may_be_named(load: Load, env: str):
    assert load(CONF, env, name=env)["globals"]["workspace"] == env


def test_photos_are_given_to_modern_in_the_same_way_as_to_photos(load: Load):
    given = {"images": "pets", "name": "pets", "sha256": "a" * 64, "names_encoding": "cp932", "ood_images": "others"}
    photos, modern = (load(CONF, env, **given) for env in ("photos", "modern"))
    assert modern["catalog"] == photos["catalog"]


def test_names_that_look_like_numbers_are_workspaces_of_their_own(load: Load):
    found = {load(CONF, "photos", name=name)["globals"]["workspace"] for name in ("007", "7", "2024_05", "202405")}
    assert found == {"007", "7", "2024_05", "202405"}
    assert "name is read as a number (7)" in refusal(load, CONF, "photos", name=7)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("display_names: {1: One}", "display_names: the name 1 is read as a number; put it in quotes"),
        ("display_names: {no: Nein}", "display_names: the name false is read as true or false; put it in quotes"),
        ("display_names: {cat: 1}", "display_names.cat is read as a number (1)"),
        ("a: [1", "parameters_mine.yml"),
        ("a: 1\na: 2", "parameters_mine.yml, line 2: this is no YAML that can be read"),
    ],
)
def test_a_configuration_that_yaml_reads_otherwise_is_refused(load: Load, conf: Path, text: str, wrong: str):
    (conf / "local/parameters_mine.yml").write_text(text)
    assert wrong in refusal(load, conf)


@pytest.mark.parametrize("text", ["metrics: bar", "metrics: {filepath: a.json}"])
def test_a_catalog_entry_without_a_type_is_refused_by_its_name(load: Load, conf: Path, text: str):
    (conf / "local/catalog_mine.yml").write_text(text)
    with pytest.raises(UserError, match=r"catalog: metrics is .*; an entry holds the type of a dataset"):
        load(conf)["catalog"]


@pytest.mark.parametrize("value", ["${nosuch}", "${oc.env:HOME}"])
def test_what_a_file_refers_to_and_is_not_there_is_told(load: Load, conf: Path, value: str):
    (conf / "local/parameters_mine.yml").write_text(f"calibration: {{tta_views: '{value}'}}")
    assert "parameters: what calibration.tta_views refers to with ${...} cannot be found" in refusal(load, conf)


@pytest.mark.parametrize("workspace", ["../x", "a/b", "''"])
def test_a_workspace_in_a_file_that_leads_elsewhere_is_refused(load: Load, conf: Path, workspace: str):
    (conf / "local/globals.yml").write_text(f"workspace: {workspace}")
    assert "globals: workspace is " in refusal(load, conf)


def test_parameters_that_are_set_on_the_loader_take_the_place_of_those_in_files(load: Load, conf: Path):
    loader = load(conf)
    loader["parameters"] = {**load(conf)["parameters"], "seed": 7}
    assert loader["parameters"]["seed"] == 7


def test_a_configuration_in_another_encoding_is_refused_by_its_name(load: Load, conf: Path):
    (conf / "local/parameters_mine.yml").write_bytes("display_names: {cat: K\xe4tzchen}".encode("cp1252"))
    assert "parameters_mine.yml is not UTF-8: save it as UTF-8" in refusal(load, conf)


def test_display_names_in_quotes_are_those_of_the_folders(load: Load, conf: Path):
    (conf / "local/parameters_mine.yml").write_text("display_names: {'1': One, 'no': Nein}")
    assert load(conf)["parameters"]["display_names"] == {"1": "One", "no": "Nein"}


def test_messages_name_the_session_and_where_its_configuration_lies(load: Load, conf: Path):
    load(CONF, "photos", name="pets")
    assert str(UserError("`kedro run`")) == "`kedro run --env=photos --params=name=pets`"
    load(CONF)
    assert str(UserError("`kedro run`")) == "`kedro run`"
    load(conf)
    assert str(UserError("`kedro run`")) == f"`kedro run --conf-source={conf}`"


def test_from_a_folder_of_the_project_all_paths_are_those_of_its_root(
    load: Load, project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(project / "src")
    catalog = load(project / "conf")["catalog"]
    assert catalog["bundle"]["model"] == f"{project}/data/06_models/demo/model"
    labels = catalog["predictions_before_change"]["image_labels"]
    assert labels == f"{project}/data/05_model_input/demo/image_labels.csv"
    assert str(UserError("`kedro run`")) == "`kedro run`"


def test_the_registry_is_read_from_a_folder_of_the_project(load: Load, project: Path, monkeypatch: pytest.MonkeyPatch):
    from guitar_kedro.pipeline_registry import register_pipelines

    monkeypatch.chdir(project / "src")
    assert "train.small.train_frozen" in {node.name for node in register_pipelines()["training"].nodes}


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_parameter_that_has_another_name_now_is_refused_with_it(load: Load, old: str, new: str):
    value: Any = 1
    for part in reversed(old.split(".")):
        value = {part: value}
    with pytest.raises(UserError, match=f"--params={old} is called {new} now"):
        load(CONF, **value)


def test_a_catalog_entry_that_has_another_name_now_is_refused_with_it(load: Load, conf: Path):
    loader = load(conf)
    for old, new in RENAMED_ENTRIES.items():
        (conf / "local/catalog.yml").write_text(f"{old}: {{type: MemoryDataset}}")
        with pytest.raises(UserError, match=f"catalog: {old} is called {new} now"):
            loader["catalog"]


def test_a_folder_without_a_configuration_is_told_with_what_to_do(tmp_path: Path, load: Load):
    sentence = refusal(load, tmp_path / "conf")
    assert f"There is no configuration in {tmp_path / 'conf'}: run this in the folder of a project, or" in sentence
