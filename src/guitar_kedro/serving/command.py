"""``kedro serve``: the page and the service over a model of the chosen environment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from kedro.io import DataCatalog, Version

from guitar_kedro.command_options import WHERE, in_one_sentence, opened_catalog
from guitar_kedro.errors import UserError, listed

# what visitors may try who have no picture at hand; the last two are none of the classes
EXAMPLES = ("fender_stratocaster", "gibson_les_paul", "gibson_Flying_V", "fender_jaguar", "gibson_ES", "cat", "banjo")
if TYPE_CHECKING:
    from guitar_kedro.learning import Predictor
    from guitar_kedro.learning.inference.onnx import OnnxPredictor

logger = logging.getLogger(__name__)


@click.command(short_help="Serve the model: a web page and a REST service.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; 0.0.0.0 is for all networks.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 chooses a free one.")
@click.option("--model-version", default=None, help="Version of `model`; the latest one if not given.")
@click.option(
    "--backend",
    default="torch",
    show_default=True,
    type=click.Choice(["torch", "onnx"]),
    help="What computes; onnx takes what `kedro run --pipeline=export` made of the model.",
)
@in_one_sentence()
def serve(host: str, port: int, model_version: str | None, backend: str, **where: Any) -> None:
    """Serve the model: a web page, and a REST service described at /openapi.json."""
    with opened_catalog(where, {"model": model_version} if model_version else None) as catalog:
        version = _version(catalog)
        from guitar_kedro.datasets import DrawnImagesDataset
        from guitar_kedro.serving.options import ServingOptions
        from guitar_kedro.serving.server import listen, share_cores

        options = ServingOptions.of_parameter("serving", catalog.load("params:serving"))
        sock = listen(host, port)
        logger.info("Loading the model of %s", version)
        share_cores()
        from guitar_kedro.serving.start import start  # pandas takes a second

        start(
            sock,
            predictor=_predictor(catalog, version, backend),
            version=version,
            title=catalog.load("params:workspace"),
            options=options,
            test_log=catalog.load("test_log"),
            model_cards=[Path(path) for path in cast(Any, catalog["model_card"]).list_versions()],
            examples=EXAMPLES if isinstance(catalog["raw_images"], DrawnImagesDataset) else (),
        )


serve.params += WHERE


def _version(catalog: DataCatalog) -> str:
    dataset: Any = catalog["model"]
    versions = dataset.list_versions(full_path=False)
    if not versions:
        raise UserError(f"{dataset._filepath}: there is no model yet; run `kedro run` first.")
    wanted = dataset.resolve_load_version()
    if wanted not in versions:
        raise UserError(f"--model-version={wanted}: there is no such version; choose one of {listed(versions)}.")
    return wanted


def _predictor(catalog: DataCatalog, version: str, backend: str) -> Predictor | OnnxPredictor:
    if backend == "torch":
        from guitar_kedro.learning import Predictor

        return Predictor(catalog.load("model"), catalog.load("params:device"))
    from guitar_kedro.learning.inference.onnx import OnnxPredictor

    dataset: Any = catalog["bundle"]
    made = dataset.version_made_of(version)
    if made is None:
        raise UserError(
            f"--backend=onnx: there is no bundle of model {version} yet; run `kedro run --pipeline=export "
            f"--load-versions=model:{version}` first."
        )
    dataset = catalog.get("bundle", version=Version(made, None))
    return OnnxPredictor(*dataset.load_onnx())
