"""Fit the new project to the answers: where the photos are, and whether there is a demo set."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")
BASE, PHOTOS = Path("conf/base"), Path("conf/photos")
WITHOUT_DEMO = """
This project was made without the demo set of drawn guitars: where this page says that `kedro run` draws them, it takes
your photos, in the workspace `main`, and trains the short recipe on them; `--env=photos` is the same for other photos.
Only the tests draw guitars.
"""


def edit(path: Path, pattern: str, new: str) -> None:
    """Replace what a pattern finds in a file."""
    text = path.read_bytes().decode()
    path.write_bytes(re.sub(pattern, lambda match: match.expand(new), text, flags=re.MULTILINE).encode())


def leave_out_the_demo() -> None:
    """Make the photos, and the recipe for them, those of commands without ``--env``."""
    edit(
        BASE / "globals.yml",
        "^workspace: demo$",
        "workspace: ${workspace_name:main} # --params=name=pets makes it pets",
    )
    edit(BASE / "parameters.yml", r"^display_names:.*\n(  .*\n)+", (PHOTOS / "parameters.yml").read_text("utf-8"))
    os.remove(PHOTOS / "parameters.yml")
    os.replace(PHOTOS / "catalog.yml", BASE / "catalog_images.yml")
    os.replace(PHOTOS / "parameters_training.yml", BASE / "parameters_training.yml")
    edit(Path("README.md"), r"\A(.*\n)", r"\1" + WITHOUT_DEMO)
    edit(Path("Makefile"), "the drawn demo set", "your photos")
    edit(Path(".github/workflows/tests.yml"), r"^ *- run:.*images_per_class.*\n", "")  # there are no photos


def name_images(place: str) -> None:
    """Write where the photos are into the configuration."""
    if (found := Path("..", Path(place).expanduser())).exists():  # as seen from where `kedro new` was typed
        place = Path(os.path.abspath(found)).as_posix()
    with (BASE / "globals.yml").open("a", encoding="utf-8") as file:
        file.write("# Where the photos are: class folders, an archive of them, or its address.\n")
        file.write(f"images: {json.dumps(place)}\n")
    for path in Path("conf").glob("*/catalog*.yml"):
        edit(path, r"^(raw_images:(?s:.*?)\$\{runtime_params:images, )null", r"\1${globals:images}")


if str(ANSWERS["demo"]).lower() in ("n", "no", "false"):
    leave_out_the_demo()
if ANSWERS["images"]:
    name_images(ANSWERS["images"])
if importlib.util.find_spec("ruff"):  # lines have other lengths with another name
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache"], check=True)
else:
    sys.stdout.write("There is no ruff beside Kedro here: type `make format` in the new project once.\n")
