"""Which pictures stand in which queue, in which order, and what becomes of decisions."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from PIL import Image
from rows import table_of
from small_service import jpeg

from guitar_kedro.datasets import (
    CheckpointDataset,
    CurationDataset,
    FeaturesDataset,
    MetricsDataset,
    OptionalPreparedImagesDataset,
    OptionalTableDataset,
    PreparedImagesDataset,
    TableDataset,
)
from guitar_kedro.datasets.decisions import DecisionRow, DecisionsFile
from guitar_kedro.images import FileRecord
from guitar_kedro.images.thumbnails import kept_thumbnail
from guitar_kedro.images.unlabelled import unlabelled_name
from guitar_kedro.learning import Features, FeatureStream
from guitar_kedro.metrics.predictions import PredictionRow
from guitar_kedro.metrics.suspects import SuspectRow
from guitar_kedro.pipelines.ingestion.schemas import ImageRow, RejectedRow
from guitar_kedro.pipelines.label_next.schemas import LabelQueueRow
from guitar_kedro.pipelines.splitting.schemas import SimilarRow, SplitRow
from guitar_kedro.serving.review.decisions import Decided, NotPossible
from guitar_kedro.serving.review.session import Session, Wanted
from guitar_kedro.serving.review.workspace import Workspace
from guitar_kedro.session import note_session

# of each image: its label, its part, the probability of "cat", and its energy
IMAGES = {
    "cat/0.jpg": ("cat", "train", 0.9, -9.0),
    "cat/1.jpg": ("cat", "train", 0.1, -9.0),
    "cat/2.jpg": ("cat", "validation", 0.55, -9.0),
    "cat/3.jpg": ("cat", "test", 0.2, -9.0),
    "dog/0.jpg": ("dog", "train", 0.95, -9.0),
    "dog/1.jpg": ("dog", "train", 0.05, 5.0),
    "dog/2.jpg": ("dog", "validation", 0.3, -9.0),
    "dog/é.jpg": ("dog", "test", 0.02, -9.0),
}
REJECTED = {
    "cat/a.jpg": ("cat", "label_conflict", "a"),
    "dog/a.jpg": ("dog", "label_conflict", "a"),
    "cat/x.jpg": ("cat", "truncated", ""),
    "unlabelled:0123456789abcdef0123/a.jpg": ("lion", "no_such_class", "b"),  # a picture, though no image
}


def record(file: str, label: str, content: bytes, **how: Any) -> FileRecord:
    digest = hashlib.sha256(content).hexdigest()
    hashes = {"prepared": digest[:20], "file_hash": digest, "pixel_hash": digest, "perceptual_hash": digest}
    return FileRecord(file, label, "x", 60, 40, **({} if how.get("reason") == "truncated" else hashes), **how)


class Made:
    """A workspace as runs leave it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.version = folder, Version(None, "2026-11-29T12.00.00.000Z")
        contents = {file: jpeg(number, (60, 40)) for number, file in enumerate(IMAGES)}
        records = [record(file, IMAGES[file][0], content) for file, content in contents.items()]
        refused = [
            record(file, label, content.encode(), reason=reason, detail="Why.")
            for file, (label, reason, content) in REJECTED.items()
        ]
        self.ids = {each.file: each.prepared for each in records}
        PreparedImagesDataset(self.at("prepared")).save(
            lambda _: ((each, contents.get(each.file)) for each in [*records, *refused])
        )
        self.put("image_table", ImageRow, [{**vars(each), "image_id": each.prepared} for each in records])
        self.put("rejected_images", RejectedRow, list(map(vars, refused)))
        of_images = [{"image_id": self.ids[file], "label": row[0], "split": row[1]} for file, row in IMAGES.items()]
        self.put("splits", SplitRow, of_images)

    def at(self, name: str) -> str:
        return str(self.folder / name)

    def put(self, name: str, schema: Any, rows: list[dict[str, Any]], is_versioned: bool = False) -> None:
        known = [{name: row[name] for name in schema.model_fields if name in row} for row in rows]
        if name == "image_table":
            known = [{**row, "duplicate_group": number} for number, row in enumerate(known)]
        columns = {name: [row[name] for row in known] for name in known[0]}
        shares = {f"probability_{name}": [row[name] for row in rows] for name in ("cat", "dog") if name in rows[0]}
        dataset = TableDataset(filepath=self.at(name), schema=schema, version=self.version if is_versioned else None)
        dataset.save(table_of(schema, **columns).assign(**shares))

    def predict(self, *files: str, name: str = "predictions") -> None:
        rows = [
            {
                "image_id": self.ids[file],
                "file": file,
                "stage": name,
                "split": part,
                "label": label,
                "predicted": "cat" if cat >= 0.5 else "dog",
                "energy": energy,
                "cat": cat,
                "dog": 1 - cat,
            }
            for file, (label, part, cat, energy) in IMAGES.items()
            if file in files or (not files and part != "train")
        ]
        self.put(name, PredictionRow, rows, is_versioned=True)

    def queue_unlabelled(self, **cats: float) -> dict[str, str]:
        """Makes the queue of pictures without labels: of each name the probability of "cat"."""
        contents = {name: jpeg(100 + number, (60, 40)) for number, name in enumerate(cats)}
        records = [record(name, "", content) for name, content in contents.items()]
        store = OptionalPreparedImagesDataset(self.at("unlabelled"))
        store.save(lambda _: ((each, contents[each.file]) for each in records))
        names = {each.file: unlabelled_name(each.file_hash, each.file) for each in records}
        rows = [
            {**vars(each), "file": names[name], "name": name, "image_id": each.prepared, "cat": cat, "dog": 1 - cat}
            for each, (name, cat) in zip(records, cats.items(), strict=True)
        ]
        said = [{"predicted": "cat" if row["cat"] > 0.5 else "dog", "energy": -9.0, "model": "abc"} for row in rows]
        self.put("label_queue", LabelQueueRow, [{**row, **more} for row, more in zip(rows, said, strict=True)])
        return names

    def workspace(self, **parameters: Any) -> Workspace:
        tables = {"image_table": ImageRow, "rejected_images": RejectedRow, "splits": SplitRow}
        datasets: dict[str, Any] = {
            name: TableDataset(filepath=self.at(name), schema=schema) for name, schema in tables.items()
        }
        versioned = {"suspect_labels": SuspectRow, "similar_images": SimilarRow, "applied_curation": DecisionRow}
        versioned |= {"predictions": PredictionRow, "out_of_fold_predictions": PredictionRow}
        for name, schema in versioned.items():
            datasets[name] = OptionalTableDataset(filepath=self.at(name), schema=schema, version=Version(None, None))
        datasets["label_queue"] = OptionalTableDataset(filepath=self.at("label_queue"), schema=LabelQueueRow)
        datasets["unlabelled_pictures"] = OptionalPreparedImagesDataset(self.at("unlabelled"))
        datasets["model"] = CheckpointDataset(self.at("model"), Version(None, None))
        datasets["curation_effect"] = MetricsDataset(filepath=self.at("effect"), version=Version(None, None))
        datasets["prepared_images"] = PreparedImagesDataset(self.at("prepared"))
        datasets["curation"] = CurationDataset(self.at("curation.csv"), self.at("shared.csv"))
        datasets["image_features"] = FeaturesDataset(self.at("features"))
        datasets["model_features"] = FeaturesDataset(self.at("features_of_validation"))
        known: dict[str, Any] = {"workspace": "pets", "display_names": {}, "stages": {}, "device": "cpu"}
        known["ingestion.duplicate_distance"] = 4
        datasets |= {f"params:{name}": MemoryDataset(value) for name, value in {**known, **parameters}.items()}
        return Workspace(DataCatalog(datasets))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    note_session({})  # whatever session a test before this one had
    return Made(tmp_path)


