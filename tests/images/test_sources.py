"""Where raw images come from: class folders, archives, addresses."""

import errno
import hashlib
import http.server
import io
import logging
import os
import re
import tarfile
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from class_folders import find_photos, photos_in_folder
from storage import Storage, serve_folder

from guitar_kedro.errors import UserError
from guitar_kedro.images.downloads import download
from guitar_kedro.images.probing import Limits, UnreadableImage
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import ImageStream, address_state, find_images, stream_images


def write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def archive_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name.encode())
            archive.addfile(member, io.BytesIO(name.encode()))
    return buffer.getvalue()


def listed(images: list[RawImage]) -> list[tuple[str, str]]:
    assert len({image.file for image in images}) == len(images)
    return [(image.file, image.label) for image in images]


def problem_of(image: RawImage) -> str:
    with pytest.raises(UnreadableImage) as refused:
        image.read()
    assert refused.value.detail.endswith(".")
    return refused.value.reason


def test_the_class_is_the_folder_a_file_lies_in(tmp_path: Path):
    write(tmp_path, "b/2.jpg", "b/1.jpg", "a/x y.png", "a/notes.txt")
    images = photos_in_folder(tmp_path)
    assert listed(images) == [("a/notes.txt", "a"), ("a/x y.png", "a"), ("b/1.jpg", "b"), ("b/2.jpg", "b")]
    assert [image.read() for image in images] == [image.file.encode() for image in images]


def test_class_folders_may_lie_deeper(tmp_path: Path):
    write(tmp_path / "one", "guitars/old/jaguar/1.jpg", "guitars/old/mustang/1.jpg")
    assert [label for _, label in listed(photos_in_folder(tmp_path / "one"))] == ["jaguar", "mustang"]
    write(tmp_path / "two", "guitars/jaguar/1.jpg", "guitars/mustang/1.jpg", "more/old/mustang/2.jpg")
    images = photos_in_folder(tmp_path / "two", folders="class")
    assert [label for _, label in listed(images)] == ["jaguar", "mustang", "mustang"]


def test_clutter_and_hidden_files_are_not_listed(tmp_path: Path):
    write(tmp_path, "a/1.jpg", "b/1.jpg", "a/.DS_Store", "a/._1.jpg", "b/Thumbs.db", ".git/x/y", "__MACOSX/a/1.jpg")
    assert listed(photos_in_folder(tmp_path)) == [("a/1.jpg", "a"), ("b/1.jpg", "b")]


def test_files_beside_the_class_folders_are_listed_with_a_problem(tmp_path: Path):
    images = photos_in_folder(write(tmp_path, "a/1.jpg", "b/1.jpg", "readme.txt"))
    assert [problem_of(image) for image in images if not image.label] == ["no_class_folder"]


def test_pictures_beside_the_class_folders_are_warned_of_and_notes_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    photos_in_folder(write(tmp_path / "notes", "a/1.jpg", "b/1.jpg", "readme.txt"))
    assert not caplog.messages
    photos_in_folder(write(tmp_path / "split", "train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg", "fox/1.jpg"))
    assert (
        "Pictures are left out (1), for example fox/1.jpg: It lies in none of the folders test, train." in caplog.text
    )


def test_fewer_folders_than_were_named_are_told(tmp_path: Path):
    with pytest.raises(UserError, match=r"folders=class/group: the pictures of .* lie in fewer .* for example a/1.jpg"):
        photos_in_folder(write(tmp_path, "a/1.jpg", "b/1.jpg"), folders="class/group")


