"""No result outlives the code that made it: each family of results has a version, and nodes and caches go by it.

``golden.json`` holds a small result of each family. Where a test here says that one comes out otherwise, and that is
meant, raise the version in ``src/guitar_kedro/versions.py`` and note there what comes out now.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.pipeline import Pipeline
from PIL import Image

from guitar_kedro import metrics, plots
from guitar_kedro.demo import draw_guitar, draw_other
from guitar_kedro.images.preparing import prepare
from guitar_kedro.images.probing import Limits, UnreadableImage
from guitar_kedro.images.sources import ImageStream
from guitar_kedro.learning import (
    Checkpoint,
    LoopOptions,
    ModelSpec,
    NetworkOptions,
    Phase,
    Pixels,
    PretrainedWeights,
    decode_pictures,
    find_learning_rate,
    make_bundle,
    pixel_sizes,
    predict_in_chunks,
    train_phase,
    training_batch,
)
from guitar_kedro.learning.inference.learner import inference_loaders
from guitar_kedro.learning.networks.learner import build_learner
from guitar_kedro.pipelines import (
    calibration,
    cross_validation,
    evaluation,
    export,
    ingestion,
    prediction,
    splitting,
    training,
)
from guitar_kedro.pipelines import reporting as reports
from guitar_kedro.pipelines.cross_validation.nodes import CrossValidationOptions, deal_folds, split_at_random
from guitar_kedro.pipelines.ingestion.nodes import build_image_table
from guitar_kedro.pipelines.splitting.nodes import split_images
from guitar_kedro.pipelines.splitting.options import SplittingOptions
from guitar_kedro.versions import VERSIONS, version_changes, versions_of

STAGES = {
    "small": {
        "image_size": 32,
        "frozen": {"epochs": 1, "learning_rate": "suggested"},
        "unfrozen": {"epochs": 1, "learning_rate": 1e-3},
    },
    "larger": {
        "image_size": 48,
        "start_from": "small",
        "frozen": {"epochs": 0, "learning_rate": 1e-3},
        "unfrozen": {"epochs": 1, "learning_rate": 1e-3},
    },
}


def pipelines() -> list[Pipeline]:
    stages = training.plan_stages(STAGES)
    return [
        ingestion.create_pipeline(stages),
        splitting.create_pipeline(),
        training.create_pipeline(stages),
        calibration.create_pipeline(stages[-1]),
        evaluation.create_pipeline(stages),
        reports.create_pipeline(stages),
        prediction.create_pipeline(),
        export.create_pipeline(),
        cross_validation.create_pipeline(stages[0]),
    ]


def test_every_node_names_the_family_of_what_it_makes():
    nodes = [node for pipeline in pipelines() for node in pipeline.nodes]
    nameless = [node.name for node in nodes if not versions_of(node.tags)]
    assert not nameless, f"tag these nodes with one of {', '.join(VERSIONS)}: {', '.join(nameless)}"


def test_every_family_is_made_by_a_node_or_lies_in_a_folder_named_by_its_version():
    of_nodes = {family for pipeline in pipelines() for node in pipeline.nodes for family in versions_of(node.tags)}
    assert set(VERSIONS) - of_nodes == {"drawn_pictures"}


def test_a_changed_version_is_told_in_words():
    assert version_changes({"prepared_pictures": 2}, {"prepared_pictures": 1}) == [
        "prepared pictures are made in a newer way (version 2, was 1)"
    ]
    assert version_changes({"splits": 1}, {"splits": 3}) == ["splits are made in an older way (version 1, was 3)"]
    assert version_changes({"splits": 1}, {"splits": 1}) == []


def blocks(mode: str, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """Draws coarse coloured blocks, of which every library makes the same pixels."""
    colours = np.array([[[250, 20, 30], [20, 180, 40], [10, 30, 220]], [[240, 230, 20], [90, 90, 90], [255, 255, 255]]])
    picture = Image.fromarray(colours.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return picture.convert(mode)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def coarse(picture: Image.Image | np.ndarray, across: int = 3, down: int = 2) -> list[int]:
    """Gives the mean colours of a few parts of a picture, in grey levels."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return np.asarray(image.convert("RGB").resize((across, down), Image.Resampling.BOX)).flatten().tolist()


