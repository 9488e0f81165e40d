"""What can be known to fail before the first node runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path
from guitar_kedro.images.downloads import is_address
from guitar_kedro.learning.distributed.options import processes_of
from guitar_kedro.learning.training.recipe import StageOptions, TrainingOptions
from guitar_kedro.runs.units import is_versioned
from guitar_kedro.sizes import ImageSize, size_in_words

_PUBLICATION = "publication"
_LARGEST_SEED = 2**32 - 1  # that numpy takes
_SEARCH = "search"  # the namespace
_OF_NETWORKS = ("architecture", "image_size", "weights")


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check those parameters that are there and stand alone; groups of them check themselves.

    Args:
        parameters: As they stand in the configuration.

    Raises:
        UserError: If one cannot be used.
    """
    seed, resume = parameters.get("seed", 0), parameters.get("resume", True)
    if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
        raise UserError(f"seed is {seed}; it must be a whole number from 0 to {_LARGEST_SEED}.")
    if not isinstance(resume, bool):
        raise UserError(f"resume is {resume!r}; it can be true, or false, which runs every node again.")
    every = parameters.get("epochs_per_state", 1)
    if not isinstance(every, int) or every < 1:
        raise UserError(f"epochs_per_state is {every!r}; it is a number of epochs: 1 or more.")
    if "nproc_per_node" in parameters:
        processes_of(parameters)
    names = parameters.get("display_names", {})
    if not isinstance(names, dict):
        raise UserError(f"display_names is {names}; it must hold names by class, or be {{}}.")