def files(session: Session, queue: str, **how: Any) -> list[str]:
    return [item["file"] for item in session.page(Wanted(queue=queue, **how))["items"]]


def test_before_there_is_a_model_there_are_conflicts_and_unreadable_files_to_look_at(made: Made):
    session = Session(made.workspace())
    assert files(session, "labels") == files(session, "unsure") == files(session, "strange") == []
    assert files(session, "conflicts") == ["cat/a.jpg", "dog/a.jpg"]
    (unreadable,) = session.page(Wanted(queue="unreadable"))["items"]
    assert (unreadable["file"], unreadable["remark"], unreadable["image"]) == ("cat/x.jpg", "Why.", "")
    assert len(files(session, "rest")) == len(IMAGES) + len(REJECTED)
    assert session.overview()["next"].endswith("`kedro run`")


def test_the_least_likely_labels_come_first_with_those_of_the_test_part(made: Made):
    made.predict()
    made.predict("cat/0.jpg", "cat/1.jpg", "dog/0.jpg", "dog/1.jpg", name="out_of_fold_predictions")
    suspects = [
        {"image_id": made.ids[file], "file": file, "label": file[:3], "suggested": "x", "probability": 0.9}
        for file in ("cat/1.jpg", "dog/0.jpg")
    ]
    made.put("suspect_labels", SuspectRow, suspects, is_versioned=True)
    session = Session(made.workspace())
    assert files(session, "labels") == ["dog/0.jpg", "cat/1.jpg", "cat/3.jpg"]
    assert files(session, "labels", part="test") == ["cat/3.jpg"]
    assert files(session, "unsure")[:2] == ["cat/2.jpg", "dog/2.jpg"]
    assert files(session, "strange")[0] == "dog/1.jpg"
    assert files(session, "all", label="cat", state="undecided")[:2] == ["cat/1.jpg", "cat/3.jpg"]
    item = session.page(Wanted(queue="labels"))["items"][0]
    assert (item["suggested"], item["probability"], item["of_label"]) == ("cat", 0.95, 0.05)


