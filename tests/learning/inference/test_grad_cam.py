"""What a user may rely on when a network is asked where it sees a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.learner import Learner
from PIL import Image

from guitar_kedro.errors import UserError
from guitar_kedro.learning.inference import grad_cam
from guitar_kedro.learning.inference.grad_cam import grad_cam_maps, pictures_as_seen
from guitar_kedro.learning.inference.learner import inference_loaders, learner_for_inference
from guitar_kedro.learning.inference.predictor import Predictor
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.networks.learner import build_learner, state_on_cpu
from guitar_kedro.sizes import ImageSize, height_width

CLASSES = ("disc", "ring", "square")


def checkpoint(architecture: str = "squeezenet1_1", **options: object) -> Checkpoint:
    spec = ModelSpec(
        architecture=architecture,
        classes=CLASSES,
        display_names={},
        image_size=64,
        resize_method="squish",
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    ).model_copy(update=options)
    torch.manual_seed(0)
    return Checkpoint(state_on_cpu(build_learner(inference_loaders(spec), spec)), spec)


def learner_with(
    monkeypatch: pytest.MonkeyPatch, body: torch.nn.Module, head: torch.nn.Module, size: ImageSize = 64
) -> Learner:
    """Makes the checkpoint's learner one with this network."""
    learner = learner_for_inference(checkpoint(image_size=size))
    learner.model = torch.nn.Sequential(body, head).to(learner.dls.device).eval()
    monkeypatch.setattr(grad_cam, "learner_for_inference", lambda *_: learner)
    return learner


@pytest.fixture
def table(shapes: pd.DataFrame) -> pd.DataFrame:
    return shapes[:3]


def test_an_image_has_a_map_for_each_class_that_was_asked_for(table: pd.DataFrame):
    maps = grad_cam_maps(checkpoint(), table, [CLASSES, ["ring"], []], "Looking")
    assert [each.shape for each in maps] == [(3, 64, 64), (1, 64, 64), (0, 64, 64)]
    assert all(each.dtype == np.float32 and (each >= 0).all() for each in maps)


def test_maps_do_not_depend_on_which_others_are_asked_for(table: pd.DataFrame):
    model = checkpoint()
    every = grad_cam_maps(model, table, [CLASSES * 7] * 3, "Looking")
    one = grad_cam_maps(model, table[1:2], [["square"]], "Looking")
    assert every[1].shape == (21, 64, 64)
    assert np.allclose(every[1][2], one[0][0], atol=1e-6)
    assert np.allclose(every[1][2], every[1][20], atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "squeezenet1_1",
        "mobilenet_v2",
        "densenet121",
        "efficientnet_b0",
        "vgg11_bn",
        "convnext_tiny",
    ],
)
def test_maps_are_the_features_weighted_with_the_mean_gradients_of_the_logit(name: str, table: pd.DataFrame):
    model = checkpoint(name, temperature=3.0)
    (maps,) = grad_cam_maps(model, table[:1], [["square", "disc"]], "Looking")
    learner = learner_for_inference(model)
    ((image,),) = learner.dls.test_dl(table[:1], bs=1, num_workers=0)
    device = next(learner.model.parameters()).device
    features = learner.model[0](image.as_subclass(torch.Tensor).to(device))
    for label, found in zip((2, 0), maps, strict=True):
        logit = learner.model[1](features.clone())[0, label]
        (gradient,) = torch.autograd.grad(logit, features, retain_graph=True)
        by_hand = torch.relu((gradient.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True))
        fine = torch.nn.functional.interpolate(by_hand, (64, 64), mode="bilinear")[0, 0]
        assert np.allclose(found, fine.detach().cpu().numpy(), rtol=1e-3, atol=1e-5 * fine.max().item())


