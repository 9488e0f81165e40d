"""Runs the project without the ``kedro`` command: ``python -m guitar_kedro`` is ``kedro run``."""

from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run ``kedro run`` of this project; arguments are those of the command line."""
    configure_project(Path(__file__).parent.name)
    from guitar_kedro.cli import run

    return run(*args, **kwargs)


if __name__ == "__main__":
    main()