def test_links_are_followed_inside_the_folder_only(tmp_path: Path):
    folder = write(tmp_path / "photos", "a/1.jpg", "b/1.jpg")
    write(tmp_path, "secret.jpg", "elsewhere/2.jpg")
    (folder / "a/inside.jpg").symlink_to(folder / "b/1.jpg")
    (folder / "a/outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "a/nothing.jpg").symlink_to(folder / "missing.jpg")
    (folder / "c").symlink_to(tmp_path / "elsewhere")
    (folder / "a/loop").symlink_to(folder)
    images = {image.file: image for image in photos_in_folder(folder)}
    assert images.pop("a/inside.jpg").read() == b"b/1.jpg"
    odd = {name: problem_of(image) for name, image in images.items() if image.problem}
    assert odd == dict.fromkeys(["a/outside.jpg", "a/nothing.jpg", "a/loop", "c"], "link_not_followed")
    (tmp_path / "link").symlink_to(folder)
    assert len(photos_in_folder(tmp_path / "link")) == 7


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with serve_folder(tmp_path / "storage") as storage:
        yield storage


@pytest.fixture
def sources(storage: Storage, tmp_path: Path) -> Callable[..., list[str]]:
    """Makes a folder, an archive and an address of the same files."""

    def make(*names: str) -> list[str]:
        write(tmp_path / "photos", *names)
        write(storage.folder / "photos", *names)
        (tmp_path / "photos.tgz").write_bytes(archive_of(*names))
        return [str(tmp_path / "photos"), str(tmp_path / "photos.tgz"), f"{storage.address}/photos"]

    return make


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Kätzchen") for form in ("NFC", "NFD"))


def test_a_class_is_one_however_its_accents_are_written(sources: Callable[..., list[str]], tmp_path: Path):
    for source in sources(f"{COMPOSED}/1.jpg", f"{DECOMPOSED}/1.jpg", "dog/1.jpg"):
        images = find_photos(source, tmp_path / "raw")
        assert sorted(image.label for image in images) == [COMPOSED, COMPOSED, "dog"]
        assert len({image.file for image in images}) == 3
        assert {image.label for image in stream_images(source, tmp_path / "raw")} == {COMPOSED, "dog"}
    folder = write(tmp_path / "holiday" / DECOMPOSED, "1.jpg")
    for one in (folder, folder / "1.jpg"):
        assert [image.label for image in stream_images(str(one), tmp_path)] == [COMPOSED]


def test_names_take_one_line_and_are_distinct(tmp_path: Path):
    odd = [
        "Icon\r",
        "line\nbreak.jpg",
        "tab\t.jpg",
        "\u202egnp.jpg",
        "\u2028.jpg",
        "\\n.jpg",
        "\n.jpg",
        "nbsp\u00a0.jpg",
    ]
    write(tmp_path, *(f"a\r/{name}" for name in odd), "b/1.jpg")
    images = photos_in_folder(tmp_path)
    assert listed(images)[-1] == ("b/1.jpg", "b")
    assert {image.file for image in images[:-1]} == {
        f"a\\r/{name}"
        for name in (
            "Icon\\r",
            "line\\nbreak.jpg",
            "tab\\t.jpg",
            "\\u202egnp.jpg",
            "\\u2028.jpg",
            "\\\\n.jpg",
            "\\n.jpg",
            "nbsp\u00a0.jpg",
        )
    }
    assert {image.label for image in images[:-1]} == {"a\\r"}
    assert [image.read() for image in images[-1:]] == [b"b/1.jpg"]


def test_a_hidden_file_is_one_whose_name_begins_with_a_dot(tmp_path: Path):
    write(tmp_path, "a/1\\.jpg", "b/.1.jpg", "b/1.jpg")
    assert len(photos_in_folder(tmp_path)) == 2


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "test/cat/3.jpg"], "train train validation test"),
        (["pets/Training/cat/1.jpg", "pets/Training/dog/1.jpg", "pets/validation/cat/2.jpg"], "train train validation"),
        (
            ["seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/2.jpg", "seg_test/seg_test/sea/3.jpg"],
            "train train test",
        ),
        (["trainval/cat/1.jpg", "trainval/dog/2.jpg", "test/cat/3.jpg"], "train train test"),
        (["X_train/cat/1.jpg", "X_train/dog/2.jpg", "X_test/cat/3.jpg"], "train train test"),
        (["train_dataset/cat/1.jpg", "train_dataset/dog/2.jpg", "test-images/cat/3.jpg"], "train train test"),
        (["trn/cat/1.jpg", "trn/dog/2.jpg", "tst/cat/3.jpg"], "train train test"),
        (["train_folder/cat/1.jpg", "train_folder/dog/2.jpg", "held-out/cat/3.jpg"], "train train test"),
        (["Entrenamiento/cat/1.jpg", "Entrenamiento/dog/2.jpg", "Prueba/cat/3.jpg"], "train train test"),
        (["train2017/cat/1.jpg", "train2017/dog/2.jpg", "val2017/cat/3.jpg"], "train train validation"),
    ],
)
def test_the_split_that_photos_came_with_is_taken_over(
    sources: Callable[..., list[str]], tmp_path: Path, names: list[str], parts: str
):
    for source in sources(*names, "readme.txt", "pred/4.jpg", "pred/more/5.jpg"):
        images = {image.file: image for image in find_photos(source, tmp_path / "raw")}
        assert [images[name].split for name in names] == parts.split()
        assert [images[name].label for name in names] == [name.split("/")[-2] for name in names]
        beside = [images[name] for name in ("pred/4.jpg", "readme.txt")]
        assert {(image.label, problem_of(image)) for image in beside} == {("", "outside_of_split")}


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["valid/cat/1.jpg", "valid/dog/1.jpg", "test/cat/2.jpg"], "There is none to train on: call one of them train"),
        (["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "dog/test/4.jpg"], "--params=folders=class/split"),
        (["train/1.jpg", "test/2.jpg"], "Put one folder per class into each of them"),
        (["cat_train/1.jpg", "cat_test/2.jpg", "dog_train/3.jpg", "dog_test/4.jpg"], "--params=labels=FILE"),
        (["trainA/1.jpg", "trainB/2.jpg", "testA/3.jpg", "testB/4.jpg"], "--params=labels=FILE"),
    ],
)
def test_a_split_of_which_nobody_can_tell_the_parts_is_refused_and_not_mixed(
    sources: Callable[..., list[str]], tmp_path: Path, names: list[str], advice: str
):
    for source in sources(*names):
        with pytest.raises(UserError, match="has a split of its own") as refused:
            find_photos(source, tmp_path / "raw")
        assert source in str(refused.value)
        assert advice in str(refused.value)
        assert len(list(stream_images(source, tmp_path / "raw"))) == len(names)


