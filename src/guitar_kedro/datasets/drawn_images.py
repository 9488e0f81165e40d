"""Drawn sets of pictures, made on first use."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image

from guitar_kedro.datasets.raw_images import RawImagesDataset
from guitar_kedro.demo import MODELS, OTHERS, draw_guitar, draw_other
from guitar_kedro.errors import UserError
from guitar_kedro.images.layout import checked_layout
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import find_files
from guitar_kedro.progress import track
from guitar_kedro.versions import VERSIONS

_Draw = Callable[[str, int, int], Image]
_DRAWN_FILE = re.compile(r"\d{4,}\.(jpg|part)")


class _DrawnDataset(RawImagesDataset):
    """A set of drawn pictures, made on first use, in one folder per thing that is drawn.

    A drawn set is never altered: another number, size, seed or version is drawn into a folder of its own.
    """

    made_by_loading = True
    NAMES: ClassVar[tuple[str, ...]]
    WHAT: ClassVar[str]
    SET: ClassVar[str]  # how the folders of sets are called
    _drawing: tuple[Generator[None, None, None], int] | None = None  # what is being drawn, and how much

    def __init__(
        self, filepath: str, images_per_class: int, size: int, seed: int, metadata: dict[str, Any] | None = None
    ) -> None:
        """Check what is asked for.

        Args:
            filepath: The folder in which drawn sets lie.
            images_per_class: How many pictures of each thing that is drawn.
            size: Longest side in pixels.
            seed: What decides how they look.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If one of the numbers is not a positive integer.
        """
        for name, number in {"images_per_class": images_per_class, "image_pixels": size}.items():
            if type(number) is not int or number < 1:  # True is an int
                raise UserError(f"--params={name}={number}: how the demo set is drawn needs a positive whole number.")
        if type(seed) is not int or seed < 0:
            raise UserError(f"--params=seed={seed}: a seed is a whole number from 0 on.")
        version = VERSIONS["drawn_pictures"]
        self._folder = Path(filepath) / f"{self.SET.format(images_per_class)}_{size}px_seed{seed}_version{version}"
        self._count, self._size, self._seed = images_per_class, size, seed
        self.metadata = metadata

    def begin_drawing(self) -> None:
        """Begin to draw what is not there yet, in processes beside this one; ``load`` waits for it."""
        missing = [(path, *how) for path, how in self._pictures().items() if not path.exists()]
        if missing and not self._drawing:
            from joblib import Parallel, delayed

            jobs = (delayed(_draw_to)(path, self._draw, name, self._size, seed) for path, name, seed in missing)
            # where this process is killed, the others end after so many seconds: loky's own way is minutes
            parallel = Parallel(n_jobs=-1, return_as="generator", idle_worker_timeout=30)
            self._drawing = parallel(jobs), len(missing)

    def stop_drawing(self) -> None:
        """Draw no more than what is begun, before ``load`` asks for it again."""
        if self._drawing:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # joblib tells how many pictures are left
                self._drawing[0].close()
            self._end()

    def load(self) -> list[RawImage]:
        """Draw what is not there yet, and list all; the label is the name of what is drawn."""
        self.begin_drawing()
        if self._drawing:
            try:
                for _ in track(*self._drawing, f"Drawing {self.WHAT}"):
                    pass
            finally:
                self._end()
        return checked_layout(*find_files(str(self._folder), self._folder))

    def unneeded(self) -> Iterator[Path]:
        """List the other sets beside this one: whoever asks for one has it drawn again."""
        for folder in sorted(self._folder.parent.glob(f"{self.SET.format('*')}_*px_seed*")):
            files = (path for path in folder.rglob("*") if not path.is_dir())
            if folder != self._folder and all(_is_drawn(path, folder, self.NAMES) for path in files):
                yield folder

    @staticmethod
    def _draw(name: str, size: int, seed: int, /) -> Image:
        raise NotImplementedError

    def _end(self) -> None:
        from joblib.externals.loky import get_reusable_executor

        del self._drawing
        get_reusable_executor().shutdown()  # or idle workers stay for minutes

    def _pictures(self) -> dict[Path, tuple[str, int]]:
        """Where each picture lies, what it shows, and its seed."""
        return {
            self._folder / name / f"{number:04d}.jpg": (name, self._seed * 1_000_003 + number)
            for name in self.NAMES
            for number in range(self._count)
        }

    def _source(self) -> str | None:
        return str(self._folder) if all(path.exists() for path in self._pictures()) else None


class DrawnImagesDataset(_DrawnDataset):
    """The demo set: drawn guitars of eleven models, made on first use."""

    NAMES, WHAT, SET = MODELS, "guitars", "drawn_{}_per_class"
    _draw = staticmethod(draw_guitar)


class DrawnOthersDataset(_DrawnDataset):
    """Drawn things that are none of the demo set's models, in the same scenes, made on first use."""

    NAMES, WHAT, SET = OTHERS, "other things", "drawn_others_{}_per_kind"
    _draw = staticmethod(draw_other)


def _is_drawn(path: Path, folder: Path, names: tuple[str, ...]) -> bool:
    """Return whether a file in the folder of a drawn set is one that the project drew."""
    return path.parent.parent == folder and path.parent.name in names and bool(_DRAWN_FILE.fullmatch(path.name))


def _draw_to(path: Path, draw: _Draw, name: str, size: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    draw(name, size, seed).save(beside, "JPEG", quality=92)
    os.replace(beside, path)
