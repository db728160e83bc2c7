"""A function as the steps that its jaxpr lists, calls opened, with the places where a ReLU's gradient is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jax.extend import core

from zfjax.attribution.relus.rectifier import Rectifier


class Relu(NamedTuple):
    """An activation that was found. where: the names under which the program knows the place."""

    kind: str  # "relu", "leaky_relu", "relu6", "ceiling" or "hard_tanh"
    where: str
    shape: tuple[int, ...]


class Problem(NamedTuple):
    """What is no ReLU and not linear. fatal: its plain gradient would not do either."""

    primitive: str
    where: str
    reason: str
    fatal: bool = False


@dataclass(frozen=True)
class Equation:
    """One of the jaxpr's, as it stands."""

    eqn: core.JaxprEqn
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Rectify:
    """The value's gradient goes to `below` by the rule for the rectifier."""

    rectifier: Rectifier
    below: int
    value: int


@dataclass(frozen=True)
class Structured:
    """Control flow, or a border that must stay: its own programs in place of those that its equation holds."""

    eqn: core.JaxprEqn
    programs: tuple[Program, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


Step = Equation | Rectify | Structured


@dataclass(frozen=True, eq=False)
class Program:
    """steps over values that are numbered; constants are values that the jaxpr has in itself."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    constants: dict[int, Any] = field(repr=False)
    relus: tuple[Relu, ...]
    problems: tuple[Problem, ...]


def needed(steps: Sequence[Step], outputs: Sequence[int]) -> tuple[tuple[Step, ...], set[int]]:
    """The steps that the outputs need, or that do something besides, and the values that these make."""
    live, found = set(outputs), []
    for step in reversed(steps):
        if isinstance(step, Rectify):
            if step.value in live:
                live.add(step.below)
                found.append(step)
        elif live & set(step.outputs) or step.eqn.effects:
            live.update(step.inputs, step.outputs)
            found.append(step)
    return tuple(reversed(found)), live