def test_a_class_that_stands_in_the_test_part_alone_is_named_and_one_that_is_missing_there_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = write(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg")
    photos_in_folder(folder)
    assert "has no images of dog in its test part" in caplog.text
    write(folder, "test/fox/3.jpg")
    with pytest.raises(UserError, match="has images of fox in its test part, and none in its training part"):
        photos_in_folder(folder)


@pytest.mark.parametrize(
    "names",
    [
        ["train/1.jpg", "bus/1.jpg"],
        ["train/cat/1.jpg", "train/dog/1.jpg"],
        ["test/1.jpg", "cat/1.jpg"],
        ["train station/1.jpg", "bus stop/1.jpg"],
        ["steam train/1.jpg", "toy train/1.jpg"],
        ["toy train/1.jpg", "test tube/1.jpg"],
        ["train/1.jpg", "test tube/1.jpg"],
        ["constraint/1.jpg", "contest/1.jpg"],
        ["devil/1.jpg", "valley/1.jpg"],
        ["data/1.jpg", "images/1.jpg"],
    ],
)
def test_a_class_or_a_folder_of_classes_may_be_called_train(tmp_path: Path, names: list[str]):
    assert len(photos_in_folder(write(tmp_path, *names))) == 2


def test_pictures_beside_folders_of_pictures_are_refused(sources: Callable[..., list[str]], tmp_path: Path):
    for source in sources("cat/1.jpg", "cat/2023/2.jpg", "dog/3.jpg"):
        with pytest.raises(UserError, match="has pictures in cat and in the folder cat/2023") as refused:
            find_photos(source, tmp_path / "raw")
        assert source in str(refused.value)
        assert "'cat' and '2023'" in str(refused.value)


@pytest.mark.parametrize("names", [["cat.zip", "dog.zip"], ["pets/cat.tar.gz", "pets/dog.TGZ"], ["a/1.zip", "b/2.7z"]])
def test_archives_in_place_of_class_folders_are_told(
    sources: Callable[..., list[str]], tmp_path: Path, names: list[str]
):
    for source in sources(*names, "readme.txt"):
        with pytest.raises(UserError, match=f"holds archives, {names[0]}, {names[1]}, and no pictures. Unpack each"):
            find_photos(source, tmp_path / "raw")


def test_notes_may_lie_beside_class_folders(tmp_path: Path):
    write(tmp_path, "guitars/readme.txt", "guitars/labels.csv", "guitars/cat/1.jpg", "guitars/dog/1.jpg")
    assert len(photos_in_folder(tmp_path)) == 4


@pytest.mark.parametrize(
    ("folders", "labels", "groups"),
    [
        ("class/group", ["cat", "cat", "dog"], ["cat/2023", "cat/2024", "dog/2023"]),
        ("group/class", ["2023", "2024", "2023"], ["cat", "cat", "dog"]),
        ("class", ["2023", "2024", "2023"], ["", "", ""]),
        ("class/*", ["cat", "cat", "dog"], ["", "", ""]),
    ],
)
def test_folders_in_class_folders_are_refused_until_it_is_said_which_are_the_classes(
    sources: Callable[..., list[str]], tmp_path: Path, folders: str, labels: list[str], groups: list[str]
):
    for source in sources("cat/2023/1.jpg", "cat/2024/2.jpg", "dog/2023/3.jpg", "4.jpg"):
        with pytest.raises(UserError, match=r"in several folders, cat/2023, dog/2023: which of them are the classes\?"):
            find_photos(source, tmp_path / "raw")
        images = [image for image in find_photos(source, tmp_path / "raw", folders=folders) if image.label]
        assert ([image.label for image in images], [image.group for image in images]) == (labels, groups)


def test_parts_of_a_split_may_lie_in_the_class_folders(tmp_path: Path):
    folder = write(tmp_path, "cat/train/1.jpg", "cat/val/2.jpg", "dog/train/3.jpg")
    images = photos_in_folder(folder, folders="class/split")
    assert [(image.label, image.split) for image in images] == [
        ("cat", "train"),
        ("cat", "validation"),
        ("dog", "train"),
    ]
    write(folder, "dog/more/4.jpg")
    with pytest.raises(UserError, match="has the folder dog/more: more is none of train, validation and test"):
        photos_in_folder(folder, folders="class/split")
    with pytest.raises(UserError, match=r"folders=klass/group: name the folders .* as in folders=class/group"):
        photos_in_folder(folder, folders="klass/group")


def test_classes_whose_names_are_read_in_an_assumed_encoding_are_told_until_it_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", encoding="cp866", format=tarfile.GNU_FORMAT) as archive:
        for name in ("кот/1.jpg", "dog/1.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    for ask in (find_photos, find_photos, stream_images):
        caplog.clear()
        list(ask(str(tmp_path / "a.tar"), tmp_path / "raw"))
        (line,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
        assert "classes are called \\xaa\\xae\\xe2." in line
        assert "--params=names_encoding=" in line
    caplog.clear()
    images = find_photos(str(tmp_path / "a.tar"), tmp_path / "raw", names_encoding="cp866")
    assert [image.label for image in images] == ["dog", "кот"]
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_links_that_lead_outside_are_named_where_they_are_why_nothing_is_left(tmp_path: Path):
    outside = write(tmp_path / "outside", "cat/1.jpg", "dog/1.jpg")
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.jpg").symlink_to(outside / name / "1.jpg")
    with pytest.raises(UserError, match=r"No file in the class folders of .* can be used") as refused:
        photos_in_folder(tmp_path / "photos")
    assert f"cat/1.jpg: It is a link to {outside / 'cat' / '1.jpg'}, outside of the folder" in str(refused.value)
    write(tmp_path / "linked", "cat/1.jpg")
    (tmp_path / "linked" / "dog").symlink_to(outside / "dog")
    with pytest.raises(UserError, match=r"one class only, 'cat'.* dog: It is a link to .*/dog, outside") as refused:
        photos_in_folder(tmp_path / "linked")
    assert "put a copy in its place" in str(refused.value)


def test_links_that_lead_nowhere_are_told_as_such(tmp_path: Path):
    folder = write(tmp_path / "photos", "a/1.jpg", "b/1.jpg")
    (folder / "a" / "circle.jpg").symlink_to("circle.jpg")
    (folder / "a" / "gone.jpg").symlink_to(tmp_path / "gone.jpg")
    (folder / "a" / "bytes.jpg").symlink_to(os.fsdecode(b"caf\xe9\n.jpg"))
    problems = [image.problem[1] for image in photos_in_folder(folder) if image.problem]
    assert len(problems) == 3
    assert all("which leads to nothing that can be reached" in problem for problem in problems)
    assert "caf\\xe9\\n.jpg" in problems[0]
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=r"link is a link to .*/gone, where nothing is"):
        photos_in_folder(tmp_path / "link")


def test_hidden_files_are_named_where_there_are_no_others(tmp_path: Path):
    write(tmp_path / "photos", ".cat/1.jpg", ".dog/1.jpg")
    for ask in (find_photos, stream_images):
        with pytest.raises(UserError, match=r"no files in .*photos but hidden ones.*, for example \.(cat|dog)/1\.jpg"):
            ask(str(tmp_path / "photos"), tmp_path)


def test_folders_that_give_no_class_are_named_where_one_class_is_left(tmp_path: Path):
    write(tmp_path, "pets/cat/1.jpg", "pets/.dog/1.jpg")
    (tmp_path / "pets" / "bird").mkdir()
    with pytest.raises(UserError, match=r"one class only, 'cat'.* pets/\.dog is hidden, pets/bird is empty\."):
        photos_in_folder(tmp_path)


def test_a_pipe_does_not_stall_reading(tmp_path: Path):
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    os.mkfifo(tmp_path / "a/pipe.jpg")
    assert [problem_of(image) for image in photos_in_folder(tmp_path) if image.problem] == ["not_a_regular_file"]
    assert problem_of(RawImage("a/pipe.jpg", "a", tmp_path / "a/pipe.jpg")) == "not_a_regular_file"


def test_files_that_cannot_be_read_have_a_reason(tmp_path: Path):
    write(tmp_path, "a/1.jpg")
    assert problem_of(RawImage("a/2.jpg", "a", tmp_path / "a/2.jpg")) == "file_not_readable"
    with pytest.raises(UnreadableImage, match="too_many_bytes: The file has 7 bytes; at most 3 are read"):
        RawImage("a/1.jpg", "a", tmp_path / "a/1.jpg").read(Limits(max_bytes=3))


def test_names_that_are_no_text_are_made_printable(tmp_path: Path):
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/\xff.jpg"))).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    image = next(image for image in photos_in_folder(tmp_path) if "ff" in image.file)
    assert image.file == "a/\\xff.jpg"
    assert image.read() == b"x"
    (alone,) = ImageStream(image.path)
    assert (alone.file, alone.label) == ("\\xff.jpg", "a")


def test_a_file_that_may_be_read_now_is_another_one_than_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    image = RawImage("a/1.jpg", "a", write(tmp_path, "a/1.jpg") / "a/1.jpg")
    readable = image.state
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may read everything
    assert image.state != readable


def test_a_folder_that_cannot_be_listed_is_told_as_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a/1.jpg", "b/1.jpg", "c/d/1.jpg")
    scan = os.scandir

    def may_not(path: str) -> object:
        if Path(path) in refused:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", may_not)  # tests may run as root, who may list everything
    refused = {tmp_path / "c" / "d"}
    assert {image.file: image.problem and image.problem[0] for image in photos_in_folder(tmp_path)} == {
        "a/1.jpg": None,
        "b/1.jpg": None,
        "c/d": "folder_not_readable",
    }
    refused = {tmp_path}
    with pytest.raises(UserError, match=r"cannot be listed \(Permission denied\)"):
        photos_in_folder(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no files in"),
        (["a/.DS_Store"], "no files in"),
        (["1.jpg", "2.jpg"], "no class folder"),
        (["fender/1.jpg", "fender/2.jpg"], "one class only, 'fender'; at least two"),
    ],
)
def test_a_folder_or_archive_without_two_classes_is_refused(tmp_path: Path, names: list[str], message: str):
    folder = write(tmp_path / "photos", *names)
    folder.mkdir(exist_ok=True)
    (tmp_path / "photos.tgz").write_bytes(archive_of(*names))
    for source in (folder, tmp_path / "photos.tgz"):
        with pytest.raises(UserError, match=message) as refused:
            find_photos(str(source), tmp_path / "raw")
        assert str(source) in str(refused.value)


def test_classes_are_not_needed_for_predicting(tmp_path: Path):
    write(tmp_path / "photos", "1.jpg", "sub/2.jpg")
    assert listed(find_images(str(tmp_path / "photos"), tmp_path)) == [
        ("1.jpg", ""),
        ("sub/2.jpg", "sub"),
    ]
    assert find_images(str(tmp_path / "photos"), tmp_path)[0].read() == b"1.jpg"
    (tmp_path / "empty").mkdir()
    (tmp_path / "1.jpg").write_bytes(b"1.jpg")
    for name in ("empty", "nowhere", "1.jpg"):
        with pytest.raises(UserError) as refused:
            find_images(str(tmp_path / name), tmp_path)
        assert not re.search("class folder|per class", str(refused.value))


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path):
    for source in (tmp_path / "none", tmp_path / "none.zip"):
        with pytest.raises(UserError, match="does not exist"):
            find_photos(str(source), tmp_path / "raw")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is neither a folder nor a file"):
        find_photos(str(tmp_path / "pipe"), tmp_path / "raw")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"photo\.jpg is not an archive"):
        find_photos(str(write(tmp_path, "photo.jpg") / "photo.jpg"), tmp_path / "raw")


