"""What a rule is given and gives, and what several rules do.

A rule takes the equation, the boxes asked of its outputs (None of those that nobody asked for) and a `Look`; it
returns a box for each operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jax.extend.core import JaxprEqn

from zfjax.attribution.reach.boxes import Box, Range, box, hull


class Look(NamedTuple):
    """How a rule looks around in the program, and speaks to whoever asked."""

    known: Callable[[Any], Any]  # an operand -> its value, or None where it hangs on the image or is too large
    moved: Callable[[Any], bool]  # an operand -> whether it hangs on the image
    gave_up: Callable[[str], None]  # why cells are in the box that a rule could not tell from those that are read


Rule = Callable[[JaxprEqn, Sequence[Box], Look], list[Box]]


def shape_of(operand: Any) -> tuple[int, ...]:
    """Of a variable or a literal of a jaxpr."""
    return operand.aval.shape


def joined(asked: Sequence[Box]) -> Box:
    """The smallest box that holds what is asked of several outputs of one shape."""
    found: Box = None
    for part in asked:
        found = hull(found, part)
    return found


def along(equation: JaxprEqn, asked: Sequence[Box], change: Callable[[int, Range, int], Range | None]) -> list[Box]:
    """Of the first operand, and all others of its shape, by a change of each axis's range; scalars have one cell."""
    part = joined(asked)
    assert part is not None
    found = box(
        [
            change(axis, each, size)
            for axis, (each, size) in enumerate(zip(part, shape_of(equation.invars[0]), strict=True))
        ]
    )
    return [found if shape_of(operand) else () for operand in equation.invars]
