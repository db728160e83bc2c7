"""What loops read: round by round, from the last one up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, JaxprEqn

from zfjax.attribution.reach.boxes import Box, hull
from zfjax.attribution.reach.equation import Look, shape_of
from zfjax.attribution.scanned import scan_counts

Walk = Callable[..., list[Box]]
Round = Callable[[Sequence[Box]], list[Box]]  # boxes of the state after it -> of all that a round is given
ROUNDS = 64  # followed one by one; after them, an axis along which a box still changes is taken whole


def scan(equation: JaxprEqn, asked: Sequence[Box], look: Look, walk: Walk) -> list[Box]:
    """Of `jax.lax.scan`: through as many rounds as there are.

    What is stacked along the first axis is asked of all rounds alike, and read of all of them.
    """
    body, rounds = equation.params["jaxpr"], equation.params["length"]
    held, state = scan_counts(equation)
    outs = [None if part is None else part[1:] for part in asked[state:]]
    constants = equation.invars[:held]

    def one(after: Sequence[Box]) -> list[Box]:
        return _inside(body, [*after, *outs], constants, look, walk)

    read, before = _followed(one, asked[:state], body, held, rounds, look)
    stacked = [None if part is None else ((0, rounds - 1), *part) for part in read[held + state :]]
    return [*read[:held], *before, *stacked]


def repeat(equation: JaxprEqn, asked: Sequence[Box], look: Look, walk: Walk) -> list[Box]:
    """Of `jax.lax.while_loop`, whose rounds nobody counts: until nothing is added. What it looks at to see whether to
    go on counts as read."""
    options = equation.params
    first, held = options["cond_nconsts"], options["body_nconsts"]
    looked = _inside(options["cond_jaxpr"], [()], equation.invars[:first], look, walk)
    after = [hull(*each) for each in zip(asked, looked[first:], strict=True)]
    constants = equation.invars[first : first + held]

    def one(after: Sequence[Box]) -> list[Box]:
        return _inside(options["body_jaxpr"], after, constants, look, walk)

    read, before = _followed(one, after, options["body_jaxpr"], held, None, look)
    return [*looked[:first], *read[:held], *before]


def _inside(body: ClosedJaxpr, asked: Sequence[Box], constants: Sequence[Any], look: Look, walk: Walk) -> list[Box]:
    """Down a round's program; its constants are the loop's, and the rest changes from round to round."""
    others = len(body.jaxpr.invars) - len(constants)
    moved = [*(look.moved(each) for each in constants), *[True] * others]
    values = [*(functools.partial(look.known, each) for each in constants), *[lambda: None] * others]
    return walk(body, asked, look.gave_up, moved, values)


def _followed(
    one: Round, after: Sequence[Box], body: ClosedJaxpr, held: int, rounds: int | None, look: Look
) -> tuple[list[Box], list[Box]]:
    """What all rounds together read of a body's inputs, and of the state before the first.

    held: how many constants come before the state. rounds: None where any number may pass.
    """
    state = slice(held, held + len(after))
    shapes = [shape_of(place) for place in body.jaxpr.invars[state]]
    read: list[Box] = [None] * len(body.jaxpr.invars)
    before, number = [*after], 0
    while rounds is None or number < rounds:
        now = one(before)
        read = [hull(*each) for each in zip(read, now, strict=True)]
        new = now[state]
        if rounds is None or number >= ROUNDS:
            new = [hull(*each) for each in zip(before, new, strict=True)]
        if number >= ROUNDS:
            new = [_widened(*each) for each in zip(before, new, shapes, strict=True)]
        if new == before:
            break
        if number == ROUNDS:
            look.gave_up(f"a loop reads more after {ROUNDS} rounds: along those axes all is taken")
        before, number = new, number + 1
    return read, before


def _widened(before: Box, after: Box, shape: Sequence[int]) -> Box:
    """All cells along each axis on which two boxes differ."""
    if before is None or after is None:
        return after
    ends = zip(before, after, shape, strict=True)
    return tuple(old if old == new else (0, size - 1) for old, new, size in ends)
