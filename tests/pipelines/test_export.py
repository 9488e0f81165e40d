"""What a user may rely on who takes the model elsewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from fastai.learner import load_learner
from kedro.io import Version
from PIL import Image
from pillow_heif import register_heif_opener
from profiles import press_profile
from small_project import kedro_in

from guitar_kedro.datasets import BundleDataset, OptionalSpreadsheetDataset
from guitar_kedro.errors import UserError
from guitar_kedro.images.colours import matrix_profile
from guitar_kedro.learning import (
    Bundle,
    Checkpoint,
    ModelSpec,
    make_bundle,
    predict,
    with_int8,
)
from guitar_kedro.learning.data.pictures import read_resized
from guitar_kedro.learning.export import exporting
from guitar_kedro.pipelines.collect.schemas import AttributionRow
from guitar_kedro.sizes import ImageSize


@pytest.fixture(scope="module")
def folder(exported_project: Path) -> Path:
    (found,) = (exported_project / "data/06_models/demo/bundle").glob("*/bundle")
    return found


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return Checkpoint.load(folder)


@pytest.fixture(scope="module")
def evaluated(exported_project: Path, checkpoint: Checkpoint) -> pd.DataFrame:
    """Validation and test images with their paths and probabilities, as the model gives them in this project."""
    (table,) = (exported_project / "data/07_model_output/demo/predictions.csv").glob("*/predictions.csv")
    rows = pd.read_csv(table)
    rows = rows.loc[rows["stage"] == "larger", ["image_id", "label"]]
    images = exported_project / "data/03_primary/demo/prepared_images"
    paths = [str(images / f"{image_id.partition('-')[0]}.jpg") for image_id in rows["image_id"]]
    return predict(checkpoint, rows.assign(path=paths), "Predicting").assign(path=paths)


def probabilities(table: pd.DataFrame, spec_classes: tuple[str, ...]) -> np.ndarray:
    return table[[f"probability_{label}" for label in spec_classes]].to_numpy()


def test_an_export_says_where_the_bundle_is(exported_project: Path):
    said = " ".join((exported_project / "console.txt").read_text().split())
    [place] = re.findall(r"bundle: (\S+)", said)
    assert (exported_project / place / "example.py").exists()


def test_a_bundle_describes_itself(exported_project: Path, folder: Path, checkpoint: Checkpoint):
    assert {path.name for path in folder.iterdir()} == {
        "weights.safetensors",
        "spec.json",
        "model.onnx",
        "example.py",
        "preprocessing.py",
        "export.pkl",
        "bundle.json",
    }
    version = max(path.name for path in (exported_project / "data/06_models/demo/model").iterdir())
    facts = json.loads((folder / "bundle.json").read_text())
    assert facts["model_version"] == version
    assert facts["parity"]["largest_difference"] < 1e-4
    assert facts["parity"]["other_labels"] == 0
    metadata = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert json.loads(metadata["spec"]) == json.loads((folder / "spec.json").read_text())
    assert tuple(json.loads(metadata["classes"])) == checkpoint.spec.classes


def test_the_card_of_this_very_model_goes_with_it_and_who_made_its_images_where_they_were_collected(used_project: Path):
    hashes = pd.read_csv(used_project / "data/03_primary/demo/image_table.csv")["file_hash"]
    rows = [dict.fromkeys(AttributionRow.model_fields, "=1") | {"sha256": sha256} for sha256 in (*hashes[:2], "other")]
    attributions = used_project / "data/01_raw/demo/attributions.csv"
    attributions.parent.mkdir()
    OptionalSpreadsheetDataset(filepath=str(attributions), schema=AttributionRow).save([pd.DataFrame(rows)])
    run = kedro_in(used_project, "run", "--pipeline=export")
    assert run.returncode == 0, run.stdout + run.stderr
    [bundle] = (used_project / "data/06_models/demo/bundle").glob("*/bundle")
    assert Checkpoint.load(bundle).spec.checksum in (bundle / "model_card.html").read_text()
    carried = pd.read_csv(bundle / "attributions.csv")
    assert sorted(carried["sha256"]) == sorted(hashes[:2])
    assert set(carried["author"]) == {"'=1"}, "a spreadsheet would compute it"


def test_the_network_alone_answers_as_the_model_does_for_any_number_of_pictures(
    folder: Path, checkpoint: Checkpoint, evaluated: pd.DataFrame
):
    spec = checkpoint.spec
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    for some in (evaluated[:1], evaluated[1:8]):
        pictures = np.stack(
            [np.asarray(read_resized(path, spec.image_size, spec.resize_method)) for path in some["path"]]
        )
        found, energies = session.run(None, {"pictures": pictures})
        assert np.abs(found - probabilities(some, spec.classes)).max() < 1e-4
        assert np.abs(energies - some["energy"]).max() < 1e-3


def test_the_example_runs_without_this_project(folder: Path, evaluated: pd.DataFrame):
    code, preprocessing = ((folder / name).read_text() for name in ("example.py", "preprocessing.py"))
    assert "guitar_kedro" not in code + preprocessing
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 10
    paths = list(evaluated["path"][:5])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    example = [sys.executable, folder / "example.py", *paths]
    run = subprocess.run(example, env=environment, capture_output=True, encoding="utf-8", check=True)
    for line, row in zip(run.stdout.splitlines(), evaluated.itertuples(), strict=False):
        path, predicted, probability = line.split()
        assert (path, predicted) == (f"{row.path}:", row.predicted)
        assert float(probability) == pytest.approx(getattr(row, f"probability_{predicted}"), abs=1e-4)
    assert (folder / "__pycache__").exists()
    bundle = BundleDataset(str(folder.parents[1]), "none", Version(folder.parent.name, None))
    assert set(bundle.load().files) >= {"example.py", "preprocessing.py"}


def test_fastai_loads_the_pickle_that_was_asked_for(folder: Path, checkpoint: Checkpoint, evaluated: pd.DataFrame):
    learner = load_learner(folder / "export.pkl")
    _, _, found = learner.predict(evaluated["path"][0])
    assert np.abs(found.numpy() - probabilities(evaluated[:1], checkpoint.spec.classes)[0]).max() < 1e-5


def test_an_export_looks_at_no_label_of_the_test_part(exported_project: Path):
    log = pd.read_csv(exported_project / "data/08_reporting/demo/test_log.csv")
    assert len(log) == 1


def test_a_network_that_answers_otherwise_is_not_exported(
    checkpoint: Checkpoint, evaluated: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    other = Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update={"temperature": 3.0}))
    wrong = exporting.to_onnx(other)
    monkeypatch.setattr(exporting, "to_onnx", lambda _: wrong)
    with pytest.raises(UserError, match=r"does not answer as the model does.*nothing was exported"):
        make_bundle(checkpoint, list(evaluated["path"][:8]))


@pytest.fixture(scope="module")
def float32(checkpoint: Checkpoint, evaluated: pd.DataFrame) -> Bundle:
    return make_bundle(checkpoint, list(evaluated["path"][:8]))


@pytest.fixture(scope="module")
def clear_cases(evaluated: pd.DataFrame, checkpoint: Checkpoint) -> pd.DataFrame:
    """Images of which the network is surest, labelled with what it says."""
    surest = probabilities(evaluated, checkpoint.spec.classes).max(axis=1).argsort()[-10:]
    return evaluated.iloc[surest].assign(label=evaluated["predicted"].iloc[surest])


def test_eight_bits_are_a_quarter_as_large_and_say_how_accurate_they_are(float32: Bundle, clear_cases: pd.DataFrame):
    made = with_int8(float32, list(clear_cases["path"]), clear_cases)
    assert len(made.files["model_int8.onnx"]) < 0.4 * len(made.files["model.onnx"])
    assert made.facts["int8"]["accuracy_float32"] == 1
    assert made.facts["int8"]["accuracy_int8"] >= 0.995
    session = onnxruntime.InferenceSession(made.files["model_int8.onnx"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"])


def test_eight_bits_that_cost_more_than_half_a_point_are_not_exported(
    float32: Bundle, clear_cases: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    *_, last = (name for name, tensor in float32.checkpoint.weights.items() if tensor.ndim == 2)
    turned = {**float32.checkpoint.weights, last: -float32.checkpoint.weights[last]}
    spoilt = exporting.to_onnx(Checkpoint(turned, float32.checkpoint.spec))
    monkeypatch.setattr(exporting, "quantised", lambda *_: spoilt)
    with pytest.raises(UserError, match=r"falls from 100.0 % to .*nothing was exported"):
        with_int8(float32, [], clear_cases)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"tta_views": 4}, "4 augmented views, which an exported network does not have"),
        ({"precision": "bfloat16"}, "answers in bfloat16, an exported network in float32"),
    ],
)
def test_a_model_that_answers_in_a_way_that_an_export_cannot_is_refused(
    checkpoint: Checkpoint, how: dict[str, object], words: str
):
    spec = checkpoint.spec.model_copy(update=how)
    with pytest.raises(UserError, match=words):
        exporting.to_onnx(Checkpoint(checkpoint.weights, spec))


def test_what_is_not_installed_is_told(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(UserError, match=r"onnxruntime is not installed: .* pip install -e '.\[export\]'"):
        make_bundle(checkpoint, [])


@pytest.mark.parametrize("method", ["squish", "crop", "pad"])
@pytest.mark.parametrize("size", [(300, 201), (50, 91), (1, 1000), (48, 48)])
@pytest.mark.parametrize("image_size", [48, (64, 48), (40, 64)])
def test_the_example_resizes_pictures_as_the_project_does(
    checkpoint: Checkpoint, tmp_path: Path, method: str, size: tuple[int, int], image_size: ImageSize
):
    spec = checkpoint.spec.model_copy(update={"resize_method": method, "image_size": image_size})
    names: dict = {}
    exec(exporting._example(spec)["preprocessing.py"], names)
    Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 100).convert("RGB").save(tmp_path / "a.jpg")
    ours = np.asarray(read_resized(tmp_path / "a.jpg", spec.image_size, method))
    assert (names["read_square"](tmp_path / "a.jpg") == ours).all()


register_heif_opener()  # to write them
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


def in_colours() -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """Pictures that say in different ways what their numbers mean."""
    colours = (
        Image.effect_mandelbrot((90, 60), (-3, -2.5, 2, 2.5), 100).convert("RGB").rotate(17, fillcolor=(200, 9, 70))
    )
    profile = {"icc_profile": matrix_profile(P3, (1.8,))}
    see_through = colours.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(colours.size))
    camera, turned = Image.Exif(), Image.Exif()
    camera.get_ifd(0x8769)[0xA001] = 0xFFFF
    camera.get_ifd(0x8769)[0xA005] = {1: "R03"}
    turned[0x0112] = 6
    lossless = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    return {
        "jpeg": (colours, "JPEG", profile),
        "turned jpeg": (colours, "JPEG", {**profile, "exif": turned}),
        "large jpeg": (colours.resize((900, 600)), "JPEG", profile),
        "camera": (colours, "JPEG", {"exif": camera}),
        "png": (colours, "PNG", profile),
        "palette": (colours.quantize(9), "PNG", profile),
        "alpha": (see_through, "PNG", profile),
        "grey": (colours.convert("L"), "PNG", profile),
        "webp": (colours, "WEBP", profile),
        "tiff": (colours, "TIFF", profile),
        "cmyk": (colours.convert("CMYK"), "TIFF", {"icc_profile": press_profile()}),
        "cmyk jpeg": (colours.convert("CMYK"), "JPEG", {"icc_profile": press_profile()}),
        "heic": (colours, "HEIF", {**lossless, **profile}),
        "code points": (colours, "HEIF", {**lossless, "color_primaries": 12, "transfer_characteristics": 13}),
        "damaged": (colours, "JPEG", {"icc_profile": b"no profile"}),
        "of another space": (colours, "PNG", {"icc_profile": press_profile()}),
    }


@pytest.mark.parametrize("name", in_colours())
def test_the_example_reads_colours_as_the_project_does(tmp_path: Path, name: str):
    image, file_format, options = in_colours()[name]
    image.save(tmp_path / "picture", file_format, **options)
    assert_read_alike(tmp_path / "picture")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_the_example_reads_pictures_despite_damaged_profiles_as_the_project_does(tmp_path: Path, file_format: str):
    image, _, options = in_colours()["png"]
    image.save(tmp_path / "picture", file_format, **options)
    content = (tmp_path / "picture").read_bytes()
    if file_format == "PNG":
        at = content.index(b"iCCP")
        spoilt = content[: at + 9] + bytes([content[at + 9] ^ 1]) + content[at + 10 :]  # its checksum is wrong now
    else:
        spoilt = content[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + content[2:]
    (tmp_path / "picture").write_bytes(spoilt)
    assert_read_alike(tmp_path / "picture")


def assert_read_alike(path: Path) -> None:
    spec = ModelSpec(
        architecture="resnet18",
        classes=("a", "b"),
        display_names={},
        image_size=48,
        resize_method="squish",
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
    )
    names: dict = {}
    exec(exporting._example(spec)["preprocessing.py"], names)
    ours = np.asarray(read_resized(path, 48, "squish"))
    assert (names["read_square"](path) == ours).all()