def drawn_pictures(_: Path) -> Any:
    return [coarse(draw_guitar("gibson_SG", 48, 1)), coarse(draw_other("violin", 48, 1))]


def prepared_pictures(_: Path) -> Any:
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turn right
    clear = blocks("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    files = {
        "small": encoded(blocks("RGB"), "PNG"),
        "shrunk": encoded(blocks("RGB", (120, 80)), "PNG"),
        "transparent": encoded(clear, "PNG"),
        "grey": encoded(blocks("L"), "PNG"),
        "cmyk": encoded(blocks("CMYK"), "JPEG", quality=95),
        "turned": encoded(blocks("RGB"), "JPEG", quality=95, exif=turned),
    }
    made: dict[str, Any] = {}
    for name, content in files.items():
        picture = prepare(content, 32, Limits())
        made[name] = [picture.width, picture.height, *coarse(Image.open(io.BytesIO(picture.jpeg)))]
    exact = prepare(files["small"], 32, Limits())
    made["hashes"] = [exact.pixel_hash[:16], exact.perceptual_hash[:16]]
    with pytest.raises(UnreadableImage) as refused:
        prepare(files["small"][:40], 32, Limits())
    return {**made, "refused": refused.value.reason}


def image_tables(_: Path) -> Any:
    def record(file: str, bits: str, reason: str = "") -> dict[str, Any]:
        hashes = {"file_hash": f"f{file}", "pixel_hash": f"p{file}", "perceptual_hash": bits * 64}
        size = {"width": 10, "height": 8}
        return {
            "file": file,
            "label": file[:1],
            "source": file,
            "prepared": file[2:],
            **size,
            **hashes,
            "reason": reason,
        }

    rows = [
        record("a/1", "0"),
        record("a/2", "0"),
        record("a/3", "f"),
        record("b/4", "5"),
        record("b/5", "c", "damaged"),
    ]
    rows += [record("b/6", "f"), record("b/7", "3")]
    rows[1]["perceptual_hash"] = "0" * 63 + "3"
    curation = pd.DataFrame([["b/7", "relabel", "a"]], columns=["file", "action", "label"]).assign(source="")
    rows[0] |= {"given_split": "train", "group": "a"}
    prepared = SimpleNamespace(records=pd.DataFrame(rows).fillna("").assign(detail="", note=""))
    table, rejected, _ = build_image_table(prepared, curation, 4)
    columns = ["image_id", "label", "file", "duplicate_group", "given_split", "group"]
    kept = table[columns].astype(str).agg(" ".join, axis=1).str.strip()
    return [kept.tolist(), rejected[["file", "reason"]].agg(" ".join, axis=1).tolist()]


def _decoded(folder: Path, method: str) -> Pixels:
    blocks("RGB", (60, 40)).save(folder / "picture.png")
    table = pd.DataFrame({"image_id": "a", "path": str(folder / "picture.png"), "split": ["train", "validation"]})
    Pixels.save(decode_pictures(table, pixel_sizes(24, 1.25, method)), folder / method)
    return Pixels(folder / method)


def decoded_pixels(folder: Path) -> Any:
    made = {}
    for method in ("squish", "crop", "pad"):
        pixels = _decoded(folder, method)
        with pixels.open() as file:
            for part, side in (("train", 30), ("validation", 24)):
                found = pixels.read(file, pixels.positions(["a"], part), np.array([[0.5, 0.5]]), side)
                made[f"{method} {part}"] = coarse(found[0])
    return made