def test_an_archive_is_unpacked_once_and_again_when_it_changes(tmp_path: Path):
    archive, unpacked = tmp_path / "photos.tgz", tmp_path / "unpacked"
    archive.write_bytes(archive_of("top/b/1.jpg", "top/a/1.jpg"))
    images = find_photos(str(archive), tmp_path)
    assert listed(images) == [("top/a/1.jpg", "a"), ("top/b/1.jpg", "b")]
    assert [image.read() for image in images] == [b"top/a/1.jpg", b"top/b/1.jpg"]
    when = images[0].path.stat().st_mtime_ns
    assert find_photos(str(archive), tmp_path) == images
    assert images[0].path.stat().st_mtime_ns == when
    archive.write_bytes(archive_of("a/1.jpg", "b/1.jpg", "c/1.jpg"))
    assert listed(find_photos(str(archive), tmp_path)) == [("a/1.jpg", "a"), ("b/1.jpg", "b"), ("c/1.jpg", "c")]
    assert len(list(unpacked.iterdir())) == 1


def test_two_archives_of_one_name_do_not_mix(tmp_path: Path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "photos.tgz").write_bytes(archive_of(f"a/{place}.jpg", "b/1.jpg"))
    for place in ("one", "two", "one"):
        images = find_photos(str(tmp_path / place / "photos.tgz"), tmp_path)
        assert images[0].file == f"a/{place}.jpg"


