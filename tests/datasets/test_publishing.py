"""What a user may rely on who publishes a model: what is sent, to where, and what is said where that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import READS_ONLY, TOKEN, Hub
from huggingface_hub import constants
from kedro.io import DatasetError

from guitar_kedro.datasets import PublicationDataset
from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import user_error_behind

CARD = b"---\nlicense: mit\n---\n\n# A model\n"
FILES = {"README.md": CARD, "model.onnx": b"onnx" * 100, "spec.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine, at which nobody is logged in."""
    hub = Hub()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # large files go to the hub itself
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # as where the project is imported first
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield hub
    hub.shutdown()


def refused(files: dict[str, bytes]) -> str:
    """Sends files that are not taken, and returns what is said."""
    with pytest.raises(DatasetError) as error:
        PublicationDataset("hf://ada/guitars").save(files)
    return str(user_error_behind(error.value))


def test_a_model_is_sent_whole_to_a_repository_that_is_made_and_leaves_what_others_put_there(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    publication = PublicationDataset("hf://ada/guitars")
    publication.save({**FILES, "model_int8.onnx": b"int8"})
    assert hub.files["ada/guitars"] == {**FILES, "model_int8.onnx": b"int8"}
    hub.files["ada/guitars"]["photo.jpg"] = b"of hers"
    publication.save(FILES)
    assert hub.files["ada/guitars"] == {**FILES, "photo.jpg": b"of hers"}
    assert hub.commits == 2


def test_a_dry_run_shows_what_would_be_sent_and_asks_nobody(hub: Hub, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO", "guitar_kedro"):
        PublicationDataset("hf://ada/guitars", dry_run=True).save(FILES)
    assert "would send model.onnx (400 bytes)" in caplog.messages
    assert "license: mit" in caplog.text
    assert caplog.messages[-1] == "Nothing was sent to hf://ada/guitars"
    assert hub.asked == []


def test_who_is_not_logged_in_is_told_before_anything_is_exported(hub: Hub):
    with pytest.raises(UserError, match="nobody is logged in at the hub; log in with `hf auth login`, or set HF_TOKEN"):
        PublicationDataset("hf://ada/guitars").check()
    assert hub.asked == []


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("hf_of_nobody", "it does not know the token: log in with `hf auth login`"),
        (READS_ONLY, r"the token may not do this: log in"),
    ],
)
def test_a_token_that_is_refused_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str, reason: str):
    monkeypatch.setenv("HF_TOKEN", token)
    said = f"hf://ada/guitars: the model could not be published at {hub.url} ({reason}"
    assert refused(FILES).startswith(said)
    assert hub.files == {}


def test_a_header_that_the_hub_does_not_take_is_told_and_nothing_sent(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    said = refused({**FILES, "README.md": CARD.replace(b"mit", b"My own!")})
    assert '(it answered 400: "license" must be one of)' in said
    assert hub.files == {"ada/guitars": {}}


def test_a_hub_that_does_not_answer_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "could not be published at http://127.0.0.1:9 ([Errno 111] Connection refused)" in refused(FILES)


def test_a_folder_gets_all_files_or_none(tmp_path: Path):
    publication = PublicationDataset((tmp_path / "shelf" / "guitars").as_uri())
    (tmp_path / "shelf" / ".guitars").mkdir(parents=True)  # of somebody else
    with pytest.raises(DatasetError) as error:
        publication.save({**FILES, "no such/folder": b""})
    assert "it cannot be written there (No such file or directory); name another folder" in str(error.value)
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == [".guitars"]
    publication.save(FILES)
    assert (tmp_path / "shelf" / ".guitars").is_dir()
    assert {path.name: path.read_bytes() for path in (tmp_path / "shelf/guitars").iterdir()} == FILES
    with pytest.raises(UserError, match="there is something already; remove it, or name another folder"):
        publication.check()


def test_a_place_that_no_folder_can_have_is_refused_before_anything_is_exported(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place, wrong in (("file/guitars", "file is no folder; name another place"), ("link", "is something already")):
        with pytest.raises(UserError, match=wrong):
            PublicationDataset((tmp_path / place).as_uri()).check()


@pytest.mark.parametrize(
    ("to", "wrong"),
    [
        (None, "Where is the model to be published"),
        ("hf://guitars", "a model of the hub is called hf://USER/NAME"),
        ("hf://ada/../guitars", "a model of the hub is called hf://USER/NAME"),
        ("hf://ada:secret@x/guitars", "a model of the hub is called hf://USER/NAME"),
        ("file://elsewhere/guitars", "to hf://USER/NAME, or to a folder, file:///PLACE"),
        ("file:///", "to hf://USER/NAME, or to a folder, file:///PLACE"),
        ("guitars", "to hf://USER/NAME, or to a folder, file:///PLACE"),
        ("https://example.org/guitars", "to hf://USER/NAME, or to a folder, file:///PLACE"),
    ],
)
def test_what_is_no_place_for_a_model_is_refused(to: str | None, wrong: str):
    with pytest.raises(UserError, match=wrong):
        PublicationDataset(to).check()
