"""The walk down a program: from boxes of its outputs to those of its inputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from zfjax.attribution.reach import loops
from zfjax.attribution.reach.boxes import Box, hull, whole
from zfjax.attribution.reach.equation import Look, shape_of
from zfjax.attribution.reach.rules import rule_for

LARGEST = 1 << 20  # cells of an array that is computed to see where it points
ELSEWHERE = frozenset({"platform_index", "axis_index"})  # known where the program runs, and not before
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # where equations keep the program that they call


def walk(
    program: ClosedJaxpr,
    asked: Sequence[Box],
    gave_up: Callable[[str], None],
    moved: Sequence[bool] | None = None,
    values: Sequence[Callable[[], Any]] | None = None,
) -> list[Box]:
    """What of each input a program reads for these boxes of its outputs; None: nothing.

    gave_up: is told, in a sentence, where more than what is read was taken. moved: which inputs are looked for, all by
    default; no box is found of the others, which may be known: values are functions that give theirs, or None.
    """
    jaxpr = program.jaxpr
    moved = [True] * len(jaxpr.invars) if moved is None else moved
    if any(_writes(equation) for equation in jaxpr.eqns):
        gave_up("the program writes into a Ref, which is not followed: all of its inputs is taken")
        return [whole(shape_of(place)) if yes else None for place, yes in zip(jaxpr.invars, moved, strict=True)]
    moving, made = _forwards(jaxpr, moved)
    known = _values(program, moving, made, values or [lambda: None] * len(jaxpr.invars))
    look = Look(known, lambda operand: not isinstance(operand, Literal) and operand in moving, gave_up)
    found: dict[Any, Box] = {}

    def join(operands: Sequence[Any], parts: Sequence[Box]) -> None:
        for operand, part in zip(operands, parts, strict=True):
            if part is not None and look.moved(operand):
                found[operand] = hull(found.get(operand), part)

    join(jaxpr.outvars, asked)
    for equation in reversed(jaxpr.eqns):
        parts = [found.get(output) for output in equation.outvars]
        if any(part is not None for part in parts):
            join(equation.invars, _reads(equation, parts, look))
    return [found.get(place) for place in jaxpr.invars]


def _writes(equation: JaxprEqn) -> bool:
    return bool(equation.effects) and any(hasattr(operand.aval, "inner_aval") for operand in equation.invars)


def _forwards(jaxpr: Jaxpr, moved: Sequence[bool]) -> tuple[set, dict[Any, JaxprEqn]]:
    """The variables that hang on the inputs looked for, and of all others the equation that makes them."""
    moving = {place for place, yes in zip(jaxpr.invars, moved, strict=True) if yes}
    made = {}
    for equation in jaxpr.eqns:
        if any(not isinstance(operand, Literal) and operand in moving for operand in equation.invars):
            moving |= {*equation.outvars}
        else:
            made |= dict.fromkeys(equation.outvars, equation)
    return moving, made


def _values(
    program: ClosedJaxpr, moving: set, made: dict[Any, JaxprEqn], values: Sequence[Callable[[], Any]]
) -> Callable[[Any], Any]:
    """A function from an operand to its value, computed when it is first asked for; None where it cannot be known."""
    given = dict(zip(program.jaxpr.constvars, [lambda each=each: each for each in program.consts], strict=True))
    given |= {place: value for place, value in zip(program.jaxpr.invars, values, strict=True) if place not in moving}

    @functools.cache
    def computed(place: Any) -> Any:
        if place in given:
            return given[place]()
        if place not in made:
            return None
        equation = made[place]
        operands = [known(operand) for operand in equation.invars]
        if any(operand is None for operand in operands) or equation.primitive.name in ELSEWHERE:
            return None
        with jax.ensure_compile_time_eval():
            options = equation.primitive.get_bind_params(equation.params)
            answer = equation.primitive.bind(*operands, **options)
        if not equation.primitive.multiple_results:
            return answer
        return answer[equation.outvars.index(place)]

    def known(operand: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.val
        return computed(operand) if math.prod(shape_of(operand)) <= LARGEST else None

    return known


def _reads(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    """What one equation reads of its operands: by its rule, or by a walk down the program that it calls."""
    moved = [look.moved(operand) for operand in equation.invars]
    if not any(moved):
        return [None] * len(moved)

    def inside(program: ClosedJaxpr, asked: Sequence[Box], start: int = 0) -> list[Box]:
        """Down a program whose inputs are the equation's operands from `start` on."""
        values = [functools.partial(look.known, operand) for operand in equation.invars[start:]]
        return walk(program, asked, look.gave_up, moved[start:], values)

    match equation.primitive.name:
        case "cond":
            boxes = [inside(branch, asked, 1) for branch in equation.params["branches"]]
            return [(), *(functools.reduce(hull, parts) for parts in zip(*boxes, strict=True))]
        case "scan":
            return loops.scan(equation, asked, look, walk)
        case "while":
            return loops.repeat(equation, asked, look, walk)
    for name in INNER:
        program = equation.params.get(name)
        if isinstance(program, Jaxpr) and not program.constvars:
            program = ClosedJaxpr(program, ())
        if isinstance(program, ClosedJaxpr) and _fits(program, equation):
            return inside(program, asked)
    return rule_for(equation.primitive.name)(equation, asked, look)


def _fits(program: ClosedJaxpr, equation: JaxprEqn) -> bool:
    """Whether the program's inputs are the equation's operands, as those of what maps or shards them are not."""
    pairs = ((program.jaxpr.invars, equation.invars), (program.jaxpr.outvars, equation.outvars))
    return all([*map(shape_of, one)] == [*map(shape_of, other)] for one, other in pairs)
