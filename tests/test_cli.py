"""The real command line: what works on a fresh clone, and what a mistake is answered with."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_project import Kedro, kedro_in, make_project

SHORT = "architecture=squeezenet1_1,weights=none,image_size=48,epochs=1,stages.small.image_size=32"
pytestmark = pytest.mark.process


def draw_photos(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 12) -> Path:
    """Draws class folders: each class has a colour of its own, each picture blocks of its own."""
    generator = np.random.default_rng(0)
    for number, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(0, 120, (6, 6, 3))
            pixels[..., number % 3] += 130
            picture = Image.fromarray(pixels.astype(np.uint8)).resize((40, 40), Image.Resampling.BICUBIC)
            picture.save(folder / label / f"{index}.jpg")
    return folder


@pytest.fixture(scope="module")
def untouched_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone that stays as it is, whatever is tried in it."""
    return make_project(tmp_path_factory.mktemp("untouched") / "project")


def made_by_runs(project: Path) -> list[Path]:
    """All files of a project's data but the records of its runs and what keeps them apart."""
    files = [path for path in (project / "data").rglob("*") if path.is_file()]
    return [path for path in files if "run_record.json" not in path.parts and not path.name.startswith(".lock")]


def one_line(run: subprocess.CompletedProcess[str]) -> str:
    """The sentence a failed command ends with."""
    output = run.stdout + run.stderr
    assert run.returncode != 0, output
    assert "Traceback" not in output
    sentence = output.strip().splitlines()[-1]
    assert sentence.startswith("Error: ")
    return sentence


def test_both_spellings_train_a_fresh_clone(kedro: Kedro, project: Path):
    for option in ("--pipeline=train", "--pipelines=train"):
        run = kedro("run", option, "--params=images_per_class=4,image_pixels=48")
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Warning" not in run.stdout + run.stderr
    assert "calibrate.calibrate_model: unchanged since" in run.stdout
    assert list((project / "data/06_models/demo/model").glob("*/model/spec.json"))


def test_commands_that_do_not_train_do_not_wait_for_torch(project: Path):
    code = (
        "import sys; from pathlib import Path; from kedro.framework.startup import bootstrap_project;"
        "bootstrap_project(Path('.')); from kedro.framework.project import pipelines; list(pipelines);"
        "import guitar_kedro.cli;"
        "heavy = {'torch', 'fastai', 'pandas.core', 'matplotlib'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_commands_that_look_at_the_nodes_wait_for_neither_torch_nor_matplotlib(project: Path):
    command = [sys.executable, "-X", "importtime", "-m", "kedro", "catalog", "list-patterns"]
    run = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=True)
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert {"guitar_kedro.metrics", "guitar_kedro.plots", "guitar_kedro.cards"} <= imported
    assert not imported & {"torch", "fastai", "matplotlib"}


def test_the_recipe_of_the_article_has_three_stages_of_two_phases_of_three_nodes(project: Path):
    run = kedro_in(project, "registry", "describe", "training", KEDRO_ENV="guitars")
    nodes = [line for line in run.stdout.splitlines() if line.startswith("- train.resnet")]
    assert len(nodes) == 18
    assert {line.split(".")[1] for line in nodes} == {"resnet34_224px", "resnet50_224px", "resnet50_448px"}


