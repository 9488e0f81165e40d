"""The parameters that say in how many processes training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guitar_kedro.learning.distributed.options import Processes
from guitar_kedro.project import models_folder

PROCESSES = ("nproc_per_node", "nnodes", "rdzv_endpoint", "max_restarts")


def processes_of(parameters: Mapping[str, Any]) -> Processes:
    """Check and convert the parameters of ``PROCESSES``.

    Args:
        parameters: Values by name; these, and ``workspace``.

    Raises:
        UserError: If one cannot be used, or they do not go together.
    """
    values = {name: parameters[name] for name in PROCESSES}
    values["folder"] = models_folder(parameters["workspace"]) / "processes"
    values["imports"] = ("guitar_kedro.settings",)  # which set up logging, as conf/logging.yml says
    return Processes.of_parameter("", values)
