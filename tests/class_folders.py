"""The images of a source with class folders, as the datasets of photos find them where no table says the classes."""

from pathlib import Path

from guitar_kedro.images.layout import checked_layout
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import find_files


def find_photos(
    source: str, folder: Path, sha256: str | None = None, names_encoding: str | None = None, folders: str | None = None
) -> list[RawImage]:
    return checked_layout(*find_files(source, folder, sha256, names_encoding), folders)


def photos_in_folder(folder: Path, folders: str | None = None) -> list[RawImage]:
    return find_photos(str(folder), folder, folders=folders)
