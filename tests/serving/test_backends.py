"""One picture, one answer: whoever is asked, and however odd the picture is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pillow_heif import register_heif_opener
from pyarrow import parquet
from small_project import kedro_in
from small_service import Running, jpeg, start_service

from guitar_kedro.learning import (
    Checkpoint,
    Pixels,
    TrainingOptions,
    decode_pictures,
    learner_for_inference,
    pixel_sizes,
)
from guitar_kedro.learning.data.loaders import data_loaders

ROTATED = 6  # EXIF: to be turned by 90 degrees
AUGMENTATION = dict.fromkeys(("max_rotate", "max_lighting", "max_warp", "p_affine", "p_lighting"), 0.0)

# a machine that has what guitar_kedro[serve] names and nothing of guitar_kedro[train], as far as Python can tell
ONLY_SERVE = """
import importlib.metadata
import sys

LACKING = {
    "IPython", "cleanlab", "fastai", "fastcore", "kedro_viz", "matplotlib", "onnx", "plotly", "pyarrow", "sklearn",
    "threadpoolctl", "timm", "torch", "torchvision",
}

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())

# a package that is not there offers no commands and hooks to Kedro
installed = importlib.metadata.distributions
importlib.metadata.distributions = lambda **how: (each for each in installed(**how) if each.name != "kedro-viz")
"""


@pytest.fixture(scope="module")
def services(exported_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Two services of one model, by their backend."""
    services = {
        backend: start_service(exported_project, tmp_path_factory.mktemp(backend), f"--backend={backend}")
        for backend in ("torch", "onnx")
    }
    yield services
    for service in services.values():
        assert service.end() == 0


def answers(service: Running, *pictures: bytes) -> np.ndarray:
    with service.client() as client:
        form = [("pictures", (f"{number}.jpg", each)) for number, each in enumerate(pictures)]
        answer = client.post("/predict", files=form)
    assert answer.status_code == 200, answer.text
    return np.array([list(picture["probabilities"].values()) for picture in answer.json()["pictures"]])


def test_both_backends_answer_alike(services: dict[str, Running]):
    pictures = [jpeg(seed) for seed in range(16)]
    assert np.abs(answers(services["torch"], *pictures) - answers(services["onnx"], *pictures)).max() < 1e-4


def test_the_page_works_without_maps(services: dict[str, Running]):
    with services["onnx"].client() as client:
        page = client.post("/", files={"pictures": ("a.jpg", jpeg(1))})
    assert page.status_code == 200
    assert "%" in page.text


def test_onnx_runtime_answers_where_nothing_of_training_is_installed(exported_project: Path, tmp_path: Path):
    project = shutil.copytree(exported_project, tmp_path / "project")
    (project / "src" / "sitecustomize.py").write_text(ONLY_SERVE, encoding="utf-8")
    service = start_service(project, tmp_path, "--backend=onnx", forked=False)
    with service.client() as client:
        page = client.post("/", files={"pictures": ("a.jpg", jpeg(1))})
    assert page.status_code == 200
    assert answers(service, jpeg(1)).sum() == pytest.approx(1)
    assert service.end() == 0


def test_a_model_that_was_not_exported_is_told(finished_project: Path):
    run = kedro_in(finished_project, "serve", "--port=0", "--backend=onnx")
    sentence = (run.stdout + run.stderr).strip().splitlines()[-1]
    assert run.returncode == 1
    assert "--backend=onnx: there is no bundle of model" in sentence
    assert "run `kedro run --pipeline=export" in sentence