def test_pairs_that_look_alike_across_the_parts_come_first_and_stand_together(made: Made):
    pair = {"file": "cat/0.jpg", "similar_file": "dog/2.jpg", "similarity": 0.9}
    other = {"file": "cat/2.jpg", "similar_file": "dog/0.jpg", "similarity": 0.95}
    made.put("similar_images", SimilarRow, [pair, other], is_versioned=True)
    session = Session(made.workspace())
    assert files(session, "duplicates") == ["cat/0.jpg", "dog/2.jpg", "cat/2.jpg", "dog/0.jpg"]
    items = session.page(Wanted(queue="duplicates"))["items"]
    assert items[0]["remark"] == "0.90 alike to dog/2.jpg"
    assert items[0]["group"] == items[1]["group"] != items[2]["group"]


def test_what_is_decided_goes_on_where_it_was_and_leaves_what_nobody_has_looked_at(made: Made):
    session = Session(made.workspace())
    rest = files(session, "rest")
    progress = session.decide("rest", [Decided(file=rest[0], action="drop"), Decided(file=rest[1], action="keep")])[
        "progress"
    ]["rest"]
    assert progress == {"total": len(rest), "looked": 2, "changed": 1}
    assert files(session, "rest") == rest[2:]
    assert files(session, "rest", after=rest[3]) == rest[4:]
    assert files(session, "rest", before=rest[4])[:2] == rest[2:4]
    again = Session(made.workspace())
    assert files(again, "all", state="decided") == rest[:2]


def test_lines_of_a_person_and_of_another_window_are_seen_at_once(made: Made):
    session = Session(made.workspace())
    decomposed = unicodedata.normalize("NFD", "dog/é.jpg")
    Path(made.at("curation.csv")).write_text(f"file,action\n{decomposed},drop\n", encoding="utf-8")
    Path(made.at("shared.csv")).write_text("file,action\ncat/0.jpg,drop\nbird/0.jpg,drop\n", encoding="utf-8")
    assert set(files(session, "all", state="decided")) == {"cat/0.jpg", "dog/é.jpg"}
    session.decide("all", [Decided(file="dog/é.jpg", action="keep"), Decided(file="cat/0.jpg", action="keep")])
    rows = DecisionsFile(Path(made.at("curation.csv"))).rows()
    assert {file: row.action for file, row in rows.items()} == {decomposed: "keep", "cat/0.jpg": "keep"}


def test_when_a_run_has_made_other_tables_they_are_shown(made: Made):
    session = Session(made.workspace())
    session.decide("all", [Decided(file="cat/3.jpg", action="relabel", label="dog")])
    assert session.overview()["next"] == "1 decision for the next run to follow: `kedro run`"
    made.put("applied_curation", DecisionRow, [{"file": "cat/3.jpg", "action": "relabel", "label": "dog"}], True)
    made.predict()
    assert "cross_validation" in session.overview()["next"]
    assert files(session, "labels") == ["cat/3.jpg"]


def test_the_nearest_pictures_of_both_classes_stand_beside_one_and_odd_ones_come_first(made: Made):
    values = np.random.default_rng(0).normal(size=(len(IMAGES), 8)).astype(np.float32)
    for row, file in enumerate(IMAGES):
        values[row, 0] += 20 if file.startswith("cat") else -20
    values[1] = values[4] + 0.1  # cat/1.jpg looks like dog/0.jpg
    ids = tuple(made.ids.values())
    FeaturesDataset(made.at("features")).save(FeatureStream("key", ids, lambda _: iter([Features(ids, values, 1.0)])))
    session = Session(made.workspace())
    assert files(session, "all", label="cat")[0] == "cat/1.jpg"
    own, other = session.detail("cat/1.jpg")["neighbours"]
    assert (own["label"], other["label"]) == ("cat", "dog")
    assert other["pictures"][0]["file"] == "dog/0.jpg"
    assert {picture["file"] for picture in own["pictures"]} <= {"cat/0.jpg", "cat/2.jpg", "cat/3.jpg"}


