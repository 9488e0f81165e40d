"""Which stages there are, what each starts from, and which phases it has: what the shape of the pipeline needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guitar_kedro.errors import UserError
from guitar_kedro.sizes import size_in_words

PROBE = "probe"
PHASES = (PROBE, "frozen", "unfrozen")
PRETRAINED = "pretrained_weights"
LONGEST_NAME = 60  # of a stage: names of files are made of it
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# what lies where the folders of the stages do, and what else the training pipeline calls its nodes
_RESERVED = {"bundle", "epoch_states", "model", "processes", "random_split", "show_training"}


@dataclass(frozen=True)
class StagePlan:
    """One stage of the pipeline.

    Attributes:
        name: Of the stage.
        start: The dataset it starts from.
        origin: The stage whose pretrained weights it goes back to: itself, or the first of those it continues.
        phases: Those of ``PHASES`` that are asked for: a probe, and phases with epochs to train.
        image_size: Of its input; stages of one size share the decoded pictures.
        suggested: Phases that are trained with the learning rate that the finder suggests.
        finder: Whether it looks for one before each phase.
    """

    name: str
    start: str
    origin: str
    phases: tuple[str, ...]
    image_size: Any
    suggested: tuple[str, ...] = ()
    finder: bool = True

    @property
    def trained(self) -> tuple[str, ...]:
        """Its phases with epochs."""
        return tuple(phase for phase in self.phases if phase != PROBE)

    @property
    def pixels(self) -> str:
        """The dataset with its decoded pictures."""
        return f"pixels_{size_in_words(self.image_size).replace(' ', '')}px"

    @property
    def checkpoint(self) -> str:
        """The dataset with the trained network of the stage."""
        return f"train.{self.name}.{self.phases[-1]}_checkpoint"


def probed_features(stages: Sequence[StagePlan]) -> str | None:
    """Return the dataset with the features of the first stage that has a probe; ``None`` where none has."""
    return next((f"train.{stage.name}.features" for stage in stages if PROBE in stage.phases), None)


def plan_stages(stages: Any) -> list[StagePlan]:
    """Plan the stages in the order of the parameters.

    Args:
        stages: The parameter ``stages``: options by name. Only what decides the shape of the pipeline is looked at.

    Raises:
        UserError: If there are no stages, a stage has no usable name or trains nothing, or it starts from one that does
            not come before it.
    """
    if not isinstance(stages, dict) or not stages:
        raise UserError("parameters: stages must name at least one stage of training.")
    plans: dict[str, StagePlan] = {}
    for name, options in stages.items():
        _check_name(name, plans)
        if not isinstance(options, dict):
            raise UserError(f"stages.{name} must hold the options of a stage, not {options!r}.")
        start_from = options.get("start_from")
        plans[name] = StagePlan(
            name,
            _start(name, start_from, plans),
            plans[start_from].origin if start_from else name,
            _phases(name, options),
            options.get("image_size"),
            tuple(phase for phase in PHASES if _of(options.get(phase), "learning_rate") == "suggested"),
            options.get("finder", True) is not False,
        )
    return list(plans.values())


def _check_name(name: Any, earlier: dict[str, StagePlan]) -> None:
    """Refuse names that cannot name nodes, datasets and folders alike."""
    if not isinstance(name, str):
        raise UserError(f"stages.{str(name).lower()}: YAML does not read this name as text; put it in quotes.")
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UserError(
            f"stages.{name}: a stage names folders, so use letters, digits, '-' and '_' only, at most {LONGEST_NAME}."
        )
    if name.lower() in _RESERVED or name.startswith("decode_"):
        raise UserError(f"stages.{name}: that name belongs to another part of training; choose another one.")
    if same := [other for other in earlier if other.lower() == name.lower()]:
        raise UserError(f"stages.{name}: there is {same[0]} already, which some disks take for the same name.")


def _start(name: str, start_from: str | None, earlier: dict[str, StagePlan]) -> str:
    if start_from is None:
        return PRETRAINED
    if start_from not in earlier:
        known = f"one of {', '.join(earlier)}" if earlier else "weights, since it is the first"
        raise UserError(
            f"stages.{name}.start_from: there is no stage {start_from} before {name}; start it from {known}."
        )
    return earlier[start_from].checkpoint


def _phases(name: str, options: dict[str, Any]) -> tuple[str, ...]:
    left_out = {phase for phase in PHASES if _of(options.get(phase), "epochs") == 0}
    if options.get(PROBE) is None:
        left_out.add(PROBE)
    phases = tuple(phase for phase in PHASES if phase not in left_out)
    if not phases:
        raise UserError(f"stages.{name}: both phases have 0 epochs; give one of them epochs, or remove the stage.")
    return phases


def _of(phase: Any, option: str) -> Any:
    return phase.get(option) if isinstance(phase, dict) else None
