"""What a user may rely on about artifacts on disk, whatever happens while they are written and after."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from full_disk import room_for
from kedro.io import AbstractDataset, DatasetError, Version
from matplotlib.figure import Figure
from rows import row
from safetensors.torch import save_file
from small_project import IMPORTED
from torture import KILLS, SEED, save_forever, weights, words

from guitar_kedro.datasets import (
    BundleDataset,
    CheckpointDataset,
    DocumentDataset,
    FigureDataset,
    LearnerDataset,
    LogDataset,
    MetricsDataset,
    OptionalTableDataset,
    PreparedImagesDataset,
    TableDataset,
)
from guitar_kedro.errors import UserError
from guitar_kedro.images import FileRecord
from guitar_kedro.learning import Checkpoint, ModelSpec
from guitar_kedro.learning.training.state import TrainingState
from guitar_kedro.mistakes import user_error_behind

SPEC = ModelSpec(
    architecture="resnet18",
    classes=("a", "b"),
    display_names={"a": "A", "b": "B"},
    image_size=32,
    resize_method="squish",
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
)
ARTIFACTS: list[tuple[Callable[..., AbstractDataset], object, str]] = [
    (
        partial(TableDataset, schema=row(label=str, loss=float)),
        pd.DataFrame({"label": ["a", "b"], "loss": [0.1, 0.2]}),
        "",
    ),
    (MetricsDataset, {"accuracy": 1.0}, ""),
    (DocumentDataset, "# A model", ""),
    (FigureDataset, Figure(), ""),
    (CheckpointDataset, Checkpoint({"weight": torch.ones(300)}, SPEC), "weights.safetensors"),
    (CheckpointDataset, Checkpoint({"weight": torch.ones(300)}, SPEC), "spec.json"),
]


def sentence(error: BaseException) -> str:
    found = user_error_behind(error)
    assert found is not None, error
    return str(found)


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [cut_off, flip_a_bit])
@pytest.mark.parametrize(("dataset", "data", "part"), ARTIFACTS)
def test_a_damaged_file_is_named_with_the_version_before_it(
    tmp_path: Path, dataset: type, data: object, part: str, damage: Callable[[bytes], bytes]
):
    place = tmp_path / "artifact"
    for version in ("1", "2", "3"):
        dataset(filepath=str(place), version=Version(None, version)).save(data)
    damaged = place / "3" / "artifact" / part
    damaged.write_bytes(damage(damaged.read_bytes()))
    with pytest.raises(DatasetError) as caught:
        dataset(filepath=str(place), version=Version(None, None)).load()
    told = sentence(caught.value)
    assert f"{damaged} is not as it was saved" in told
    assert "The version before it is 2: go back with --load-versions=<dataset>:2" in told
    dataset(filepath=str(place), version=Version("2", None)).load()


def test_a_damaged_file_without_a_version_before_it_is_named_with_a_way_out(tmp_path: Path):
    dataset = MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=Version(None, "1"))
    dataset.save({"accuracy": 1.0})
    (tmp_path / "metrics.json" / "1" / "metrics.json").write_text("{}")
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert f"remove {tmp_path / 'metrics.json' / '1'} to have it made again" in sentence(caught.value)


@pytest.mark.parametrize("change", [lambda model: (model / "spec.json").unlink(), lambda model: (model / "x").touch()])
def test_a_checkpoint_that_lacks_a_file_or_has_one_more_is_refused(tmp_path: Path, change: Callable[[Path], None]):
    CheckpointDataset(str(tmp_path / "model"), Version(None, "1")).save(Checkpoint({"weight": torch.ones(3)}, SPEC))
    change(tmp_path / "model" / "1" / "model")
    for dataset in (CheckpointDataset, LearnerDataset):
        with pytest.raises(DatasetError) as caught:
            dataset(str(tmp_path / "model"), Version(None, None)).load()
        assert "is not as it was saved" in sentence(caught.value)


def test_the_checksums_are_those_that_sha256sum_reads(tmp_path: Path):
    MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=Version(None, "1")).save({"accuracy": 1.0})
    digest = hashlib.sha256((tmp_path / "metrics.json/1/metrics.json").read_bytes()).hexdigest()
    assert (tmp_path / "metrics.json/1/SHA256SUMS").read_text() == f"{digest}  metrics.json\n"


def test_a_version_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path):
    for version in ("1", "2"):
        MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=Version(None, version)).save({})
    with pytest.raises(DatasetError) as caught:
        MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=Version("7", None)).load()
    assert "has no version 7; it has 2, 1." in sentence(caught.value)


# make torture kills many times more, at other moments
@pytest.mark.torture
@pytest.mark.parametrize(("dataset", "make"), [(DocumentDataset, words), (CheckpointDataset, weights)])
def test_a_process_killed_while_it_saves_leaves_the_latest_version_readable(
    tmp_path: Path, dataset: type, make: Callable[[], object]
):
    place = tmp_path / "artifact"
    moments = random.Random(SEED)
    for number in range(KILLS):
        saving = IMPORTED.Process(target=save_forever, args=(dataset, make, place, number * 1000))
        saving.start()
        while not list(place.glob(f"{number:03d}*/artifact")):
            assert saving.is_alive()
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        saving.kill()
        saving.join()
        dataset(filepath=str(place), version=Version(None, None)).load()
    killed = dataset(filepath=str(place), version=Version(None, None)).load()
    dataset(filepath=str(place), version=Version(None, "999999")).save(killed)
    for version in place.iterdir():
        assert {path.name for path in version.iterdir()} == {"SHA256SUMS", "artifact"}


def unfinished(place: Path, version: str, pid: int) -> Path:
    """What a process leaves behind that is killed while it saves metrics.json."""
    left = place / version / f".metrics.{socket.gethostname()}-{pid}.json"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    (left.parent / "SHA256SUMS").write_text("")
    return left


def test_what_dead_processes_left_is_swept_and_what_living_ones_write_is_not(tmp_path: Path):
    place = tmp_path / "metrics.json"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        left = unfinished(place, "1", dead.pid)
        written = unfinished(place, "2", living.pid)
        MetricsDataset(filepath=str(place), version=Version(None, "3")).save({})
        assert not left.parent.exists()
        assert written.exists()
        living.kill()


def test_a_log_is_swept_without_losing_a_row(tmp_path: Path):
    log = LogDataset(filepath=str(tmp_path / "log.csv"), schema=row(errors=int, time=str))
    log.save(pd.DataFrame({"errors": [3]}))
    (tmp_path / f".log.{socket.gethostname()}-{os.getpid()}.csv").write_text("err")
    log.save(pd.DataFrame({"errors": [2]}))
    assert log.load()["errors"].tolist() == [3, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("most_bytes", [0, 10, 50])
@pytest.mark.parametrize(("dataset", "data"), [(dataset, data) for dataset, data, _ in ARTIFACTS[:5]])
def test_without_room_for_it_nothing_is_taken_for_good(tmp_path: Path, dataset: type, data: object, most_bytes: int):
    place = tmp_path / "artifact"
    dataset(filepath=str(place), version=Version(None, "1")).save(data)
    full = dataset(filepath=str(place), version=Version(None, "2"))
    with room_for(most_bytes), pytest.raises(Exception) as caught:
        full.save("# " + "word " * 50 if dataset is DocumentDataset else data)
    told = sentence(caught.value)
    assert "there is no room for it" in told
    assert str(place) in told
    assert [path.name for path in place.iterdir()] == ["1"]
    full.save(data)


def test_a_state_of_training_for_which_there_is_no_room_is_named(tmp_path: Path):
    state = TrainingState(tmp_path / "state.safetensors")
    for most_bytes in (0, 100):
        with room_for(most_bytes), pytest.raises(Exception) as caught:
            state.write({"weights": torch.zeros(1000)}, {"epoch": 1})
        assert f"{state.path} cannot be written, for there is no room for it" in sentence(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_ingestion_goes_on_after_a_disk_without_room_for_its_first_line(tmp_path: Path):
    record = FileRecord("cat/a.jpg", "cat", "cat/a.jpg", 8, 8, prepared="abc")
    dataset = PreparedImagesDataset(str(tmp_path))
    with room_for(0), pytest.raises(DatasetError) as caught:
        dataset.save(lambda _: (each for each in [(record, b"jpeg")]))
    assert f"{tmp_path} cannot be written" in sentence(caught.value)
    assert PreparedImagesDataset(str(tmp_path)).earlier() == {}
    dataset.save(lambda _: (each for each in [(record, b"jpeg")]))
    assert dataset.load().records["file"].tolist() == ["cat/a.jpg"]


@pytest.mark.parametrize(
    "dataset", [MetricsDataset(filepath="/sys/metrics.json"), PreparedImagesDataset(filepath="/sys/prepared")]
)
def test_a_folder_without_the_right_to_write_is_named(dataset: AbstractDataset):
    with pytest.raises(Exception) as caught:
        dataset.save({})
    told = sentence(caught.value)
    assert "may not be read or written" in told
    assert "/sys/" in told


def test_nothing_is_synced_that_is_open_for_reading_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Windows refuses it, and has no folders to open."""
    sync, synced = os.fsync, []

    def sync_as_windows_does(handle: int) -> None:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            assert fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            synced.append(handle)
        sync(handle)

    monkeypatch.setattr(os, "fsync", sync_as_windows_does)
    for number, (dataset, data, _) in enumerate(ARTIFACTS):
        dataset(filepath=str(tmp_path / str(number)), version=Version(None, "1")).save(data)
    TrainingState(tmp_path / "state.safetensors").write({"weights": torch.zeros(9)}, {"epoch": 1})
    record = FileRecord("cat/a.jpg", "cat", "cat/a.jpg", 8, 8, prepared="abc")
    PreparedImagesDataset(str(tmp_path / "prepared")).save(lambda _: (each for each in [(record, b"jpeg")]))
    assert len(synced) > len(ARTIFACTS)


