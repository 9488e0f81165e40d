"""Unpacking archives: under names of our own, within limits, whole or not at all."""

import contextlib
import io
import os
import stat
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guitar_kedro.errors import UserError
from guitar_kedro.images.archives import Member, check_encoding, is_archive, read_index, unpack

FILES = {"guitars/jaguar/1.jpg": b"one", "guitars/jaguar/2.PNG": b"two", "guitars/mustang/1.jpg": b"three" * 100}


def tar(path: Path, files: dict[str, bytes], *odd: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in odd:
            archive.addfile(member)
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def zip_of_bytes(path: Path, *names: bytes, flagged: bool = False, extra: bytes = b"") -> Path:
    """Pack files under names of any bytes, flagged as UTF-8 or not."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            member = zipfile.ZipInfo(f"{number}".ljust(len(name), "_"))
            member.extra = extra
            archive.writestr(member, b"content")
    content = path.read_bytes()
    for number, name in enumerate(names):
        content = content.replace(f"{number}".ljust(len(name), "_").encode(), name)
    if flagged:
        for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            first, *parts = content.split(signature)
            head = flags - len(signature)
            parts = [part[: head + 1] + bytes([part[head + 1] | 8]) + part[head + 2 :] for part in parts]
            content = signature.join([first, *parts])
    path.write_bytes(content)
    return path


def odd_member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def contents(folder: Path, members: list[Member]) -> dict[str, bytes]:
    return {member.name: (folder / member.file).read_bytes() for member in members if member.file}


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def refusal(archive: Path, folder: Path, **options: object) -> str:
    """Unpack what must be refused, and see that nothing is left behind."""
    before = everything_in(folder.parent)
    with pytest.raises(UserError) as refused:
        unpack(archive, folder, **options)
    assert everything_in(folder.parent) == before
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("no-suffix", "w:gz"),
        ("a.zip", ""),
    ],
)
def test_archives_are_told_by_content_and_unpacked(tmp_path: Path, name: str, mode: str):
    archive = tar(tmp_path / name, FILES, mode=mode) if mode else zipped(tmp_path / name, FILES)
    assert is_archive(archive)
    members = unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out", members) == FILES
    assert list(read_index(tmp_path / "out")) == members
    assert everything_in(tmp_path) == {
        name,
        "out",
        "out/files.csv",
        "out/0000",
        "out/0000/0000000.jpg",
        "out/0000/0000001.png",
        "out/0000/0000002.jpg",
    }


def test_names_on_disk_are_our_own(tmp_path: Path):
    names = ["a/x.jpg;rm -rf", "a/con.<>", "a/\u202egnp.jpg", "a/" + "x" * 180, "b/line\nbreak.jpg", "b/ünï.JPEG"]
    for archive in (
        tar(tmp_path / "a.tar", dict.fromkeys(names, b"x")),
        zipped(tmp_path / "a.zip", dict.fromkeys(names, b"x")),
    ):
        members = unpack(archive, tmp_path / "out")
        suffixes = [Path(member.file).suffix for member in members]
        assert suffixes == ["", "", ".jpg", "", ".jpg", ".jpeg"]
        assert all(member.name.isprintable() for member in members)


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg", "a/.."]
)
def test_a_name_that_leads_out_of_the_folder_is_refused_by_name(tmp_path: Path, name: str):
    (tmp_path / "work").mkdir()
    for archive in (
        tar(tmp_path / "a.tar", {**FILES, name: b"x"}),
        zipped(tmp_path / "a.zip", {**FILES, name: b"x"}),
    ):
        message = refusal(archive, tmp_path / "work" / "out")
        assert str(archive) in message
        assert "evil" in message or "a/.." in message


def test_a_folder_whose_name_leads_out_is_refused_too(tmp_path: Path):
    assert "leads out" in refusal(tar(tmp_path / "a.tar", FILES, odd_member("../x", tarfile.DIRTYPE)), tmp_path / "out")


def test_links_and_devices_are_not_unpacked_but_told(tmp_path: Path):
    odd = [
        odd_member("a/soft.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        odd_member("a/hard.jpg", tarfile.LNKTYPE, "guitars/jaguar/1.jpg"),
        odd_member("a/pipe.jpg", tarfile.FIFOTYPE),
        odd_member("a/device.jpg", tarfile.CHRTYPE),
    ]
    members = unpack(tar(tmp_path / "a.tar", FILES, *odd), tmp_path / "out")
    assert contents(tmp_path / "out", members) == FILES
    problems = {member.name: member.problem for member in members if not member.file}
    assert list(problems) == ["a/soft.jpg", "a/hard.jpg", "a/pipe.jpg", "a/device.jpg"]
    assert "/etc/passwd" in problems["a/soft.jpg"]
    assert all(problems.values())


def test_a_link_in_a_zip_is_not_unpacked_but_told(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("a/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert [(member.file, "link" in member.problem) for member in unpack(tmp_path / "a.zip", tmp_path / "out")] == [
        ("", True)
    ]


def test_writing_through_a_link_of_the_archive_is_impossible(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as file:
        file.addfile(odd_member("a", tarfile.SYMTYPE, str(outside)))
        member = tarfile.TarInfo("a/evil.jpg")
        member.size = 4
        file.addfile(member, io.BytesIO(b"evil"))
    unpack(archive, tmp_path / "out")
    assert not list(outside.iterdir())


def test_a_zip_with_the_slashes_of_windows_has_folders(tmp_path: Path):
    files = {"pets\\": b"", "pets\\cat\\1.jpg": b"cat", "pets\\dog\\1.jpg": b"dog"}
    unpack(zipped(tmp_path / "pets.zip", files), tmp_path / "out")
    assert [member.name for member in read_index(tmp_path / "out")] == ["pets/cat/1.jpg", "pets/dog/1.jpg"]
    with pytest.raises(UserError, match="leads out of the folder"):
        unpack(zipped(tmp_path / "out.zip", {"..\\out.jpg": b"x"}), tmp_path / "other")


@pytest.mark.parametrize("flagged", [False, True])
def test_names_in_a_zip_are_utf_8_where_their_bytes_are(tmp_path: Path, flagged: bool):
    archive = zip_of_bytes(tmp_path / "a.zip", "Kätzchen/1.jpg".encode(), "犬/1.jpg".encode(), flagged=flagged)
    members = unpack(archive, tmp_path / "out")
    assert [(member.name, member.assumed) for member in members] == [("Kätzchen/1.jpg", ""), ("犬/1.jpg", "")]
    assert (tmp_path / "out" / members[0].file).read_bytes() == b"content"


@pytest.mark.parametrize("flagged", [False, True])
def test_other_names_in_a_zip_are_read_as_the_format_says_and_noted(tmp_path: Path, flagged: bool):
    archive = zip_of_bytes(tmp_path / "a.zip", "Kätzchen/1.jpg".encode("cp437"), b"dog/1.jpg", flagged=flagged)
    unpack(archive, tmp_path / "out")
    found = [(member.name, member.assumed) for member in read_index(tmp_path / "out")]
    assert found == [("Kätzchen/1.jpg", "cp437"), ("dog/1.jpg", "")]


def test_a_byte_of_a_character_is_no_separator(tmp_path: Path):
    name = "表/1.jpg".encode("cp932")
    assert b"\\" in name
    (member,) = unpack(zip_of_bytes(tmp_path / "a.zip", name), tmp_path / "out")
    assert member.name.count("/") == 1
    (member,) = unpack(tmp_path / "a.zip", tmp_path / "out", names_encoding="cp932")
    assert (member.name, member.assumed) == ("表/1.jpg", "")


def test_a_short_name_that_is_utf_8_by_chance_is_read_as_the_others_are(tmp_path: Path):
    names = [f"{name}/1.jpg".encode("gbk") for name in ("猫", "狗", "cat")]
    assert names[0].decode("utf-8") == "è/1.jpg"
    members = unpack(zip_of_bytes(tmp_path / "a.zip", *names), tmp_path / "out")
    assert [member.assumed for member in members] == ["cp437", "cp437", ""]
    for archive in (zip_of_bytes(tmp_path / "b.zip", *names), zip_of_bytes(tmp_path / "c.zip", names[0])):
        first, *_ = unpack(archive, tmp_path / "out", names_encoding="gb18030")
        assert (first.name, first.assumed) == ("猫/1.jpg", "")


def test_the_encoding_that_is_given_is_not_for_names_that_are_said_to_be_utf_8(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("猫/1.jpg", b"flagged")
        archive.writestr("xxx/1.jpg", b"not flagged")
    content = (tmp_path / "a.zip").read_bytes().replace(b"xxx/1.jpg", "кот/1.jpg".encode("cp866"))
    (tmp_path / "a.zip").write_bytes(content)
    members = unpack(tmp_path / "a.zip", tmp_path / "out", names_encoding="cp866")
    assert [member.name for member in members] == ["猫/1.jpg", "кот/1.jpg"]


def test_the_utf_8_name_that_info_zip_puts_beside_another_one_is_taken(tmp_path: Path):
    plain, right = b"K?tzchen/1.jpg", "Kätzchen/1.jpg".encode()
    field = b"\x01" + zlib.crc32(plain).to_bytes(4, "little") + right
    extra = b"\x75\x70" + len(field).to_bytes(2, "little") + field
    (member,) = unpack(zip_of_bytes(tmp_path / "a.zip", plain, extra=extra), tmp_path / "out")
    assert member.name == "Kätzchen/1.jpg"


def test_an_encoding_that_is_none_or_not_that_of_the_names_is_refused(tmp_path: Path):
    archive = zip_of_bytes(tmp_path / "a.zip", b"K\x84tzchen/1.jpg")
    assert "K\\x84tzchen/1.jpg', which is not in the encoding" in refusal(
        archive, tmp_path / "out", names_encoding="ascii"
    )
    for encoding in ("cp99999", "hex"):
        with pytest.raises(UserError, match=f"names_encoding={encoding}: there is no such encoding"):
            check_encoding(encoding)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_in_a_tar_are_utf_8_or_noted_or_in_the_encoding_that_is_given(tmp_path: Path, kind: int):
    with tarfile.open(tmp_path / "a.tar", "w", format=kind, encoding="latin-1") as archive:
        for name in ("Kätzchen/1.jpg", "long/" + "x" * 90 + "é.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    with tarfile.open(tmp_path / "b.tar", "w", format=kind, encoding="utf-8") as archive:
        archive.addfile(tarfile.TarInfo("Kätzchen/1.jpg"))
    is_utf_8 = kind == tarfile.PAX_FORMAT  # whatever the encoding of the rest
    first, second = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert (first.name, first.assumed) == (("Kätzchen/1.jpg", "") if is_utf_8 else ("K\\xe4tzchen/1.jpg", "utf-8"))
    assert second.name.endswith("é.jpg" if is_utf_8 else "\\xe9.jpg")
    first, *_ = unpack(tmp_path / "a.tar", tmp_path / "out", names_encoding="latin-1")
    assert (first.name, first.assumed) == ("Kätzchen/1.jpg", "")
    (member,) = unpack(tmp_path / "b.tar", tmp_path / "out")
    assert (member.name, member.assumed) == ("Kätzchen/1.jpg", "")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & {*name}), min_size=1, max_size=5))
def test_every_name_becomes_a_line_of_the_index_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
):
    folder = tmp_path_factory.mktemp("any")
    files = {f"a/x{os.fsdecode(name)}": b"x" for name in names}
    with tarfile.open(folder / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name in files:
            archive.addfile(tarfile.TarInfo(name))
    members = unpack(folder / "a.tar", folder / "out")
    assert list(read_index(folder / "out")) == members
    assert len({member.name for member in members}) == len(files)
    assert all(len(member.name.splitlines()) == 1 and member.name.encode() for member in members)


def test_what_operating_systems_leave_behind_is_left_out(tmp_path: Path):
    clutter = ["__MACOSX/a/._1.jpg", "a/.DS_Store", "a/Thumbs.db", "a/._1.jpg", ".git/config", "a/desktop.ini"]
    members = unpack(zipped(tmp_path / "a.zip", {**FILES, **dict.fromkeys(clutter, b"x")}), tmp_path / "out")
    assert contents(tmp_path / "out", members) == FILES


def test_two_members_of_one_name_are_both_kept(tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for content in (b"first", b"later"):
            member = tarfile.TarInfo("./a/1.jpg")
            member.size = 5
            archive.addfile(member, io.BytesIO(content))
    members = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert contents(tmp_path / "out", members) == {"a/1.jpg": b"first", "a/1.jpg (2)": b"later"}


def test_names_of_very_many_members_of_one_name_are_soon_found(tmp_path: Path):
    names = ["a/1.jpg (3)", *["a/1.jpg"] * 20_000, "a/1.jpg (2)"]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            archive.addfile(odd_member(name, tarfile.SYMTYPE))
    start = time.process_time()
    members = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert time.process_time() - start < 15
    assert [member.name for member in members[:4]] == ["a/1.jpg (3)", "a/1.jpg", "a/1.jpg (2)", "a/1.jpg (4)"]
    assert members[-1].name == "a/1.jpg (2) (2)"
    assert len({member.name for member in members}) == len(names)


@pytest.mark.parametrize(
    ("cap", "most", "told"), [("MAX_FILES", 2, "more than 2 members"), ("MAX_BYTES", 200, "more than 200 bytes")]
)
def test_caps_on_number_and_bytes_are_told_with_their_numbers(
    tmp_path: Path, cap: str, most: int, told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"guitar_kedro.images.archives.{cap}", most)
    for archive in (tar(tmp_path / "a.tar", FILES), zipped(tmp_path / "a.zip", FILES)):
        assert told in refusal(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_bomb_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("guitar_kedro.images.archives._RATIO_APPLIES_FROM", 1_000_000)
    bomb = {"a/1.bmp": bytes(4_000_000), "b/2.bmp": bytes(4_000_000)}
    archive = zipped(tmp_path / "a", bomb) if kind == "zip" else tar(tmp_path / "a", bomb, mode="w:gz")
    assert "100 times its size" in refusal(archive, tmp_path / "out")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_in_a_way_that_unpacks_in_one_piece_is_refused(tmp_path: Path, packing: int):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", packing) as archive:
        archive.writestr("a/1.bmp", bytes(50_000_000))
    tracemalloc.start()
    words = refusal(tmp_path / "a.zip", tmp_path / "out")
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "member a/1.bmp" in words
    assert "deflate" in words
    assert used < 10_000_000


def test_a_header_that_says_it_is_huge_is_refused(tmp_path: Path):
    header = odd_member("pax", tarfile.XHDTYPE)
    header.size = 3_000_000_000
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(10_000))
    assert "damaged" in refusal(tmp_path / "a.tar", tmp_path / "out")


def test_a_sparse_member_is_not_filled_up(tmp_path: Path):
    header = odd_member("a/sparse.jpg", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(header + bytes(1024))
    assert [member.file for member in unpack(tmp_path / "a.tar", tmp_path / "out")] == [""]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_a_truncated_archive_is_refused(tmp_path: Path, mode: str):
    files = {f"a/{number}.jpg": os.urandom(9_000) for number in range(9)}
    whole = zipped(tmp_path / "whole", files) if mode == "zip" else tar(tmp_path / "whole", files, mode=mode)
    archive = tmp_path / "cut"
    archive.write_bytes(whole.read_bytes()[:40_000])
    assert f"{archive} is damaged or incomplete" in refusal(archive, tmp_path / "out")


def test_a_damaged_zip_member_is_refused(tmp_path: Path):
    content = bytearray(zipped(tmp_path / "a.zip", {"a/1.jpg": os.urandom(5000)}).read_bytes())
    content[1000] ^= 255
    (tmp_path / "a.zip").write_bytes(content)
    assert "damaged" in refusal(tmp_path / "a.zip", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path: Path):
    content = bytearray(zipped(tmp_path / "a.zip", {"a/1.jpg": b"x"}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert "encrypted" in refusal(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize(
    "content", [b"", b"a,b,c\n", b"<html>", b"\x1f\x8bnonsense", b"PK\x03\x04nonsense", os.urandom(3000)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.zip").write_bytes(content)
    assert str(tmp_path / "a.zip") in refusal(tmp_path / "a.zip", tmp_path / "out")


def test_a_missing_archive_is_refused(tmp_path: Path):
    assert "There is no file" in refusal(tmp_path / "none.zip", tmp_path / "out")
    assert not is_archive(tmp_path / "none.zip")


def test_unpacking_again_replaces_the_folder(tmp_path: Path):
    unpack(tar(tmp_path / "a.tar", FILES), tmp_path / "out")
    members = unpack(tar(tmp_path / "a.tar", {"b/new.jpg": b"new"}), tmp_path / "out")
    assert contents(tmp_path / "out", members) == {"b/new.jpg": b"new"}
    assert everything_in(tmp_path / "out") == {"files.csv", "0000", "0000/0000000.jpg"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "out"]


def test_a_failed_unpacking_leaves_the_earlier_folder(tmp_path: Path):
    members = unpack(tar(tmp_path / "a.tar", FILES), tmp_path / "out")
    refusal(tar(tmp_path / "b.tar", {**FILES, "../x": b"x"}), tmp_path / "out")
    assert contents(tmp_path / "out", members) == FILES


def test_what_a_killed_process_left_is_removed_when_it_is_old(tmp_path: Path):
    for name in (".out.part-old", ".out.part-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".out.part-old", (time.time() - 1e6,) * 2)
    unpack(tar(tmp_path / "a.tar", FILES), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.part-new", "a.tar", "out"]


@pytest.mark.parametrize("mode", ["w:gz", "zip"])
def test_progress_ends_at_the_archives_size(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch):
    archive = zipped(tmp_path / "a", FILES) if mode == "zip" else tar(tmp_path / "a", FILES, mode=mode)
    steps = []
    tracked = contextlib.nullcontext(lambda done, total: steps.append((done, total)))
    monkeypatch.setattr("guitar_kedro.images.archives.track_bytes", lambda _: tracked)
    unpack(archive, tmp_path / "out")
    size = archive.stat().st_size
    assert steps[-1] == (size, size)
    assert all(0 < done <= total == size for done, total in steps)