def test_a_thumbnail_is_made_once_and_may_go_with_its_picture(made: Made):
    store = PreparedImagesDataset(made.at("prepared"))
    path = store.folder / f"{'0' * 20}.jpg"
    path.write_bytes(jpeg(1, (600, 400)))
    thumbnail = kept_thumbnail(path)
    with Image.open(thumbnail) as picture:
        assert picture.size == (256, 171)
    written = thumbnail.stat().st_mtime_ns
    assert kept_thumbnail(path).stat().st_mtime_ns == written
    assert set(store.unneeded()) == {path, thumbnail}  # it stands in no record


def test_pictures_that_are_small_are_their_own_thumbnails_and_others_have_no_address(made: Made):
    session = Session(made.workspace())
    name = made.ids["cat/0.jpg"]
    assert session.picture(name, is_thumbnail=True) == session.picture(name, is_thumbnail=False)
    with pytest.raises(KeyError):
        session.picture("0" * 20, is_thumbnail=False)
    session.picture(name, is_thumbnail=False).unlink()
    with pytest.raises(FileNotFoundError):
        session.picture(name, is_thumbnail=False)


def test_where_no_picture_is_in_the_test_part_the_model_is_the_stage_whose_rows_come_last(made: Made):
    made.predict("cat/2.jpg", "dog/2.jpg")
    assert files(Session(made.workspace()), "unsure") == ["cat/2.jpg", "dog/2.jpg"]


def test_pictures_without_labels_stand_in_their_own_queue_alone_and_get_a_class(made: Made):
    names = made.queue_unlabelled(a=0.55, b=0.9, c=0.2)
    made.predict()
    session = Session(made.workspace())
    assert files(session, "next") == list(names.values())
    assert files(session, "next", label="dog") == [names["c"]]
    others = {queue["key"] for queue in session.overview()["queues"]} - {"next"}
    assert not any(set(names.values()) & set(files(session, queue)) for queue in others)
    assert [each["label"] for each in session.detail(names["c"])["likeliest"]] == ["dog", "cat"]
    assert session.picture(session.page(Wanted(queue="next"))["items"][0]["image"], is_thumbnail=False).exists()
    decided = [
        Decided(file=names["a"], action="keep", label="cat"),
        Decided(file=names["b"], action="relabel", label="dog"),
        Decided(file=names["c"], action="drop"),
    ]
    session.decide("next", decided)
    rows = DecisionsFile(Path(made.at("curation.csv"))).rows()
    assert [(row.action, row.label) for row in rows.values()] == [("keep", "cat"), ("relabel", "dog"), ("drop", "")]
    assert rows[names["a"]].why == "what to label next, by model abc: predicted cat, 55.0 %"
    assert session.overview()["next"].startswith("2 decisions for the next run to follow")
    with pytest.raises(NotPossible, match="has no class yet: name the one that it gets"):
        session.decide("next", [Decided(file=names["a"], action="keep")])
    with pytest.raises(NotPossible, match="There is no class tiger"):
        session.decide("next", [Decided(file=names["a"], action="keep", label="tiger")])


def test_a_picture_that_the_last_run_accepted_is_an_image_and_waits_for_no_label(made: Made):
    names = made.queue_unlabelled(a=0.55, b=0.9)
    (first, *_), table = names.values(), Made.workspace(made).load().images
    joined = table.iloc[:1].assign(file=first, image_id="0" * 20)
    rows = [*table.to_dict(orient="records"), *joined.to_dict(orient="records")]
    made.put("image_table", ImageRow, rows)
    session = Session(made.workspace())
    assert files(session, "next") == [names["b"]]
    assert first in files(session, "all")
    session.decide("all", [Decided(file=first, action="keep", label="cat")])
    assert DecisionsFile(Path(made.at("curation.csv"))).rows()[first].label == "cat"


def test_without_such_pictures_the_queue_says_how_to_name_some(made: Made):
    about = {queue["key"]: queue["about"] for queue in Session(made.workspace()).overview()["queues"]}["next"]
    assert "`kedro run --pipeline=label_next --params=unlabelled=DIR`" in about


def test_where_there_are_no_maps_of_where_the_model_looks_it_is_said_how_to_get_them(
    made: Made, monkeypatch: pytest.MonkeyPatch
):
    def missing(file: str = "cat/0.jpg") -> str:
        return Session(made.workspace()).look(file).result(timeout=10).missing

    assert missing().endswith("`kedro run`")
    with pytest.raises(KeyError):
        missing("cat/x.jpg")  # of which there is no picture
    (Path(made.at("model")) / "2026-11-29T12.00.00.000Z" / "model").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "guitar_kedro.learning.inference.predictor", None)  # as where torch is not there
    assert "pip install 'guitar-kedro[train]'" in missing()
