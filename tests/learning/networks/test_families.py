"""Networks of every family, with what belongs to them: preprocessing, weights, maps."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from guitar_kedro.errors import UserError
from guitar_kedro.learning import PretrainedWeights
from guitar_kedro.learning.data.augmentation import Normalise
from guitar_kedro.learning.data.pictures import resize
from guitar_kedro.learning.networks.architectures import (
    body_state,
    build_body,
    build_network,
    check_size,
    preprocessing,
)
from guitar_kedro.learning.networks.bodies import maps_of_tokens

FAMILIES = {
    "resnet18": 64,
    "vit_b_16": 64,
    "swin_t": 64,
    "test_efficientnet": 64,
    "test_convnext": 64,
    "test_vit": 64,
    "test_vit3": 96,
    "swin_tiny_patch4_window7_224": 64,
    "eva02_tiny_patch14_224": 70,
    "vit_small_patch14_dinov2": 70,
    "deit_tiny_patch16_224": 64,
}


@pytest.mark.parametrize(("name", "size"), FAMILIES.items())
def test_the_body_of_a_network_of_any_family_ends_in_feature_maps_and_its_layers_in_groups(name: str, size: int):
    network, split = build_network(name, size, 3)
    network.eval()
    maps = network[0](torch.randn(2, 3, size, size))
    assert maps.ndim == 4
    assert maps.shape[2] == maps.shape[3] > 1
    assert network(torch.randn(2, 3, size, size)).shape == (2, 3)
    groups = split(network)
    assert len(groups) >= 2
    grouped = [id(weights) for group in groups for weights in group]
    assert sorted(grouped) == sorted(map(id, network.parameters()))


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("resnet18", (3, 2)),
        ("swin_t", (3, 2)),
        ("test_efficientnet", (3, 2)),
        ("test_vit", (6, 4)),
        ("swin_tiny_patch4_window7_224", (3, 2)),
    ],
)
def test_maps_are_as_high_and_wide_as_pictures_that_are_no_squares(name: str, grid: tuple[int, int]):
    check_size(name, (96, 64))
    assert build_body(name, (96, 64)).eval()(torch.randn(1, 3, 96, 64)).shape[2:] == grid


@pytest.mark.parametrize("grid", [(4, 3), (3, 4), (2, 7), (5, 5), (1, 3)])
def test_tokens_come_back_to_their_places(grid: tuple[int, int]):
    rows, columns = grid
    maps = torch.arange(2.0 * rows * columns).view(1, 2, rows, columns)
    tokens = maps.flatten(2).transpose(1, 2)
    assert torch.equal(maps_of_tokens(tokens, 0, (16 * rows + 3, 16 * columns + 3)), maps)


def test_a_network_that_takes_squares_only_says_so():
    with pytest.raises(UserError, match=r"image_size is 96 x 64, and vit_b_16 takes squares only: give one number"):
        check_size("vit_b_16", (96, 64))


@pytest.mark.parametrize("name", ["test_vit", "tf_efficientnet_lite0"])
def test_preprocessing_and_features_are_those_of_timm(name: str):
    torch.manual_seed(1)
    theirs = timm.create_model(name, num_classes=0).eval()
    config = timm.data.resolve_data_config({}, model=theirs)
    transform = timm.data.create_transform(**{**config, "crop_pct": 1.0})
    size = config["input_size"][-1]
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (2 * size, 2 * size, 3), np.uint8))

    how = preprocessing(name, None)
    assert (how.mean, how.std) != (preprocessing("resnet18", None).mean, preprocessing("resnet18", None).std)
    pixels = torch.from_numpy(np.array(resize(picture, size, "squish", how.interpolation))).permute(2, 0, 1)[None]
    images = Normalise(how.mean, how.std)(pixels)
    assert torch.allclose(images[0], transform(picture), atol=1e-5)

    body = build_body(name, size).eval()
    body.load_state_dict(body_state(name, size, theirs.state_dict(), "theirs"))
    with torch.inference_mode():
        tokens = theirs.forward_features(images)
        wanted = maps_of_tokens(tokens, theirs.num_prefix_tokens, (size, size)) if tokens.ndim == 3 else tokens
        assert torch.allclose(body(images), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "vit_b_16", "swin_tiny_patch4_window7_224"])
def test_position_embeddings_are_resized_for_pictures_of_another_size(name: str):
    if name == "vit_b_16":
        from torchvision.models import vit_b_16

        state = vit_b_16(weights=None).state_dict()
    else:
        state = timm.create_model(name).state_dict()
    body = build_body(name, 96)
    body.load_state_dict(body_state(name, 96, state, "theirs"))
    assert body.eval()(torch.randn(1, 3, 96, 96)).shape[2] == 96 // (32 if "swin" in name else 16)


def test_packaged_weights_are_those_of_the_network_of_timm(tmp_path: Path):
    state = PretrainedWeights(tmp_path).load("tf_efficientnet_lite0", "packaged")
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(state, strict=False)
    assert preprocessing("tf_efficientnet_lite0", "packaged").mean == (0.5, 0.5, 0.5)
    body = build_body("tf_efficientnet_lite0", 64).eval()
    body.load_state_dict(body_state("tf_efficientnet_lite0", 64, state, "packaged"))
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(body(images), network.forward_features(images), atol=1e-4)


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hugging Face hub does when a file is asked for."""

    folder: Path
    broken = False
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        type(self).asked.append(f"{self.command} {self.path}")
        file = self.folder / self.path.strip("/").replace("/", "_")
        if not file.exists():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[::-1] if self.broken else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A local server in the place of the hub, with weights of a small network, and an empty cache."""
    (tmp_path / "hub").mkdir()
    served = type("Served", (Hub,), {"folder": tmp_path / "hub", "asked": []})
    http = ThreadingHTTPServer(("127.0.0.1", 0), served)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{http.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "hub/timm_test_convnext.r160_in1k_resolve_main_model.safetensors"
    save_file(timm.create_model("test_convnext").state_dict(), file)
    yield served
    http.shutdown()


def test_weights_of_timm_are_fetched_from_the_hub_once(hub: type[Hub], tmp_path: Path):
    weights = PretrainedWeights(tmp_path)
    fetched = weights.load("test_convnext", "default")
    assert sum(line.startswith("GET") for line in hub.asked) == 1
    assert weights.load("test_convnext", "r160_in1k").keys() == fetched.keys()
    assert sum(line.startswith("GET") for line in hub.asked) == 1
    assert body_state("test_convnext", 64, fetched, "hub")


def test_weights_that_do_not_come_whole_are_thrown_away(hub: type[Hub], tmp_path: Path):
    hub.broken = True
    with pytest.raises(UserError, match="did not bring what the hub promised"):
        PretrainedWeights(tmp_path).load("test_convnext", "default")
    hub.broken = False
    assert PretrainedWeights(tmp_path).load("test_convnext", "default")


def test_without_a_network_the_sentence_says_what_file_to_put_where(hub: type[Hub], tmp_path: Path):
    shutil.rmtree(hub.folder)
    hub.folder.mkdir()
    with pytest.raises(UserError) as refused:
        PretrainedWeights(tmp_path).load("test_convnext", "default")
    sentence = str(refused.value)
    assert "timm/test_convnext.r160_in1k could not be fetched" in sentence
    assert "/resolve/main/model.safetensors yourself and give a file's path as the weights of the stage" in sentence
    assert json.dumps(sentence).count("\\n") == 0


def test_weights_that_are_not_in_the_cache_are_refused_without_being_asked_for_where_the_hub_is_to_be_left_alone(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    weights = PretrainedWeights(tmp_path)
    weights.check("test_convnext", "default")  # a run may fetch them
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"HF_HUB_OFFLINE is set\). Download .*/model.safetensors yourself and give"):
        weights.check("test_convnext", "default")
    assert not hub.asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    fetched = weights.load("test_convnext", "default")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    weights.check("test_convnext", "default")
    assert weights.load("test_convnext", "default").keys() == fetched.keys()
