"""Configuration: the chosen env decides the stages, and a misspelt runtime parameter is refused."""

from __future__ import annotations

import difflib
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from kedro.config import OmegaConfigLoader
from kedro.framework.project import pipelines, settings
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from guitar_kedro.errors import UserError
from guitar_kedro.files import composed
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.options import Options, completed
from guitar_kedro.parameters import (
    RENAMED_ENTRIES,
    check_runtime_parameters,
    check_texts,
    is_text,
    paths,
    refuse_renamed,
)
from guitar_kedro.project import project_folder
from guitar_kedro.session import note_session
from guitar_kedro.yaml_files import check_yaml

REGISTRY = "guitar_kedro.pipeline_registry"
DEVICES = ("auto", "cpu", "cuda", "mps")
# ${runtime_params:NAME, default} in a configuration file, and ${workspace_name:default}, which reads `name`
_RUNTIME_PARAMETER = re.compile(r"\$\{runtime_params:\s*(\w+)")
_WORKSPACE_PARAMETER = "${workspace_name:"
_LONGEST_NAME = 100  # of 255 bytes that a file name may have, the project puts its own beside it
_WORKSPACE = re.compile(r"^workspace:\s*(?:\$\{workspace_name:\s*)?([\w-]+)", re.MULTILINE)
_FURTHER_PATHS = {  # of datasets that look at several places
    "guitar_kedro.datasets.BundleDataset": ("model",),
    "guitar_kedro.datasets.CurationDataset": ("shared",),
    "guitar_kedro.datasets.ExperimentsDataset": ("models", "predictions", "histories", "test_log"),
    "guitar_kedro.datasets.ModelBeforeChangeDataset": ("image_labels", "predictions"),
    "guitar_kedro.datasets.PhotosDataset": ("collected",),
    "guitar_kedro.datasets.SealedLabelsDataset": ("log",),
    "guitar_kedro.datasets.TableBeforeChangeDataset": ("image_labels", "predictions"),
}
_NO_WORKSPACES = {"pretrained": "the folder of downloaded weights"}
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class StagesConfigLoader(OmegaConfigLoader):
    """The project's config loader.

    The stages of the training pipeline are parameters, so pipelines depend on the env. Kedro reads the pipeline
    registry without telling it the env; this loader, which is made once for each session, is where the registry
    looks (``current``), and it makes Kedro read the registry anew.
    """

    # None until Kedro has made the first one; only the registry may run before that, and checks
    current: ClassVar[StagesConfigLoader] = None  # type: ignore[assignment]

    def __init__(
        self,
        conf_source: str | Path,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Make the loader and the registry that goes with its env.

        Args:
            conf_source: The folder of the configuration, or an archive of it, as ``kedro package`` makes one.
            env: The folder in it that goes over ``base``.
            runtime_params: What ``--params`` gave.
            **kwargs: Further arguments of ``OmegaConfigLoader``.

        Raises:
            UserError: If there is no such env, if a runtime parameter is none that its configuration knows or a text
                that was read as something else, if ``name`` cannot name a folder or is another env's workspace, or if
                there is no such device.
        """
        runtime_params = runtime_params or {}
        own = Path(conf_source).resolve() == (project_folder() / settings.CONF_SOURCE).resolve()
        given_source = None if own else str(conf_source)
        note_session(runtime_params, env=env, conf_source=given_source)
        refuse_renamed(paths(runtime_params), where="--params=")
        check_runtime_parameters(runtime_params)
        # Kedro allows no runtime parameters in globals.yml, where the workspace belongs: a resolver of our own
        OmegaConf.register_resolver(
            "workspace_name", lambda default: _workspace_name(runtime_params, default), replace=True
        )
        try:
            super().__init__(conf_source, env, runtime_params, **kwargs)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise UserError(
                f"--conf-source={conf_source} cannot be read ({error}); give a folder, a .tar.gz or a .zip of one."
            ) from None
        self._check_env()
        names, written = self._known_names(), self._written_parameters()
        _check_names(runtime_params, names | set(written) - {"workspace"})  # which `name` sets
        self._check_workspace()
        self._written = written
        self._parameters: dict[str, Any] | None = None
        StagesConfigLoader.current = self
        pipelines.configure(REGISTRY)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Get a configuration; parameters are checked, and complete.

        In the catalog, further paths of a dataset are from the project's root as well: Kedro sees to that itself for
        those that are called ``filepath``.

        Raises:
            UserError: If a file of it cannot be read, or parameters cannot be used.
        """
        if key == "parameters":
            # read once for a session, as Kedro does: all of a run, and its record, goes by what it began with
            if self._parameters is None:
                as_written = not self.runtime_params and key not in self.data
                self._parameters = _completed(self._written if as_written else self._read(key))
            return deepcopy(self._parameters)
        found = self._read(key)
        if key == "catalog":
            refuse_renamed(found, RENAMED_ENTRIES, "catalog: ")
            for entry_name, entry in found.items():
                if not isinstance(entry, dict) or "type" not in entry:
                    raise UserError(
                        f"catalog: {entry_name} is {entry!r}; an entry holds the type of a dataset and its arguments, "
                        "see conf/base/catalog.yml."
                    )
                for name in entry.keys() & set(_FURTHER_PATHS.get(entry["type"], ())):
                    entry[name] = str(project_folder() / entry[name])
        return found

    def _read(self, key: str) -> dict[str, Any]:
        try:
            return super().__getitem__(key)
        except Exception as error:
            # of few mistakes in a file, Kedro and PyYAML say in which one they are
            for env in (self.base_env, self.env or self.default_run_env):
                for pattern in self.config_patterns.get(key, ()) if env else ():
                    for path in sorted(self._fs.glob(f"{self._get_conf_env_path(env)}/{pattern}")):
                        check_yaml(path, self._fs.cat_file(path))
            if isinstance(error, OmegaConfBaseException) and error.full_key and user_error_behind(error) is None:
                reason = str(error).splitlines()[0]
                raise UserError(
                    f"{key}: what {error.full_key} refers to with ${{...}} cannot be found ({reason}); mend it in "
                    f"{self.conf_source}."
                ) from None
            raise

    def _read_raw_config(self, key: str) -> tuple[dict[Path, DictConfig], dict[Path, DictConfig], str, str, set[Path]]:
        """Read the files, and let the parameters of the env replace those of base at once.

        Kedro merges runtime parameters into base and into the env before the env's keys replace those of base; of
        ``--params=calibration.precision=float32`` only ``precision`` would be left under ``calibration``, where the env
        has no ``calibration``.
        """
        base, env, base_path, env_path, files = super()._read_raw_config(key)
        if key == "parameters":
            replaced = {name for config in env.values() for name in config}
            kept = {path: OmegaConf.masked_copy(config, list(set(config) - replaced)) for path, config in base.items()}
            base, env = {**kept, **env}, {}
            for config in base.values():
                _compose_labels(config)
        return base, env, base_path, env_path, files

    def _read_dir_configs(
        self,
        conf_path: str,
        patterns: Iterable[str],
        key: str,
        processed_files: set[Path],
        read_environment_variables: bool | None = False,
    ) -> dict[Path, Any]:
        """Read the files of an env; ``local``, which is nobody's but one's own, may be missing."""
        optional = not self.env and conf_path == self._get_conf_env_path(self.default_run_env)
        if optional and not self._fs.isdir(conf_path):
            return {}
        return super()._read_dir_configs(conf_path, patterns, key, processed_files, read_environment_variables)

    def _known_names(self) -> set[str]:
        """Find the names of runtime parameters that the files refer to."""
        envs = [env for env in (self.base_env, self.env or self.default_run_env) if env]
        texts = [text for env in envs for text in self._texts(env)]
        names = {name for text in texts for name in _RUNTIME_PARAMETER.findall(text)}
        return names | ({"name"} if any(_WORKSPACE_PARAMETER in text for text in texts) else set())

    def _written_parameters(self) -> dict[str, Any]:
        """Read the parameters as the files have them, without those that are given at runtime."""
        given = self.runtime_params
        self.runtime_params = {}
        try:
            parameters = self._read("parameters")
        finally:
            self.runtime_params = given
        check_texts(parameters)
        workspace = str(parameters.get("workspace", "demo"))
        if not _SAFE_NAME.fullmatch(workspace):
            raise UserError(
                f"globals: workspace is {workspace}, but it names a folder: use letters, digits, '-' and '_' only."
            )
        return parameters

    def _texts(self, env: str, name: str = "**") -> Iterator[str]:
        """Read the files of an env, from wherever the configuration lies."""
        folder = self._get_conf_env_path(env)
        for path in sorted(self._fs.glob(f"{folder}/{name}")) if self._fs.isdir(folder) else ():
            if self._is_valid_config_path(Path(path)):
                try:
                    yield self._fs.cat_file(path).decode("utf-8")
                except UnicodeDecodeError:
                    raise UserError(f"{path} is not UTF-8: save it as UTF-8.") from None

    def _environments(self) -> list[str]:
        top = Path(self._get_conf_env_path(self.base_env)).parent.as_posix()
        if not self._fs.isdir(top):
            raise UserError(
                f"There is no configuration in {self.conf_source}: run this in the folder of a project, or give the "
                "archive that `kedro package` makes, --conf-source=ARCHIVE."
            )
        return sorted(Path(path).name for path in self._fs.ls(top, detail=False) if self._fs.isdir(path))

    def _check_env(self) -> None:
        for env in (self.base_env, self.env):
            if env and not self._fs.isdir(self._get_conf_env_path(env)):
                envs = ", ".join(self._environments())
                if env == self.base_env:
                    raise UserError(f"--conf-source={self.conf_source} holds no folder {env}, but {envs or 'nothing'}.")
                raise UserError(f"--env={env}: there is no such environment; choose one of {envs}.")

    def _check_workspace(self) -> None:
        """Refuse the workspace of another env as a name: its pictures and models would mix with these."""
        name = self.runtime_params.get("name")
        taken = dict(_NO_WORKSPACES)
        for env in self._environments() if name else ():
            for text in self._texts(env, "globals.yml") if env != self.env else ():
                whose = "commands without --env" if env == self.base_env else f"--env={env}"
                taken |= {found.casefold(): f"the workspace of {whose}" for found in _WORKSPACE.findall(text)}
        if name and name.casefold() in taken:
            raise UserError(f"--params=name={name}: that is {taken[name.casefold()]}; choose another name.")


def _completed(parameters: dict[str, Any]) -> dict[str, Any]:
    refuse_renamed(paths(parameters))
    if parameters.get("device", "auto") not in DEVICES:
        raise UserError(f"device is {parameters['device']}; choose one of {', '.join(DEVICES)}.")
    from guitar_kedro.learning.training.recipe import StageOptions, TrainingOptions
    from guitar_kedro.pipelines.calibration.options import CalibrationOptions
    from guitar_kedro.pipelines.ingestion.options import IngestionOptions
    from guitar_kedro.pipelines.search.options import SearchOptions
    from guitar_kedro.pipelines.training.plan import plan_stages
    from guitar_kedro.tracking import TrackingOptions

    stages = parameters.get("stages")
    if stages is not None:
        plan_stages(stages)  # whose names cannot be parts of paths before they are checked
    groups: dict[str, type[Options]] = {
        "ingestion": IngestionOptions,
        "training": TrainingOptions,
        "calibration": CalibrationOptions,
        "search": SearchOptions,
        "tracking": TrackingOptions,
    }
    groups |= {f"stages.{name}": StageOptions for name in (stages if isinstance(stages, dict) else ())}
    return completed(parameters, groups)


def _compose_labels(config: DictConfig) -> None:
    """Spell the labels under ``display_names`` as classes are, whichever way an editor wrote their accents."""
    if isinstance(named := config.get("display_names"), DictConfig):
        names: Any = OmegaConf.to_container(named, resolve=False)
        config["display_names"] = {composed(key) if isinstance(key, str) else key: name for key, name in names.items()}


def _workspace_name(runtime_params: dict[str, Any], default: str) -> str:
    name = str(runtime_params.get("name", default))
    if not _SAFE_NAME.fullmatch(name):
        raise UserError(
            f"--params=name={name}: a workspace names a folder, so use letters, digits, '-' and '_' only, "
            "for example --params=name=pets."
        )
    if len(name) > _LONGEST_NAME:
        raise UserError(f"--params=name={name}: it has {len(name)} letters, and a workspace may have {_LONGEST_NAME}.")
    return name


def _check_names(given: dict[str, Any], known: set[str]) -> None:
    for name, value in given.items():
        if name not in known:
            if name == "name":
                raise UserError(
                    f"--params=name={value}: this environment has one workspace, which has its name already; "
                    "workspaces of your own are those of --env=photos."
                )
            if (before := list(given)[: list(given).index(name)]) and is_text(before[-1]):
                raise UserError(
                    f"--params=...,{name}=...: no such parameter in this environment. If it belongs to the value of "
                    f"{before[-1]}, a comma and a name with = stand in that: make a link to it that has none."
                )
            close = ["name"] if name == "workspace" else difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise UserError(
                f"--params={name}=...: no such parameter in this environment.{hint} "
                f"It knows {', '.join(sorted(known))}."
            )
