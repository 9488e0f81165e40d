"""What a user may rely on about decoded pictures."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.data.core import DataLoaders
from fastai.vision.augment import Resize
from fastai.vision.core import PILImage
from PIL import Image

from guitar_kedro.datasets.pixels import PixelsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    Pixels,
    Predictor,
    decode_pictures,
    pixel_sizes,
    train_phase,
)
from guitar_kedro.learning.data.loaders import data_loaders
from guitar_kedro.learning.data.pixels import DecodedPictures, PixelSizes
from guitar_kedro.sizes import ImageSize
from guitar_kedro.versions import VERSIONS

CPU = torch.device("cpu")


def loaders_of(phase: Phase, batch_size: int = 8) -> DataLoaders:
    return data_loaders(phase.table, phase.pixels, phase.spec(), batch_size, phase.training, CPU)


def picture(folder: Path, width: int, height: int) -> Path:
    path = folder / f"{width}x{height}.png"
    Image.effect_mandelbrot((width, height), (-3, -2.5, 2, 2.5), 100).convert("RGB").save(path)
    return path


@pytest.mark.parametrize("method", ["squish", "crop", "pad"])
@pytest.mark.parametrize("sides", [(60, 37), (50, 99), (40, 40), (33, 170)])
@pytest.mark.parametrize("size", [45, (45, 30), (30, 45)])
def test_training_pictures_are_those_of_fastai_at_the_same_place(
    method: str, sides: tuple[int, int], size: ImageSize, tmp_path: Path
):
    path = picture(tmp_path, *sides)
    table = pd.DataFrame({"image_id": ["a"], "path": [str(path)], "split": ["train"]})
    Pixels.save(decode_pictures(table, PixelSizes(size, 40, method)), tmp_path / "pixels")
    pixels = Pixels(tmp_path / "pixels")
    resize = Resize(size, method=method)
    with pixels.open() as file:
        for seed in range(5):
            random.seed(seed)
            theirs = np.asarray(resize(PILImage.create(path), split_idx=0), int)
            random.seed(seed)
            place = np.array([[random.random(), random.random()]])
            (ours,) = pixels.read(file, pixels.positions(["a"], "train"), place, size)
            # a place in the original is a place between two pixels of the smaller picture
            shifted = [np.roll(ours, step, axis).astype(int) for axis in (0, 1) for step in (-1, 0, 1)]
            closest = min(np.abs(each - theirs).mean() for each in shifted)
            assert closest < (1e-9 if method == "squish" else 8)


def test_validation_squares_are_those_that_a_prediction_sees(phase: Phase, decode: Callable[..., Pixels]):
    checkpoint, _ = train_phase(phase, (1e-3,))
    loaders = loaders_of(phase)
    images, targets = loaders.valid.one_batch()
    rows = phase.table[phase.table["split"] == "validation"]
    predictor = Predictor(checkpoint)
    read = torch.from_numpy(np.stack([predictor.read(path) for path in rows["path"]]))
    assert torch.equal(predictor._normalise(read).cpu(), images)
    assert [checkpoint.spec.classes[target] for target in targets] == rows["label"].tolist()


def test_a_training_epoch_sees_each_picture_once_in_a_new_order_and_augmented(phase: Phase):
    loaders = loaders_of(phase)
    epochs = [list(loaders.train) for _ in range(2)]
    for batches in epochs:
        assert [tuple(images.shape) for images, _ in batches] == [(8, 3, 32, 32)] * 4
        labels = torch.cat([targets for _, targets in batches])
        assert labels.sum() == 16  # of 32
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])
    assert torch.equal(loaders.valid.one_batch()[0], loaders.valid.one_batch()[0])


def test_the_last_batch_of_validation_is_not_dropped(phase: Phase):
    loaders = loaders_of(phase, 5)
    assert [len(targets) for _, targets in loaders.valid] == [10, 6]


def test_an_iteration_that_is_given_up_leaves_no_thread_behind(phase: Phase):
    loaders = loaders_of(phase)
    iterator = iter(loaders.train)
    next(iterator)
    del iterator
    assert len(list(loaders.train)) == 4


def test_pictures_are_decoded_again_only_when_they_or_the_sizes_change(phase: Phase, tmp_path: Path):
    dataset = PixelsDataset(str(tmp_path / "pixels"))
    table = phase.table

    def file_after(table: pd.DataFrame, image_size: int) -> tuple[str, int]:
        dataset.save(
            decode_pictures(table, pixel_sizes(image_size, phase.training.presize, phase.training.resize_method))
        )
        (file,) = (tmp_path / "pixels").glob("*.bin")
        return file.name, file.stat().st_mtime_ns

    first = file_after(table, 32)
    assert file_after(table, 32) == first
    assert file_after(table.iloc[::-1], 32) == first
    assert file_after(table, 48)[0] != first[0]
    assert file_after(table.iloc[1:], 32)[0] != first[0]


def test_pictures_are_decoded_again_when_they_are_decoded_in_a_newer_way(
    phase: Phase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dataset = PixelsDataset(str(tmp_path))
    table = phase.table
    dataset.save(decode_pictures(table, PixelSizes(32, 32, "squish")))
    (before,) = tmp_path.glob("*.bin")
    monkeypatch.setitem(VERSIONS, "decoded_pixels", VERSIONS["decoded_pixels"] + 1)
    dataset.save(decode_pictures(table, PixelSizes(32, 32, "squish")))
    (after,) = tmp_path.glob("*.bin")
    assert after != before


@pytest.mark.parametrize("method", ["squish", "crop"])
def test_of_pictures_that_come_and_go_only_new_ones_are_decoded(phase: Phase, tmp_path: Path, method: str):
    decoded = []

    def decoding(table: pd.DataFrame) -> DecodedPictures:
        whole = decode_pictures(table, PixelSizes(32, 24, method))
        return dataclasses.replace(whole, decode=lambda rows: decoded.extend(rows["image_id"]) or whole.decode(rows))

    first, then, dataset = phase.table.iloc[:-2], phase.table.iloc[3:], PixelsDataset(str(tmp_path / "pixels"))
    dataset.save(decoding(first))
    decoded.clear()
    dataset.save(decoding(then))
    assert decoded == phase.table["image_id"].iloc[-2:].tolist()
    Pixels.save(decoding(then), tmp_path / "anew")
    (copied,), (anew,) = ((tmp_path / name).glob("*.bin") for name in ("pixels", "anew"))
    assert copied.read_bytes() == anew.read_bytes()
    assert (tmp_path / "pixels/index.json").read_text() == (tmp_path / "anew/index.json").read_text()


def test_pictures_whose_file_is_gone_or_cut_short_are_decoded_again(phase: Phase, tmp_path: Path):
    dataset = PixelsDataset(str(tmp_path / "pixels"))
    assert dataset.fingerprint() is None
    table = phase.table
    sizes = pixel_sizes(32, phase.training.presize, phase.training.resize_method)
    dataset.save(decode_pictures(table, sizes))
    (file,) = (tmp_path / "pixels").glob("*.bin")
    whole = file.read_bytes()
    assert dataset.fingerprint() == decode_pictures(table, sizes).key
    for harm in (lambda: file.write_bytes(whole[:-1]), file.unlink):
        harm()
        assert dataset.fingerprint() is None
        dataset.save(decode_pictures(table, sizes))
        assert file.read_bytes() == whole


class InPieces(io.FileIO):
    """A file of which the system gives some bytes at a time, as it may."""

    def readinto(self, buffer: memoryview) -> int:
        return super().readinto(buffer[:777])


def test_pictures_that_the_system_gives_in_pieces_are_read_whole(phase: Phase, monkeypatch: pytest.MonkeyPatch):
    positions, places = np.arange(32), np.full((32, 2), 0.5)
    with phase.pixels.open() as reader:
        expected = phase.pixels.read(reader, positions, places, 40)
    monkeypatch.setattr(Path, "open", lambda path, *_, **__: InPieces(path))
    with phase.pixels.open() as reader:
        assert (phase.pixels.read(reader, positions, places, 40) == expected).all()


def test_a_file_of_pictures_that_is_cut_short_meanwhile_is_named(phase: Phase, tmp_path: Path):
    shutil.copytree(phase.pixels._file.parent, tmp_path / "pixels")
    pixels = Pixels(tmp_path / "pixels")
    loaders = loaders_of(dataclasses.replace(phase, pixels=pixels))
    (file,) = (tmp_path / "pixels").glob("*.bin")
    os.truncate(file, 100_000)
    with pytest.raises(
        UserError, match=r"\.bin ends before its pictures do: it was truncated\. Remove .*/pixels and run"
    ):
        list(loaders.train)


def test_a_picture_that_was_not_decoded_is_named(phase: Phase):
    table = phase.table.assign(split="train")
    with pytest.raises(UserError, match=r"image 0 was not decoded for train"):
        loaders_of(dataclasses.replace(phase, table=table))


@pytest.mark.parametrize("method", ["squish", "crop", "pad"])
def test_streamed_pictures_are_those_that_are_stored(phase: Phase, tmp_path: Path, method: str):
    batches = []
    for stream in (False, True):
        dataset = PixelsDataset(str(tmp_path / f"data/{method}/{stream}"), stream)
        dataset.save(decode_pictures(phase.table, PixelSizes((36, 50), 40, method)))
        pixels = dataset.load()
        places = np.random.default_rng(0).random((32, 2))
        with pixels.open() as reader:
            for split, size in (("train", (36, 50)), ("validation", 40)):
                rows = phase.table[phase.table["split"] == split]
                batches.append(
                    pixels.read(reader, pixels.positions(rows["image_id"], split), places[: len(rows)], size)
                )
    assert not list(tmp_path.glob("data/*/True/*.bin"))
    assert (batches[0] == batches[2]).all()
    assert (batches[1] == batches[3]).all()


def test_training_on_streamed_pictures_gives_the_same_weights(
    phase: Phase, trained: tuple[Checkpoint, pd.DataFrame], tmp_path: Path
):
    sizes = pixel_sizes(32, phase.training.presize, phase.training.resize_method)
    Pixels.save(decode_pictures(phase.table, sizes), tmp_path, stream=True)
    checkpoint, _ = train_phase(dataclasses.replace(phase, pixels=Pixels(tmp_path)), (1e-3,))
    assert all(torch.equal(weights, trained[0].weights[name]) for name, weights in checkpoint.weights.items())


def test_pictures_for_which_there_is_no_room_are_streamed_and_the_user_is_told(
    phase: Phase, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    dataset = PixelsDataset(str(tmp_path))
    dataset.save(decode_pictures(phase.table, PixelSizes(32, 1_000_000, "squish")))
    assert dataset.load().streamed
    assert re.search(r"48 decoded pictures need 5\d{4}\.\d GB .* Training decodes each of them anew", caplog.text)


def test_pictures_that_are_stored_stay_where_streaming_is_wanted_and_streamed_ones_are_stored_where_it_is_not(
    phase: Phase, tmp_path: Path
):
    def save(stream: bool, table: pd.DataFrame = phase.table) -> Pixels:
        dataset = PixelsDataset(str(tmp_path), stream)
        dataset.save(decode_pictures(table, PixelSizes(32, 32, "squish")))
        return dataset.load()

    assert not save(False).streamed
    assert not save(True).streamed
    assert save(True, phase.table.iloc[1:]).streamed
    assert not list(tmp_path.glob("*.bin"))
    assert not save(False, phase.table.iloc[1:]).streamed


def test_streaming_is_wanted_or_not():
    with pytest.raises(UserError, match="--params=stream=maybe: pictures are streamed"):
        PixelsDataset("pixels", "maybe")


def test_a_streamed_picture_that_is_gone_is_named(phase: Phase, tmp_path: Path):
    table = phase.table.assign(path=[shutil.copy(path, tmp_path) for path in phase.table["path"]])
    sizes = pixel_sizes(32, phase.training.presize, phase.training.resize_method)
    Pixels.save(decode_pictures(table, sizes), tmp_path / "pixels", stream=True)
    loaders = loaders_of(dataclasses.replace(phase, pixels=Pixels(tmp_path / "pixels")))
    (tmp_path / "0.jpg").unlink()
    with pytest.raises(UserError, match=r"0\.jpg is not there any more: run the same command again"):
        list(loaders.valid)