def test_photos_in_class_folders_are_trained_on_and_come_back_by_the_name_of_the_workspace(
    kedro: Kedro, project: Path, tmp_path: Path
):
    photos = draw_photos(tmp_path / "photos")
    run = kedro("run", "--env=photos", f"--params=images={photos},name=pets,{SHORT}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Accuracy on test" in run.stdout

    archive = tmp_path / "photos.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(draw_photos(tmp_path / "birds", ("finch", "wren", "robin")), arcname="a folder around them")
    run = kedro("run", "--env=photos", "--pipelines=ingestion,splitting", f"--params=images={archive},name=birds")
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(pd.read_csv(project / "data/05_model_input/birds/splits.csv")["label"]) == {"finch", "wren", "robin"}
    assert len(list((project / "data/06_models/pets/model").iterdir())) == 1

    run = kedro("run", "--env=photos", f"--params=name=pets,{SHORT}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "train.large.train_unfrozen: unchanged since" in run.stdout
    assert len(list((project / "data/06_models/pets/model").iterdir())) == 1
    assert "cat" in (project / "data/05_model_input/pets/splits.csv").read_text()


def test_the_recipe_of_today_trains_on_photos_and_ends_with_a_card(kedro: Kedro, project: Path, tmp_path: Path):
    network = SHORT.replace("squeezenet1_1", "test_convnext")
    run = kedro("run", "--env=modern", f"--params=images={draw_photos(tmp_path / 'photos')},name=pets,{network}")
    assert run.returncode == 0, run.stdout + run.stderr
    (card,) = (project / "data/08_reporting/pets/model_card.md").glob("*/model_card.md")
    text = card.read_text(encoding="utf-8")
    assert "layer decay 0.85" in text
    assert str(tmp_path) not in text  # a card is for others, to whom folders of this computer say too much


def test_upright_photos_are_trained_on_explained_and_predicted_in_their_shape(
    kedro: Kedro, project: Path, tmp_path: Path
):
    photos = draw_photos(tmp_path / "photos")
    sizes = "image_size=[64,48],stages.small.image_size=[48,36]"
    recipe = f"architecture=squeezenet1_1,weights=none,epochs=1,{sizes}"
    run = kedro("run", "--env=photos", f"--params=images={photos},name=upright,{recipe}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (project / "data/05_model_input/upright/pixels_64x48px/index.json").exists()
    reports = project / "data/08_reporting/upright"
    (page,) = reports.glob("model_card.html/*/*.html")
    assert "64 by 48 pixels (height by width), resized by" in page.read_text(encoding="utf-8")
    (table,) = reports.glob("stage_comparison.csv/*/*.csv")
    assert set(pd.read_csv(table)["image_size"]) == {"48 x 36", "64 x 48"}

    run = kedro("run", "--env=photos", f"--params=name=upright,{recipe}")
    assert "train.large.train_unfrozen: unchanged since" in run.stdout
    run = kedro("run", "--env=photos", "--pipeline=predict", f"--params=images={photos},name=upright,{recipe}")
    assert run.returncode == 0, run.stdout + run.stderr


def test_photos_beside_the_projects_own_data_are_only_read_and_may_be_moved(kedro: Kedro, project: Path):
    command = ("run", "--env=photos", "--pipelines=ingestion")
    photos = draw_photos(project / "data/01_raw/pets", count=4)
    there = sorted(photos.rglob("*"))
    for _ in range(2):
        run = kedro(*command, "--params=images=data/01_raw/pets,name=pets")
        assert run.returncode == 0, run.stdout + run.stderr
        assert sorted(photos.rglob("*")) == there
        assert len((project / "data/03_primary/pets/rejected_images.csv").read_text().splitlines()) == 1
    assert "Completed" not in run.stdout
    photos.rename(photos.with_name("moved"))
    for params in ("images=data/01_raw/moved,name=pets", "name=pets"):
        run = kedro(*command, f"--params={params}")
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Completed" not in run.stdout
    sentence = one_line(kedro(*command, "--params=images=data,name=pets"))
    assert "data is no place for pictures, since this project writes to data/" in sentence
    assert kedro(*command, "--params=name=pets").returncode == 0


def test_a_table_of_labels_with_groups_and_parts_is_followed_and_one_that_cannot_be_is_told_first(
    kedro: Kedro, project: Path, tmp_path: Path
):
    photos = draw_photos(tmp_path / "photos", count=12)
    files = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.*"))
    rows = [(file, f"is {file[:3]}", f"g{place % 5}", "test" * (place % 5 == 4)) for place, file in enumerate(files)]
    table = pd.DataFrame(rows, columns=["filename", "class", "group", "set"])
    table.to_csv(tmp_path / "labels.csv", index=False)
    command = ("run", "--env=photos", "--pipelines=ingestion,splitting")
    options = r"splitting.leaks=move,splitting.group_from=(\d+)\.jpg"  # of files that the table gives no group
    run = kedro(*command, f"--params=images={photos},labels={tmp_path / 'labels.csv'},name=pets,{options}")
    assert run.returncode == 0, run.stdout + run.stderr
    splits = pd.read_csv(project / "data/05_model_input/pets/splits.csv")
    images = pd.read_csv(project / "data/03_primary/pets/image_table.csv").merge(splits, on="image_id")
    found = images.set_index("file").loc[files]
    assert found["label_x"].tolist() == table["class"].tolist()
    assert ((found["split"] == "test") == (found["given_split"] == "test")).all()
    assert found.groupby("group")["split"].nunique().max() == 1
    table.assign(**{"class": ["rare", *table["class"][1:]]}).to_csv(tmp_path / "labels.csv", index=False)
    run = kedro(*command, "--params=name=pets")
    assert "Class rare has only 1 of the 2 different images that it needs for the parts train, validation" in run.stderr
    assert "prepare_images" not in run.stdout


def test_photos_keep_their_part_when_others_come_and_a_class_is_renamed_or_goes(
    kedro: Kedro, project: Path, tmp_path: Path
):
    photos = draw_photos(tmp_path / "photos", ("cat", "dog", "fox"), 40)
    later = tmp_path / "later"
    for path in sorted(photos.rglob("*7.jpg")):
        (later / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(later / path.relative_to(photos))
    command = ("run", "--env=photos", "--to-nodes=list_image_labels")

    def parts(params: str = "name=pets") -> dict[str, str]:
        run = kedro(*command, f"--params={params}")
        assert run.returncode == 0, run.stdout + run.stderr
        table = max((project / "data/05_model_input").glob("*/splits.csv"), key=lambda path: path.stat().st_mtime)
        return pd.read_csv(table).set_index("image_id")["split"].to_dict()

    before = parts(f"images={photos},name=pets")
    shutil.copytree(later, photos, dirs_exist_ok=True)
    (photos / "cat").rename(photos / "tabby")
    shutil.move(photos / "fox", tmp_path / "fox")
    after = parts()
    assert len(after) == 80
    both = before.keys() & after.keys()
    assert len(both) == 72
    assert all(before[image] == after[image] for image in both)
    assert "Completed" not in kedro(*command, "--params=name=pets").stdout
    tables = project / "data/05_model_input/pets/image_labels.csv"
    labels = max(tables.iterdir()) / "image_labels.csv"
    assert parts(f"name=clone,images={photos},labels={labels}") == after


def test_pictures_to_predict_are_not_remembered_as_those_to_train_on(kedro: Kedro, project: Path, tmp_path: Path):
    photos = draw_photos(tmp_path / "photos", count=4)
    assert kedro("run", "--env=photos", "--pipelines=ingestion", f"--params=images={photos}").returncode == 0
    other = draw_photos(tmp_path / "other", count=4)
    kedro("run", "--env=photos", "--pipelines=predict", f"--params=images={other}")
    note = project / "data/02_intermediate/photos/source.json"
    assert json.loads(note.read_text(encoding="utf-8")) == {"images": str(photos)}


def test_a_machine_that_is_set_to_ascii_and_to_windows_that_it_lacks_runs_all(project: Path, tmp_path: Path):
    photos = draw_photos(tmp_path / "photos", ("Kätzchen", "собака"), 4)
    (photos / "Kätzchen" / "été.jpg").write_bytes(b"no picture")
    curation = "file;action;label\nKätzchen/1.jpg;drop;\nKätzchen/né.jpg;drop;\n"
    (project / "data/01_raw/photos").mkdir()
    (project / "data/01_raw/photos/curation.csv").write_text(curation, encoding="utf-8")
    command = [sys.executable, "-m", "kedro", "run", "--env=photos", "--pipelines=ingestion"]
    machine = {"PYTHONUTF8": "0", "LC_ALL": "C", "MPLBACKEND": "nonsense", "COLUMNS": "300"}
    run = subprocess.run(
        [*command, f"--params=images={photos}"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src"), **machine},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert b"for example K\\xe4tzchen/n\\xe9.jpg" in run.stdout
    rejected = (project / "data/03_primary/photos/rejected_images.csv").read_text(encoding="utf-8")
    assert '"Kätzchen/1.jpg","Kätzchen","dropped_by_curation"' in rejected
    assert '"Kätzchen/été.jpg","Kätzchen",' in rejected
    again = kedro_in(project, *command[3:])
    assert "Completed" not in again.stdout, again.stdout + again.stderr


def tar_with_a_name_that_leads_out(folder: Path) -> Path:
    with tarfile.open(folder / "evil.tar", "w") as tar:
        member = tarfile.TarInfo("../../evil/x.jpg")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    return folder / "evil.tar"


def zip_bomb(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for label in "ab":
            archive.writestr(f"{label}/x.jpg", b"\0" * 100_000_000)
    return folder / "bomb.zip"


def one_class(folder: Path) -> Path:
    return draw_photos(folder / "one", ("cat",))


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (one_class, "has one class only, 'cat'"),
        (tar_with_a_name_that_leads_out, "'../../evil/x.jpg', which leads out"),
        (zip_bomb, "bomb.zip unpacks to more than"),
    ],
)
def test_images_that_cannot_be_used_are_refused_in_one_line(
    untouched_project: Path, tmp_path: Path, make: Callable[[Path], Path], wrong: str
):
    images = f"--params=images={make(tmp_path)},{SHORT}"
    sentence = one_line(kedro_in(untouched_project, "run", "--env=photos", images))
    assert wrong in sentence
    assert not made_by_runs(untouched_project)
    assert not (tmp_path.parent / "evil").exists()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A local web server and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()


def test_an_archive_is_fetched_once_from_its_address(
    kedro: Kedro, project: Path, served: tuple[str, Path], tmp_path: Path
):
    url, folder = served
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for path in draw_photos(tmp_path / "photos").rglob("*.jpg"):
            archive.write(path, path.relative_to(tmp_path))
    command = ("run", "--env=photos", "--pipeline=ingestion", f"--params=images={url}/photos.zip")
    assert kedro(*command).returncode == 0
    (folder / "photos.zip").unlink()
    run = kedro(*command)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (project / "data/03_primary/photos/image_table.csv").read_text().count(".jpg") >= 24


def test_an_address_that_leads_nowhere_or_brings_something_else_is_told(
    kedro: Kedro, project: Path, served: tuple[str, Path]
):
    url, folder = served
    sentence = one_line(kedro("run", "--env=photos", f"--params=images={url}/nothing.tgz"))
    assert "404" in sentence
    assert "--params=images=PATH" in sentence
    (folder / "photos.zip").write_bytes(b"PK")
    wrong = one_line(kedro("run", "--env=photos", f"--params=images={url}/photos.zip,sha256={'a' * 64}"))
    assert "checksum" in wrong
    assert not made_by_runs(project)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--env=photos", f"--params={SHORT}"], "has no images yet: name them with --params=images="),
        (["--env=photos", "--params=imgaes=x"], "no such parameter in this environment. Did you mean images?"),
        (["--params=workspace=pets"], "no such parameter in this environment. Did you mean name?"),
        (["--env=photos", "--params=name=../pets"], "a workspace names a folder"),
        (["--env=fotos"], "there is no such environment; choose one of"),
        (["--pipeline=trian"], "There is no pipeline trian; choose one of"),
        (
            [
                "--pipeline=trian",
                "--params=nnodes=2,rdzv_endpoint=127.0.0.2:29400",
            ],  # as seen from 127.0.0.1, elsewhere
            "There is no pipeline trian; choose one of",
        ),
        (["--params=stages.larger.start_from=smal"], "there is no stage smal before larger"),
        (["--params=stages.small.image_size=-5"], "stages.small.image_size is -5; it must be a whole number"),
        (
            ["--env=photos", "--pipeline=evaluation", "--params=name=007"],
            "data/06_models/007/model is not there yet: run `kedro run --env=photos --params=name=007` first",
        ),
        (["--runner=ThreadRunner"], "--runner=ThreadRunner: nodes run one after another here"),
        (["--load-versions=model"], "--load-versions=model: Expected the form of"),
        (["--load-versions=model:2020-01-01T00.00.00.000Z"], "there is no such version; there is none yet"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence_before_anything_is_done(
    untouched_project: Path, arguments: list[str], wrong: str
):
    run = kedro_in(untouched_project, "run", *arguments)
    assert wrong in one_line(run)
    assert "Completed" not in run.stdout
    assert not made_by_runs(untouched_project)


def test_a_packed_configuration_is_run_with_parameters_from_a_folder_of_the_project(kedro: Kedro, project: Path):
    # as `kedro package` packs it
    archive = project / "conf-guitar_kedro.tar.gz"
    subprocess.run(["tar", "--exclude=local/*.yml", "-czf", archive, f"--directory={project}", "conf"], check=True)
    params = "--params=images_per_class=3,image_pixels=32"
    run = kedro_in(project, "run", "--pipeline=ingestion", f"--conf-source={archive}", params, folder="src")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (project / "data/03_primary/demo/image_table.csv").exists()
    assert "Completed prepare_images" in (project / "logs/guitar_kedro.log").read_text()
