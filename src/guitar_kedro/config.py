"""Configuration: the chosen env decides the stages, and a misspelt runtime parameter is refused."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, ClassVar

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf

from guitar_kedro.errors import UserError
from guitar_kedro.files import composed
from guitar_kedro.parameters import checked
from guitar_kedro.yaml_files import check_yaml

REGISTRY = "guitar_kedro.pipeline_registry"
# ${runtime_params:NAME, default} in a configuration file, and ${workspace_name:default}, which reads `name`
_RUNTIME_PARAMETER = re.compile(r"\$\{runtime_params:\s*(\w+)")
_WORKSPACE_PARAMETER = "${workspace_name:"
_LONGEST_NAME = 100  # of 255 bytes that a file name may have, the project puts its own beside it
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class StagesConfigLoader(OmegaConfigLoader):
    """The project's config loader.

    The stages of the training pipeline are parameters, so pipelines depend on the env. Kedro reads the pipeline
    registry without telling it the env; this loader, which is made once for each session, is where the registry
    looks (``current``), and it makes Kedro read the registry anew.
    """

    current: ClassVar[StagesConfigLoader | None] = None

    def __init__(
        self,
        conf_source: str | Path,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes the loader and the registry that goes with its env.

        Args:
            conf_source: The folder of the configuration.
            env: The folder in it that goes over ``base``.
            runtime_params: What ``--params`` gave.
            **kwargs: Further arguments of ``OmegaConfigLoader``.

        Raises:
            UserError: If there is no such env, if a runtime parameter is none that its configuration knows, or if
                ``name`` cannot name a folder.
        """
        from kedro.framework.project import pipelines

        runtime_params = runtime_params or {}
        _check_env(Path(conf_source), env)
        # Kedro allows no runtime parameters in globals.yml, where the workspace belongs: a resolver of our own
        OmegaConf.register_resolver(
            "workspace_name", lambda default: _workspace_name(runtime_params, default), replace=True
        )
        super().__init__(conf_source, env, runtime_params, **kwargs)
        _check_names(runtime_params, self._known_parameters())
        StagesConfigLoader.current = self
        pipelines.configure(REGISTRY)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Reads the configuration of a kind; parameters are checked, and complete.

        Of few mistakes in a file, Kedro and PyYAML say in which one they are.

        Raises:
            UserError: If a file of it cannot be read, or parameters cannot be used.
        """
        try:
            found = super().__getitem__(key)
        except Exception:
            for env in (self.base_env, self.env or self.default_run_env):
                for pattern in self.config_patterns.get(key, ()) if env else ():
                    for path in sorted(self._fs.glob(f"{self._get_conf_env_path(env)}/{pattern}")):
                        check_yaml(path, self._fs.cat_file(path))
            raise
        return checked(found) if key == "parameters" else found

    def _read_raw_config(self, key: str) -> tuple[dict, dict, str, str, set]:
        """Reads the files, and lets the parameters of the env replace those of base at once.

        Kedro merges runtime parameters into base and into the env before the env's keys replace those of base; of
        ``--params=audit.folds=2`` only ``folds`` would be left under ``audit``, where the env has no ``audit``.
        """
        base, env, base_path, env_path, files = super()._read_raw_config(key)
        if key == "parameters":
            replaced = {name for config in env.values() for name in config}
            kept = {path: OmegaConf.masked_copy(config, set(config) - replaced) for path, config in base.items()}
            base, env = {**kept, **env}, {}
            for config in base.values():
                _compose_labels(config)
        return base, env, base_path, env_path, files

    def _known_parameters(self) -> set[str]:
        folders = [Path(self.conf_source) / env for env in (self.base_env, self.env or self.default_run_env) if env]
        texts = [
            path.read_text(encoding="utf-8", errors="replace")
            for folder in folders
            for path in sorted(folder.rglob("*.yml"))
        ]
        known = {name for text in texts for name in _RUNTIME_PARAMETER.findall(text)}
        known |= {"name"} if any(_WORKSPACE_PARAMETER in text for text in texts) else set()
        given = self.runtime_params
        self.runtime_params = {}
        try:
            return known | set(super().__getitem__("parameters")) - {"workspace"}  # which `name` sets
        finally:
            self.runtime_params = given


def _compose_labels(config: DictConfig) -> None:
    """Spells the labels under ``display_names`` as classes are, whichever way an editor wrote their accents."""
    if isinstance(named := config.get("display_names"), DictConfig):
        names = OmegaConf.to_container(named, resolve=False)
        config["display_names"] = {composed(key) if isinstance(key, str) else key: name for key, name in names.items()}


def _check_env(conf_source: Path, env: str | None) -> None:
    if env and conf_source.is_dir() and not (conf_source / env).is_dir():
        envs = sorted(path.name for path in conf_source.iterdir() if path.is_dir())
        raise UserError(f"--env={env}: there is no such environment; choose one of {', '.join(envs)}.")


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
    for name in given:
        if name not in known:
            close = ["name"] if name == "workspace" else difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise UserError(
                f"--params={name}=...: no such parameter in this environment.{hint} "
                f"It knows {', '.join(sorted(known))}."
            )