@pytest.fixture(scope="module")
def odd_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that readers like to get wrong."""
    register_heif_opener()  # to write one
    folder = tmp_path_factory.mktemp("odd") / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(3)

    def blocks(mode: str, size: tuple[int, int] = (120, 90)) -> Image.Image:
        channels = len(Image.new(mode, (1, 1)).getbands())
        coarse = generator.integers(0, 256, (5, 7, channels), dtype=np.uint8).squeeze()
        return Image.fromarray(coarse, mode).resize(size, Image.Resampling.BICUBIC)

    exif = Image.Exif()
    exif[0x0112] = ROTATED
    blocks("RGB").save(folder / "rotated.jpg", exif=exif)
    blocks("RGB", (1500, 700)).save(folder / "large.jpg", exif=exif)
    blocks("RGB", (400, 300)).save(folder / "phone.heic", exif=exif.tobytes(), thumbnails=[110])
    blocks("CMYK").save(folder / "cmyk.jpg")
    blocks("RGBA").save(folder / "alpha.png")
    blocks("LA").save(folder / "grey_alpha.png")
    blocks("RGBA").convert("P").save(folder / "palette.png", transparency=3)
    blocks("L").save(folder / "grey.jpg")
    deep = np.asarray(blocks("L")).astype(np.uint16)
    Image.fromarray(deep * 257).save(folder / "depth16.png")
    Image.fromarray(deep * 16).save(folder / "depth12.png")
    blocks("RGB", (1, 1000)).save(folder / "thin.png")
    blocks("RGB", (1000, 1)).save(folder / "flat.webp", lossless=True)
    return folder


def validated(checkpoint: Checkpoint, paths: list[Path], folder: Path) -> np.ndarray:
    """What the network says in training, when it is validated."""
    spec = checkpoint.spec
    options = TrainingOptions(
        resize_method=spec.resize_method,
        presize=1.15,
        finder_iterations=20,
        precision="float32",
        augmentation={**AUGMENTATION, "min_zoom": 1.0, "max_zoom": 1.0},
    )
    ids = [str(number) for number in range(len(paths))]
    table = pd.DataFrame({"image_id": ids, "path": paths, "label": spec.classes[0]})
    table = pd.concat([table.assign(split=part) for part in ("train", "validation")], ignore_index=True)
    Pixels.save(
        decode_pictures(
            table,
            pixel_sizes(spec.image_size, options.presize, options.resize_method),
        ),
        folder,
    )
    loaders = data_loaders(table, Pixels(folder), spec, 4, options, torch.device("cpu"))
    model = learner_for_inference(checkpoint).model.cpu().eval()
    with torch.inference_mode():
        logits = torch.cat([model(images) for images, _ in loaders.valid])
    return torch.softmax(logits.double() / spec.temperature, dim=1).numpy()


def test_odd_pictures_are_the_same_to_training_prediction_both_services_and_the_example(
    odd_pictures: Path, exported_project: Path, services: dict[str, Running], tmp_path: Path
):
    (folder,) = (exported_project / "data/06_models/demo/bundle").glob("*/bundle")
    checkpoint = Checkpoint.load(folder)
    paths = sorted(odd_pictures.iterdir())
    wanted = validated(checkpoint, paths, tmp_path)
    assert np.ptp(wanted, axis=0).max() > 0.1, "the pictures should not look alike to the network"

    run = kedro_in(exported_project, "run", "--pipeline=predict", f"--params=images={odd_pictures}")
    assert run.returncode == 0, run.stdout + run.stderr
    (table,) = (exported_project / "data/07_model_output/demo/image_predictions.parquet").glob("*/*.parquet")
    predicted = parquet.read_table(table).to_pandas()
    assert list(predicted["file"]) == [path.name for path in paths]
    found = predicted[[f"probability_{label}" for label in checkpoint.spec.classes]].to_numpy()
    assert np.abs(found - wanted).max() < 1e-5

    contents = [path.read_bytes() for path in paths]
    assert np.abs(answers(services["torch"], *contents) - wanted).max() < 1e-5
    assert np.abs(answers(services["onnx"], *contents) - wanted).max() < 1e-4

    example = subprocess.run(
        [sys.executable, folder / "example.py", *paths], capture_output=True, encoding="utf-8", check=True
    )
    for line, probabilities in zip(example.stdout.splitlines(), wanted, strict=True):
        _, label, probability = line.rsplit(" ", 2)
        assert label == checkpoint.spec.classes[probabilities.argmax()], line
        assert float(probability) == pytest.approx(probabilities.max(), abs=1e-4), line