def check_versions(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that the versions are there that ``--load-versions`` names.

    Raises:
        UserError: If one is not.
    """
    for name in sorted(pipeline.datasets()):
        dataset: Any = catalog.get(name)
        wanted = dataset._version.load if is_versioned(dataset) else None
        if wanted and wanted not in (there := dataset.list_versions(full_path=False)):
            choice = f"choose one of {', '.join(there)}" if there else "there is none yet"
            raise UserError(f"--load-versions={name}:{wanted}: there is no such version; {choice}.")


def is_checked(node: Node) -> bool:
    """Whether ``check_nodes`` looks at a node: it needs a network, what people gave, or a place to send to."""
    if _compares(node) or _PUBLICATION in node.outputs or node.namespace == _SEARCH:
        return True
    named = {"raw_images", "ood_images", "curation"} & set(node.inputs)
    return bool(named) or any(re.fullmatch(r"params:stages\..*\.architecture", name) for name in node.inputs)


def _compares(node: Node) -> bool:
    return (node.namespace or "").startswith("networks.")


def check_nodes(nodes: Iterable[Node], catalog: DataCatalog, parameters: Mapping[str, Any]) -> None:
    """Check what nodes will need that no node before them makes: files, networks, devices.

    Args:
        nodes: Those that will run.
        catalog: Of the run.
        parameters: As they stand in the configuration; groups of them have been checked.

    Raises:
        UserError: If something is not there, or does not go together.
    """
    nodes = list(nodes)
    used = {name for node in nodes for name in node.inputs}
    if "ood_images" in used:
        place = cast(Any, catalog["ood_images"])._source()
        if place and not is_address(place) and not local_path(place).exists():
            raise UserError(f"--params=ood_images={place} does not exist; give the path of a folder or an archive.")
    if "curation" in used:
        catalog.load("curation")
    if "raw_images" in used:
        _check_photos(catalog)
    if any(_PUBLICATION in node.outputs for node in nodes):
        cast(Any, catalog[_PUBLICATION]).check()
    stages = parameters.get("stages", {})
    searches = any(node.namespace == _SEARCH for node in nodes)
    trained = [name for name in stages if searches or f"params:stages.{name}.architecture" in used]
    with_weights = "pretrained_weights" in used  # they may be gone when training has ended
    _check_trained(trained, catalog, parameters, with_weights)
    if searches:
        _check_search(catalog, parameters, with_weights)
    compared = {node.namespace for node in nodes if _compares(node)}
    # not above: Kedro would wake the lazy pandas of pipelines as it reads the settings
    from guitar_kedro.pipelines.networks.plan import plan_networks

    for network in plan_networks(parameters["networks"]) if compared else ():
        if f"networks.{network.namespace}" in compared:
            size = next(iter(stages.values()))["image_size"]
            size = size if isinstance(size, int) else tuple(size)
            _check_network(f"networks: {network.name}: ", network.architecture, network.weights, size, catalog)
    if trained or compared:
        from guitar_kedro.learning.networks.device import choose_device, choose_precision

        options = TrainingOptions.of_parameter("training", parameters["training"])
        choose_precision(options.precision, choose_device(parameters["device"]))


def _check_photos(catalog: DataCatalog) -> None:
    """Check that photos which are at hand can be told apart and split, before those are read."""
    from guitar_kedro.datasets import PhotosDataset
    from guitar_kedro.images.layout import refuse_rare_classes

    if isinstance(photos := catalog["raw_images"], PhotosDataset):
        curation = catalog.load("curation")
        refuse_rare_classes(photos.at_hand(), {*curation["file"], *curation["label"]})


def _check_trained(
    names: Collection[str], catalog: DataCatalog, parameters: Mapping[str, Any], with_weights: bool
) -> None:
    """Check stages that will be trained."""
    stages = parameters.get("stages", {})
    for name in names:
        path = f"stages.{name}"
        stage = StageOptions.of_parameter(path, stages[name])
        _check_stage(path, stage, parameters)
        weights = stage.weights if with_weights else None
        _check_network(f"{path}.", stage.architecture, weights, stage.image_size, catalog)
        _check_layer_decay(path, stage, parameters["training"].get("layer_decay", 1))
    _check_interpolation(names, stages)


def _check_search(catalog: DataCatalog, parameters: Mapping[str, Any], with_weights: bool) -> None:
    """Check that the search finds Optuna, and can train with all that it may try."""
    import optuna  # noqa: F401  # what is missing, the command line says

    from guitar_kedro.pipelines.search.options import SearchOptions
    from guitar_kedro.pipelines.search.space import alternatives

    if (processes := processes_of(parameters)).total > 1:
        raise UserError(
            f"A trial of a search trains in one process, but nproc_per_node is {processes.nproc_per_node} and nnodes "
            f"{processes.nnodes}: leave these out, and run trials side by side with --params=search.workers=2."
        )
    options = SearchOptions.of_parameter("search", parameters["search"])
    for words, recipe in alternatives(options.space, {name: parameters[name] for name in ("stages", "training")}):
        if words.partition("=")[0].rpartition(".")[2] in _OF_NETWORKS:
            try:
                _check_trained(recipe["stages"], catalog, {**parameters, **recipe}, with_weights)
            except UserError as error:
                raise UserError(f"{words}: {error}") from None


def _check_layer_decay(path: str, stage: StageOptions, layer_decay: float) -> None:
    from guitar_kedro.learning.networks.architectures import check_layer_decay
    from guitar_kedro.learning.training.rates import check_rates

    if layer_decay < 1:
        check_layer_decay(stage.architecture)
        for name, phase in (("frozen", stage.frozen), ("unfrozen", stage.unfrozen)):
            if phase.epochs and isinstance(phase.learning_rate, tuple):
                check_rates(f"{path}.{name}", phase.learning_rate, layer_decay)


def _check_interpolation(trained: Iterable[str], stages: Mapping[str, Any]) -> None:
    """Check that stages of a size, which share the decoded pictures, want these resized alike."""
    found: dict[str, tuple[str, str]] = {}
    for name in trained:
        origin = name
        while start_from := stages[origin].get("start_from"):
            origin = start_from
        from guitar_kedro.learning.networks.architectures import preprocessing

        how = preprocessing(stages[origin]["architecture"], stages[origin]["weights"]).interpolation
        size = size_in_words(stages[name]["image_size"])
        other, others = found.setdefault(size, (name, how))
        if how != others:
            raise UserError(
                f"stages.{name}.image_size is {size}, as that of {other}; but {name} wants "
                f"pictures resized {how}, and {other} {others}: give one of them another size."
            )


def _check_stage(path: str, stage: StageOptions, parameters: Mapping[str, Any]) -> None:
    if stage.start_from:
        earlier = parameters["stages"][stage.start_from]["architecture"]
        if earlier != stage.architecture:
            raise UserError(
                f"{path}.architecture is {stage.architecture}, but it starts from {stage.start_from}, which is a "
                f"{earlier}; a stage goes on with the same network."
            )
    processes = processes_of(parameters).total
    if stage.batch_size % processes or stage.batch_size < 2 * processes:
        raise UserError(
            f"{path}.batch_size is {stage.batch_size}; {processes} processes must share it evenly, with two pictures "
            "or more for each."
        )


def _check_network(
    place: str, architecture: str, weights: str | None, image_size: ImageSize, catalog: DataCatalog
) -> None:
    from guitar_kedro.learning.networks.architectures import body_state, check_size

    try:
        check_size(architecture, image_size)
        if weights is not None and weights != "none":
            pretrained = catalog.load("pretrained_weights")
            pretrained.check(architecture, weights)
            if local_path(weights).is_file():  # published ones fit, and are fetched or unpacked when needed
                body_state(architecture, image_size, pretrained.load(architecture, weights), weights)
    except UserError as error:
        raise UserError(f"{place}{error}") from None