def test_a_half_unpacked_archive_is_unpacked_again(tmp_path: Path):
    archive = tmp_path / "photos.tgz"
    archive.write_bytes(archive_of("a/1.jpg", "b/1.jpg"))
    images = find_photos(str(archive), tmp_path)
    (images[0].path.parents[1] / "archive.json").unlink()
    images[0].path.unlink()
    assert find_photos(str(archive), tmp_path)[0].read() == b"a/1.jpg"


def test_links_in_an_archive_are_listed_with_a_problem(tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("a/1.jpg", "b/1.jpg"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
        link = tarfile.TarInfo("b/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "../a/1.jpg"
        archive.addfile(link)
    images = find_photos(str(tmp_path / "a.tar"), tmp_path)
    assert [(image.file, problem_of(image)) for image in images if image.problem] == [
        ("b/link.jpg", "not_a_regular_file")
    ]


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`, and counts how often it is asked."""

    content = archive_of("a/1.jpg", "b/1.jpg")
    requests = 0

    def do_GET(self) -> None:
        """Send the archive, a web page, an error, or too little."""
        type(self).requests += 1
        if self.path.startswith("/missing"):
            return self.send_error(404)
        content = b"<!DOCTYPE html>please log in" if self.path.startswith("/page") else self.content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:50] if self.path.startswith("/broken") else content)
        return None

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Server.requests = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def refused_download(url: str, folder: Path, **options: object) -> str:
    """Download what must be refused, and see that nothing is left behind."""
    with pytest.raises(UserError) as refused:
        download(url, folder, **options)
    assert not folder.exists() or not list(folder.iterdir())
    return str(refused.value)


def test_an_archive_is_downloaded_once_and_its_images_listed(address: str, tmp_path: Path):
    for _ in range(2):
        images = find_photos(f"{address}/photos.tgz?dl=1", tmp_path)
        assert listed(images) == [("a/1.jpg", "a"), ("b/1.jpg", "b")]
    assert Server.requests == 1
    assert [path.name.split("-")[0] for path in (tmp_path / "downloads").iterdir()] == ["photos"]
    assert images[0].read() == b"a/1.jpg"


def test_a_right_checksum_is_accepted_and_a_wrong_one_refused(address: str, tmp_path: Path):
    right = hashlib.sha256(Server.content).hexdigest()
    message = refused_download(f"{address}/photos.tgz", tmp_path, sha256="0" * 64)
    assert "checksum" in message
    assert "--params=images=PATH" in message
    path = download(f"{address}/photos.tgz", tmp_path, right.upper())
    assert path.read_bytes() == Server.content


def test_the_checksum_of_an_archive_of_this_machine_counts_too_and_a_folder_has_none(tmp_path: Path):
    archive, content = tmp_path / "photos.tgz", archive_of("a/1.jpg", "b/1.jpg")
    archive.write_bytes(content)
    right = hashlib.sha256(content).hexdigest()
    assert len(find_photos(str(archive), tmp_path / "raw", right.upper())) == 2
    with pytest.raises(UserError, match=f"has the SHA-256 checksum {right}, and not {'0' * 64}"):
        find_photos(str(archive), tmp_path / "raw", "0" * 64)
    folder = write(tmp_path / "photos", "a/1.jpg", "b/1.jpg")
    with pytest.raises(UserError, match="is a folder, and only an archive has a checksum"):
        find_photos(str(folder), tmp_path / "raw", right)


def test_a_file_put_there_by_hand_is_used(address: str, tmp_path: Path):
    message = refused_download(f"{address}/missing.tgz", tmp_path)
    assert "404" in message
    place = Path(message.split("put it at ")[1].split(", or ")[0])
    place.write_bytes(Server.content)
    assert download(f"{address}/missing.tgz", tmp_path) == place
    assert Server.requests == 1


def test_a_broken_connection_leaves_nothing_that_counts_as_done(address: str, tmp_path: Path):
    assert "connection broke" in refused_download(f"{address}/broken.tgz", tmp_path)


def test_a_download_that_is_too_large_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("guitar_kedro.images.downloads.MAX_DOWNLOAD_BYTES", 100)
    assert "larger than 100 bytes" in refused_download(f"{address}/photos.tgz", tmp_path)


def test_a_web_page_in_place_of_an_archive_is_refused_and_not_kept(address: str, tmp_path: Path):
    with pytest.raises(UserError, match="web page"):
        find_photos(f"{address}/page.tgz", tmp_path)
    assert not list((tmp_path / "downloads").iterdir())


def test_a_file_put_there_by_hand_stays_even_if_it_is_no_archive(address: str, tmp_path: Path):
    message = refused_download(f"{address}/missing.tgz", tmp_path / "downloads")
    place = Path(message.split("put it at ")[1].split(", or ")[0])
    place.write_bytes(b"the wrong file, but all that there is")
    with pytest.raises(UserError, match=re.escape(f"{place} is not an archive")):
        find_photos(f"{address}/missing.tgz", tmp_path)
    assert place.exists()


def test_a_refused_connection_says_what_to_do_instead(tmp_path: Path):
    message = refused_download("http://127.0.0.1:9/photos.tgz", tmp_path, instead="name it with weights=PATH")
    assert "No connection to 127.0.0.1, needed" in message
    assert message.endswith("or name it with weights=PATH.")


def test_folders_on_storage_that_fsspec_reads_are_listed_and_read_like_those_of_this_machine(
    storage: Storage, tmp_path: Path
):
    write(storage.folder / "photos", "b/2.jpg", "b/1.jpg", "a/x y#1.png", "readme.txt", ".git/x", "b/Thumbs.db")
    here = photos_in_folder(storage.folder / "photos")
    there = find_photos(f"{storage.address}/photos/", tmp_path)
    assert listed(there) == listed(here)
    for image in there:
        assert image.path == f"{storage.address}/photos/{image.file}"
        if image.label:
            assert image.read() == image.file.encode()
        else:
            assert problem_of(image) == "no_class_folder"
    assert ("readme.txt", "photos") in listed(list(stream_images(f"{storage.address}/photos", tmp_path)))
    assert not (tmp_path / "downloads").exists()


def test_a_file_on_storage_that_changes_or_goes_is_noticed(storage: Storage, tmp_path: Path):
    write(storage.folder, "a/1.jpg", "b/1.jpg", "b/2.jpg")
    before = list(address_state(storage.address, tmp_path))
    assert before == list(address_state(storage.address, tmp_path))
    (storage.folder / "a" / "1.jpg").write_bytes(b"another picture")
    first, second, third = find_photos(storage.address, tmp_path)
    assert [old == new.state for old, new in zip(before, (first, second, third), strict=True)] == [False, True, True]
    (storage.folder / "b" / "1.jpg").unlink()
    assert problem_of(second) == "file_not_readable"
    with pytest.raises(UnreadableImage, match="at most 3 are read"):
        third.read(Limits(max_bytes=3))


def test_an_archive_or_a_picture_on_storage_is_downloaded_once(storage: Storage, tmp_path: Path):
    write(storage.folder, "x/one.jpg")
    archive = storage.folder / "photos.tgz"
    archive.write_bytes(Server.content)
    address = f"{storage.address}/photos.tgz"
    assert listed(find_photos(address, tmp_path)) == [("a/1.jpg", "a"), ("b/1.jpg", "b")]
    (picture,) = stream_images(f"{storage.address}/x/one.jpg", tmp_path)
    assert picture.read() == b"x/one.jpg"
    assert list(address_state(address, tmp_path)) == [address]
    archive.unlink()
    assert find_photos(address, tmp_path)[0].read() == b"a/1.jpg"
    message = refused_download(f"{storage.address}/missing.tgz", tmp_path / "new")
    assert message.startswith(f"{storage.address}/missing.tgz does not exist.")


def test_storage_that_cannot_be_reached_is_told_and_is_not_the_fault_of_a_picture(storage: Storage, tmp_path: Path):
    write(storage.folder, "a/1.jpg", "b/1.jpg")
    image, _ = find_photos(storage.address, tmp_path)
    storage.close()
    for ask in (image.read, lambda: find_photos(storage.address, tmp_path)):
        with pytest.raises(UserError, match=f"{storage.address}.* cannot be read: .+"):
            ask()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("nonsense://bucket/a.zip", "nonsense://bucket/a.zip cannot be read: Protocol not known: nonsense"),
        ("s3://bucket/a.zip", "s3://bucket/a.zip cannot be read: Install s3fs"),
        ("memory://nothing", "memory://nothing does not exist"),
        ("http://", "is no address"),
        ("ftp://me:secret@example.org/photos", "An address must not hold a password.*fsspec's configuration"),
        ("http://me:secret@127.0.0.1:9/photos.tgz", "An address must not hold a password.*netrc"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(address: str, problem: str, tmp_path: Path):
    for ask in (find_photos, stream_images):
        with pytest.raises(UserError, match=problem) as refused:
            ask(address, tmp_path)
        assert "secret" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(address: str, tmp_path: Path):
    write(tmp_path, "file")
    with pytest.raises(UserError, match=r"Cannot write|cannot be downloaded"):
        download(f"{address}/photos.tgz", tmp_path / "file" / "downloads")


def test_logs_get_plain_lines(address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd):
    with caplog.at_level(logging.INFO, logger="guitar_kedro"):
        find_photos(f"{address}/photos.tgz", tmp_path)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("guitar_kedro")]
    assert lines[0] == f"Downloading {address}/photos.tgz ..."
    assert lines[-1].startswith("Unpacking photos-")
    assert all("\r" not in line for line in lines)
    assert "it/s" not in capfd.readouterr().err


def test_a_folder_an_archive_and_a_single_file_are_gone_through_without_class_folders(tmp_path: Path):
    folder = write(tmp_path / "mixed", "b/2.jpg", "1.jpg", ".hidden")
    assert listed(list(stream_images(str(folder), tmp_path))) == [("1.jpg", "mixed"), ("b/2.jpg", "b")]
    assert listed(list(stream_images(str(folder / "1.jpg"), tmp_path))) == [("1.jpg", "mixed")]
    (tmp_path / "pictures.tgz").write_bytes(archive_of("b/2.jpg", "1.jpg"))
    stream = stream_images(str(tmp_path / "pictures.tgz"), tmp_path / "unpacked")
    assert listed(list(stream)) == [("b/2.jpg", "b"), ("1.jpg", "")]
    assert [image.read() for image in stream] == [b"b/2.jpg", b"1.jpg"]


def test_a_source_without_files_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="There are no files in"):
        stream_images(str(tmp_path / "empty"), tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        stream_images(str(tmp_path / "nowhere"), tmp_path)


def test_links_in_a_circle_are_listed_with_a_problem(tmp_path: Path):
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a/round.jpg").symlink_to("and_round.jpg")
    (tmp_path / "a/and_round.jpg").symlink_to("round.jpg")
    circles = [image.file for image in photos_in_folder(tmp_path) if image.problem]
    assert circles == ["a/and_round.jpg", "a/round.jpg"]
    assert {problem_of(image) for image in ImageStream(tmp_path) if image.problem} == {"link_not_followed"}


def test_a_folder_whose_names_alone_may_be_read_is_told_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.jpg")
    look = os.stat

    def may_not(path: str | Path, *arguments: object, **options: object) -> os.stat_result:
        if Path(path) == tmp_path / "c/1.jpg":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", may_not)  # tests may run as root, who may look at everything
    assert [problem_of(image) for image in photos_in_folder(tmp_path) if image.problem] == ["file_not_readable"]