@pytest.mark.parametrize("size", [64, (64, 32), (32, 64)])
def test_the_map_lies_where_the_thing_is(size: ImageSize, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # the first class is brightness, the second darkness
    body = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.ReLU())
    head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2, bias=False))
    head[2].weight.data = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    learner_with(monkeypatch, body, head, size)
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, 32:] = 255
    Image.fromarray(pixels).save(tmp_path / "corner.png")
    table = pd.DataFrame({"path": [str(tmp_path / "corner.png")]})
    (maps,) = grad_cam_maps(checkpoint(image_size=size), table, [CLASSES[:2]], "Looking")
    height, width = height_width(size)
    assert maps.shape == (2, height, width)
    down, across = height // 2, width // 2
    inside = maps[0, : down - 4, across + 4 :]
    outside = np.concatenate([maps[0, down + 4 :].ravel(), maps[0, :, : across - 4].ravel()])
    assert inside.min() > 0
    assert outside.max() == 0
    assert maps[1].max() == 0


def test_layers_that_overwrite_their_input_do_not_disturb(monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame):
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, stride=4), torch.nn.BatchNorm2d(4))
    overwriting, other = torch.nn.ReLU(inplace=True), torch.nn.ReLU()
    end = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3))
    found = []
    for relu in (overwriting, other):
        learner_with(monkeypatch, body, torch.nn.Sequential(relu, end))
        found += grad_cam_maps(checkpoint(), table[:1], [CLASSES], "Looking")
    assert found[0].max() > 0
    assert np.array_equal(*found)


def test_looking_changes_nothing_in_the_network(monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame):
    model = checkpoint("resnet18")
    learner = learner_for_inference(model)
    monkeypatch.setattr(grad_cam, "learner_for_inference", lambda *_: learner)
    grad_cam_maps(model, table, [CLASSES] * 3, "Looking")
    after = state_on_cpu(learner)
    assert all(torch.equal(after[name], weights) for name, weights in model.weights.items())


@pytest.mark.parametrize("shape", [(7,), (7, 9), (7, 5, 9)])
def test_a_network_without_feature_maps_is_refused(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame
):
    body = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, int(np.prod(shape))), torch.nn.Unflatten(1, shape)
    )
    learner_with(monkeypatch, body, torch.nn.Flatten())
    with pytest.raises(UserError, match=r"squeezenet1_1 has no class activation maps.*convolutional networks"):
        grad_cam_maps(checkpoint(), table, [CLASSES] * 3, "Looking")


def test_classes_must_fit_the_table(table: pd.DataFrame):
    with pytest.raises(ValueError, match="for 1 images, but the table has 3"):
        grad_cam_maps(checkpoint(), table, [CLASSES], "Looking")


def test_no_images_have_no_maps(table: pd.DataFrame):
    assert grad_cam_maps(checkpoint(), table[:0], [], "Looking") == []
    assert pictures_as_seen(checkpoint(), table[:0]) == []


@pytest.mark.parametrize("method", ["squish", "crop", "pad"])
def test_pictures_are_what_the_network_gets(method: str, tmp_path: Path):
    Image.effect_mandelbrot((90, 50), (-3, -2.5, 2, 2.5), 100).convert("RGB").save(tmp_path / "wide.png")
    table = pd.DataFrame({"path": [str(tmp_path / "wide.png")] * 2})
    model = checkpoint(resize_method=method)
    pictures = pictures_as_seen(model, table)
    batch = learner_for_inference(model).dls.test_dl(table, bs=2, num_workers=0).one_batch()[0].cpu()
    assert [picture.size for picture in pictures] == [(64, 64)] * 2
    assert np.allclose(np.asarray(pictures[1]) / 255, (batch[1] * 0.25 + 0.5).permute(1, 2, 0), atol=1e-5)


def test_the_predictor_sees_a_class_where_reports_see_it(table: pd.DataFrame):
    model = checkpoint("resnet18")
    predictor = Predictor(model)
    coarse = predictor.maps(predictor.read(table["path"].iloc[0]), [2, 0])
    (wanted,) = grad_cam_maps(model, table[:1], [["square", "disc"]], "Looking")
    assert coarse.shape == (2, 2, 2)
    fine = torch.nn.functional.interpolate(torch.from_numpy(coarse)[:, None], (64, 64), mode="bilinear")[:, 0]
    assert np.allclose(fine, wanted, atol=1e-3 * wanted.max())