def splits(_: Path) -> Any:
    numbers = [f"{number:02d}" for number in range(40)]
    table = pd.DataFrame(
        {"image_id": numbers, "label": ["a", "b"] * 20, "duplicate_group": [n // 4 for n in range(40)]}
    )
    table["duplicate_group"] = 2 * table["duplicate_group"] + (table["label"] == "b")
    table = table.assign(file=numbers, given_split="", group="", file_hash=numbers, pixel_hash=numbers)
    dealt, _ = split_images(table, SplittingOptions(validation=0.2, test=0.2), 1, pd.DataFrame())
    random = split_at_random(dealt, 1)
    folds = deal_folds(dealt, CrossValidationOptions(folds=3), 1)
    parts = [" ".join(part[:2] for part in each["split"]) for each in (dealt, random)]
    return [*parts, "".join(map(str, folds["fold"]))]


def _phase(folder: Path) -> Phase:
    rows = []
    for number in range(24):
        colour = (200, 40 + 5 * number, 30) if number % 2 else (20, 60, 120 + 5 * number)
        path = folder / f"{number}.png"
        Image.new("RGB", (40, 40), colour).save(path)
        part = "validation" if number % 6 < 2 else "train"
        rows.append((str(number), str(path), ("blue", "red")[number % 2], part))
    table = pd.DataFrame(rows, columns=["image_id", "path", "label", "split"])
    augmentation = {"max_rotate": 10, "min_zoom": 1, "max_zoom": 1.1, "max_lighting": 0.2, "max_warp": 0.2}
    loop = LoopOptions(
        resize_method="squish",
        presize=1.25,
        precision="float32",
        augmentation={**augmentation, "p_affine": 0.75, "p_lighting": 0.75},
    )
    decoding = decode_pictures(table, pixel_sizes(32, 1.25, "squish"))
    Pixels.save(decoding, folder / "pixels")
    network = NetworkOptions(architecture="squeezenet1_1", image_size=32, batch_size=8, weights="none")
    start = PretrainedWeights(folder)
    return Phase("small", "unfrozen", network, loop, start, table, Pixels(folder / "pixels"), 1, 2)


def trained_networks(folder: Path) -> Any:
    phase = _phase(folder)
    curve, _ = find_learning_rate(phase, 20)
    checkpoint, history = train_phase(phase, (1e-4, 3e-4))
    pictures = training_batch(phase)
    return {
        "losses": [*history["train_loss"], *history["valid_loss"], *curve["loss"].head(5)],
        "weights": checkpoint.weights["1.8.weight"].abs().mean().item(),
        "batch": [label for _, label in pictures],
        "started from": checkpoint.spec.provenance["started_from"],
    }


def checkpoint() -> Checkpoint:
    """Makes a network with the same weights everywhere."""
    spec = ModelSpec(
        architecture="squeezenet1_1",
        classes=("a", "b", "c"),
        image_size=32,
        resize_method="crop",
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        temperature=1.5,
        confidence_threshold=0.4,
        ood_threshold=5.0,
        provenance={"stage": "small", "phase": "unfrozen"},
    )
    state = build_learner(inference_loaders(spec), spec).model.state_dict()
    numbers = np.random.RandomState(0)  # whose numbers never change
    return Checkpoint({name: _filled(tensor, name, numbers) for name, tensor in state.items()}, spec)


def _filled(tensor: torch.Tensor, name: str, numbers: np.random.RandomState) -> torch.Tensor:
    if name.endswith("running_var") or not tensor.is_floating_point():
        return torch.ones_like(tensor)
    spread = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.1
    return torch.tensor(spread * numbers.standard_normal(tuple(tensor.shape)), dtype=tensor.dtype)


def predictions(folder: Path) -> Any:
    for number, mode in enumerate(("RGB", "L")):
        blocks(mode, (60, 40)).save(folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"no picture")
    [chunk] = predict_in_chunks(checkpoint(), ImageStream(folder))
    table = chunk.predict(chunk.predictor)
    numbers = table[["energy", *(f"probability_{name}" for name in "abc")]].iloc[:2]
    return [numbers.to_numpy().flatten().tolist(), table[["predicted", "decision", "reason"]].to_numpy().tolist()]


def calibrated_models(_: Path) -> Any:
    place = np.arange(60)
    logits = np.stack([3 * np.sin(place), 3 * np.cos(1.3 * place), np.sin(2.1 * place)], axis=1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.where(place % 9 == 4, (logits.argmax(axis=1) + 1) % 3, logits.argmax(axis=1))
    temperature = metrics.fit_temperature(probabilities, targets)
    calibrated = metrics.tempered(probabilities, temperature)
    right = calibrated.argmax(axis=1) == targets
    return [
        temperature,
        metrics.confidence_threshold(calibrated.max(axis=1), right, 0.9),
        metrics.ood_threshold(np.log(place + 1.0), 0.95),
    ]


def reports_made(_: Path) -> Any:
    rows = []
    for part, stage in (("validation", "small"), ("validation", "larger"), ("test", "larger")):
        for number in range(12):
            label, sure = "ab"[number % 2], 0.9 - 0.04 * number
            predicted = label if number % 5 else "ab"[(number + 1) % 2]
            probabilities = {f"probability_{name}": sure if name == predicted else 1 - sure for name in "ab"}
            known = {"image_id": str(number), "file": f"{label}/{number}.jpg", "split": part, "stage": stage}
            loss = -float(np.log(probabilities[f"probability_{label}"]))
            rows.append(
                {**known, "label": label, "predicted": predicted, "loss": loss, "energy": -sure, **probabilities}
            )
    table = pd.DataFrame(rows)
    validation = metrics.of_stage(table, "larger", "validation")
    numbers = metrics.compute_metrics(table, "larger").test["larger"].model_dump()
    names = {"a": "A", "b": "B"}
    return {
        "metrics": {name: float(value) for name, value in numbers.items() if isinstance(value, int | float)},
        "classes": metrics.classification_report(validation, ["a", "b"]).to_numpy().tolist(),
        "confused": metrics.most_confused(validation, names, 1).to_numpy().tolist(),
        "losses": metrics.top_losses(validation, names, 3)["file"].tolist(),
        "figure": _words(plots.confusion_matrix_figure(validation, ["a", "b"], names, "Validation")),
    }


def _words(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return sorted({text.get_text() for text in figure.findobj(Text) if text.get_text()})


def bundles(folder: Path) -> Any:
    import onnx

    blocks("RGB", (60, 40)).save(folder / "picture.png")
    bundle = make_bundle(checkpoint(), [str(folder / "picture.png")])
    model = onnx.load_from_string(bundle.files["model.onnx"])
    texts = {name: hashlib.sha256(text).hexdigest()[:12] for name, text in bundle.files.items() if name.endswith(".py")}
    ends = [each.name for each in (*model.graph.input, *model.graph.output)]
    return {**texts, "ends": ends, "facts": sorted(each.key for each in model.metadata_props)}


MAKERS: dict[str, Callable[[Path], Any]] = {
    "drawn_pictures": drawn_pictures,
    "prepared_pictures": prepared_pictures,
    "image_tables": image_tables,
    "decoded_pixels": decoded_pixels,
    "splits": splits,
    "trained_networks": trained_networks,
    "predictions": predictions,
    "calibrated_models": calibrated_models,
    "reports": reports_made,
    "bundles": bundles,
}
GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
# in grey levels, or in the unit of the numbers; machines round, and add, in other ways
TOLERANCE = {
    "drawn_pictures": 2,
    "prepared_pictures": 3,
    "decoded_pixels": 2,
    "trained_networks": 0.02,
    "predictions": 0.01,
}


def alike(made: Any, golden: Any, tolerance: float) -> bool:
    match golden:
        case dict():
            return made.keys() == golden.keys() and all(alike(made[name], golden[name], tolerance) for name in golden)
        case list():
            return len(made) == len(golden) and all(alike(*both, tolerance) for both in zip(made, golden, strict=True))
        case int() | float():
            return abs(made - golden) <= tolerance
    return bool(made == golden)


@pytest.mark.parametrize("family", VERSIONS)
def test_results_come_out_as_their_version_made_them(family: str, tmp_path: Path):
    noted, made, words = GOLDEN[family]["version"], MAKERS[family](tmp_path), family.replace("_", " ")
    assert noted == VERSIONS[family], (
        f"{words} have version {VERSIONS[family]}, and what tests/golden.json notes is of version {noted}. Look at "
        f"what comes out now, and note it: {json.dumps(made)}"
    )
    assert alike(made, GOLDEN[family]["result"], TOLERANCE.get(family, 1e-3)), (
        f"{words} come out otherwise than version {noted} made them. If that is meant, raise {family} in "
        f"src/guitar_kedro/versions.py to {noted + 1}, or results of before would stay, and note in tests/golden.json "
        f"what comes out now: {json.dumps(made)}"
    )
