"""The project's own commands, with a user's mistakes told in one line."""

from __future__ import annotations

import atexit
import contextlib
import copy
import gc
import logging
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, cast

import click
import psutil
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines
from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from guitar_kedro.command_options import PARAMS, WHERE, in_one_sentence, opened_context, parsed_params
from guitar_kedro.errors import UserError
from guitar_kedro.files import written_whole
from guitar_kedro.project import project_folder
from guitar_kedro.serving.command import serve
from guitar_kedro.serving.review.command import review
from guitar_kedro.yaml_files import check_yaml


@contextlib.contextmanager
def _command() -> Iterator[None]:
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk say, is no reason for tracebacks
    os.environ["MPLBACKEND"] = "agg"  # figures become files; what is set here for windows may be missing
    gc.freeze()  # what is imported stays: looking for garbage among it takes a sixth of a run that skips everything
    try:
        with _interruptible(), in_one_sentence():
            yield
    except KeyboardInterrupt:
        _end_at_once()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make sure that Ctrl-C ends a command, also where Python loses the exception.

    It does so when the exception is raised in a callback of a weak reference or in a ``__del__``.
    """

    def interrupt(*_: Any) -> NoReturn:
        lost = threading.Timer(1.0, _end_at_once)
        lost.daemon = True
        lost.start()
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, in the background of a shell
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_at_once() -> NoReturn:
    """End this process and those that it started, as safely as if they were killed.

    Python's own way out waits for threads and processes, and then takes seconds to free what torch holds.
    """
    Console(stderr=True).show_cursor()  # a bar may have hidden it
    click.ClickException("Stopped. Whatever was finished is kept; the same command goes on after it.").show()
    children = psutil.Process().children(recursive=True)
    for process in children:
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "resource_tracker" not in " ".join(process.cmdline()):  # it tidies up after this process, and ends
                process.kill()
    psutil.wait_procs(children, timeout=0.2)
    atexit._run_exitfuncs()  # libraries tidy up; there is no public name for it
    sys.stdout.flush()
    os._exit(1)


@click.group(name="guitar-kedro")
def cli() -> None:
    """Commands of this project."""


@_command()
def _run(**options: Any) -> Any:
    context = click.get_current_context()
    if of_file := (context.default_map or {}).get("params"):  # of which Kedro drops all where some are typed
        together = OmegaConf.merge(parsed_params(context, PARAMS, of_file), options["params"])
        options["params"] = OmegaConf.to_container(together)
    # both spellings work; Kedro warns of the older one, which asks nothing of the user
    if options["pipeline"] and not options["pipelines"]:
        options["pipelines"], options["pipeline"] = [options["pipeline"]], None
    if options["runner"] not in (None, "SequentialRunner"):
        from guitar_kedro.runs.runner import ONE_AFTER_ANOTHER

        raise UserError(f"--runner={options['runner']}: {ONE_AFTER_ANOTHER}; leave --runner out.")
    if unknown := set(options["runner_params"]) - {"is_async"}:
        raise UserError(f"--runner-params={', '.join(sorted(unknown))}: the runner knows is_async only.")
    return cast(Callable[..., Any], kedro_run.callback)(**options)


def _read_options(context: click.Context, option: click.Parameter, path: str | None) -> str | None:
    try:
        if path:
            check_yaml(path, Path(path).read_bytes())
        return cast(Callable[..., Any], _CONFIG.callback)(context, option, path)
    except (UserError, click.ClickException) as error:  # that of Kedro prints a traceback
        raise click.ClickException(str(error)) from None
    except (KeyError, AttributeError):
        raise click.ClickException(
            f"{path} must hold the options of the command under `{context.info_name}:`."
        ) from None


def _in_a_sentence(option: click.Parameter) -> click.Parameter:
    """Let an option of Kedro say what is wrong with it; its own exceptions print a traceback, or none at all."""

    def read(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return cast(Callable[..., Any], option.callback)(context, parameter, value)
        except click.ClickException as error:
            raise click.ClickException(f"{option.opts[0]}={value}: {error}") from None

    plain = copy.copy(option)
    plain.callback = read if option.callback else None
    return plain


[_CONFIG] = (option for option in kedro_run.params if option.name == "config")
_OURS = {PARAMS.name: PARAMS, "config": copy.copy(_CONFIG)}
_OURS["config"].callback = _read_options
run = copy.copy(kedro_run)
run.params = [_OURS.get(option.name) or _in_a_sentence(option) for option in kedro_run.params]
run.callback = _run
cli.add_command(run)
cli.add_command(serve)
cli.add_command(review)


@cli.command(params=[*WHERE])
@_command()
def status(**where: Any) -> None:
    """Show what is finished, what would run again and why, and what is missing."""
    from guitar_kedro.pipelines.training.plan import plan_stages
    from guitar_kedro.runs.status import status_report

    with opened_context(**where) as context:
        parameters = context.config_loader["parameters"]
        report = status_report(plan_stages(parameters["stages"]), pipelines, context.catalog, parameters)
        Console().print(report, soft_wrap=True)


@cli.command(params=[*WHERE])
@click.option("--keep", type=click.IntRange(min=1), required=True, help="So many of the latest runs keep all versions.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@_command()
def prune(keep: int, dry_run: bool, **where: Any) -> None:
    """Remove old versions, and what dead runs left behind."""
    from guitar_kedro.runs.prune import prune_workspace

    with opened_context(**where) as context:
        workspace = context.config_loader["parameters"]["workspace"]
        for line in prune_workspace(workspace, context.catalog, pipelines.values(), keep, dry_run):
            click.echo(line)


@cli.command(params=[*WHERE])
@click.option("--open", "opened", is_flag=True, help="Open it in the browser as well.")
@_command()
def report(opened: bool, **where: Any) -> None:
    """Say where the latest model card is."""
    with opened_context(**where) as context:
        # not the dataset, whose libraries take longer to import than all the rest
        cards = Path(context.config_loader["catalog"]["model_card"]["filepath"])
    versions = sorted((project_folder() / cards).glob(f"*/{cards.name}"))
    if not versions:
        raise UserError(f"{cards}: there is no model card yet; run `kedro run` first.")
    address = versions[-1].resolve().as_uri()
    Console().print(Text(os.path.relpath(versions[-1]), f"link {address}"), soft_wrap=True)
    if opened and not webbrowser.open(address):
        raise UserError("No browser could be started here; open the file in one yourself.")


@cli.command(params=[*WHERE])
@click.argument("models", nargs=-1, metavar="[A B]")
@click.option("--against", metavar="MODEL", help="Compare all with this one, instead of each with the one before it.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a page as well.")
@_command()
def compare(models: tuple[str, ...], against: str | None, html: Path | None, **where: Any) -> None:
    """Show the models of a workspace side by side, or what changed from A to B.

    A model is named by its version, by the beginning of that, or by its note.
    """
    if len(models) not in (0, 2) or (models and (against or html)):
        raise UserError("kedro compare takes two models, to tell what changed; or none, to show all of them.")
    if html and not html.absolute().parent.is_dir():
        raise UserError(f"--html={html}: there is no folder {html.parent}; make it, or name another one.")
    from guitar_kedro import cards, metrics

    with opened_context(**where) as context:
        workspace = context.config_loader["parameters"]["workspace"]
        dataset = context.catalog["experiments"]
        experiments = dataset.load()
        if not experiments:
            raise UserError(f"The workspace {workspace} has no model yet: run `kedro run` first.")
        if models:
            one, other = (metrics.find_experiment(experiments, model) for model in models)
            Console().print(cards.difference_report(one, other), soft_wrap=True)
            return
        chosen = metrics.find_experiment(experiments, against) if against else None
        what = experiments, metrics.compare_experiments(experiments, chosen), workspace, dataset.failures()
        Console().print(cards.comparison_report(*what), soft_wrap=True)
        if html:
            with written_whole(html) as beside:
                beside.write_text(cards.comparison_html(*what), encoding="utf-8")
            click.echo(os.path.relpath(html))