NO_UTF8 = b"file,label\ncaf\xe9.jpg,cat\n"


@pytest.mark.parametrize("dataset", [TableDataset, LogDataset, OptionalTableDataset])
@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", NO_UTF8, b"file,label\na,b.jpg,cat\n", b'file\na.jpg\n"b.jpg', b"file\na,b,c\nd\n\ne,f,g,h"],
)
def test_a_table_that_somebody_spoilt_is_told_with_what_to_do(tmp_path: Path, dataset: type, content: bytes):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        dataset(filepath=str(tmp_path / "table.csv"), schema=row(file=str, label=str)).load()
    assert f"{tmp_path / 'table.csv'} cannot be read as a table (" in sentence(caught.value)
    assert "mend it, or remove it" in sentence(caught.value)


@pytest.mark.parametrize("name", ["index.csv", "index.journal.csv"])
@pytest.mark.parametrize("content", [b"file,label\na.jpg,cat\n", NO_UTF8, b"a,b\n1,2,3\n", b"file\na\n" * 9 + b"b,c\n"])
def test_an_index_of_prepared_images_that_somebody_spoilt_is_told_with_what_to_do(
    tmp_path: Path, name: str, content: bytes
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        PreparedImagesDataset(str(tmp_path)).save(lambda _: (each for each in ()))
    assert f"{tmp_path / name} is not as it was written: remove it, and the images are" in sentence(caught.value)


SPOILT = [b"", b"{", b"[]", b"7", b'{"classes": []}', b"caf\xe9"]


@pytest.mark.parametrize("content", SPOILT)
def test_a_spec_that_somebody_spoilt_is_told_by_its_name(tmp_path: Path, content: bytes):
    (tmp_path / "spec.json").write_bytes(content)
    with pytest.raises(UserError, match=r"spec\.json describes no model \(.+\): it was altered or cut off; put the"):
        ModelSpec.read(tmp_path / "spec.json")


@pytest.mark.parametrize("content", [*SPOILT[:4], SPOILT[-1]])
def test_a_bundle_whose_facts_somebody_spoilt_is_told_by_its_name(tmp_path: Path, content: bytes):
    folder = tmp_path / "bundle" / "1" / "bundle"
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_bytes(content)
    with pytest.raises(UserError, match=r"bundle\.json cannot be read: remove .*/bundle/1, and export the model again"):
        BundleDataset(str(tmp_path / "bundle"), str(tmp_path / "model"), Version(None, None)).version_made_of("1")


def test_a_state_of_training_without_facts_is_told_with_what_to_do(tmp_path: Path):
    save_file({"weight": torch.ones(1)}, tmp_path / "state.safetensors")
    with pytest.raises(UserError, match=r"state\.safetensors cannot be read: remove it, and the phase begins"):
        TrainingState(tmp_path / "state.safetensors").facts()


def test_text_is_saved_and_loaded_alike_on_a_machine_that_is_set_to_ascii(tmp_path: Path):
    code = (
        "import locale, sys; import pandas as pd; from pydantic import BaseModel; from guitar_kedro.datasets import *\n"
        "class Row(BaseModel): label: str\n"
        "class LogRow(Row): time: str\n"
        "assert locale.getpreferredencoding() not in ('UTF-8', 'utf-8')\n"
        "table, word = pd.DataFrame({'label': ['K\\xe4tzchen']}), 'K\\xe4tzchen \\u2265 2'\n"
        "for dataset, data, how in [(TableDataset, table, {'schema': Row}), (LogDataset, table, {'schema': LogRow}),\n"
        "                           (MetricsDataset, {word: word}, {}), (DocumentDataset, word, {}),\n"
        "                           (PageDataset, word, {})]:\n"
        "    there = dataset(filepath=f'{sys.argv[1]}/{dataset.__name__}', **how); there.save(data)\n"
        "    found = there.load()\n"
        "    assert found['label'].equals(table['label']) if data is table else found == data\n"
        "SpreadsheetDataset(filepath=f'{sys.argv[1]}/SpreadsheetDataset', schema=Row).save([table])\n"
    )
    ascii_only = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=ascii_only, check=True)
    for path in tmp_path.iterdir():
        assert "K\u00e4tzchen" in path.read_text(encoding="utf-8").replace("\\u00e4", "\u00e4")
