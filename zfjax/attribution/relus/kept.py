"""What was read of a function and compiled for it, kept as long as the function lives."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.core import Tracer
from jax.extend import core

from zfjax.attribution.relus.primitives import CALLS, CUSTOM
from zfjax.attribution.relus.program import Equation, Program, Structured
from zfjax.attribution.relus.value import uniform

_MOST = 64  # functions, and programs of each: what is kept may hold on to the function that it is kept for
_LIBRARIES = tuple(f"{folder}{os.sep}" for folder in (Path(jax.__file__).parent, Path(__file__).parents[2]))
_ANYBODYS = f"{os.sep}custom_derivatives.py:"  # jax.custom_gradient's, around a rule of the user's
_functions: dict[int, tuple[weakref.ref, dict[Any, Any]]] = {}
_uniforms: dict[int, float | None] = {}


def kept(f: Callable, closed: core.ClosedJaxpr, marks: tuple[bool, ...], make: Callable[[], Any]) -> Any:
    """The program and the rest that `make` returns, which is called once for a function and a jaxpr that says the same.

    f is traced at every call, as jax.grad does, for it may close over what has changed: weights of a module that learns
    in place. The jaxpr's own constants are arguments of what is kept, which may rest on their being one number
    everywhere; constants of jaxprs within it are part of it. What rests on a rule of the user's own is not kept: the
    rule may close over what changes, and no jaxpr shows it.
    """
    jaxpr, within = closed.jaxpr, [*_constants_within(closed.jaxpr)]
    if (programs := _programs_of(f)) is None or any(isinstance(array, Tracer) for array in within):
        return make()
    text = re.sub(r" at 0x[0-9a-f]+", "", str(jaxpr))  # functions in it are other objects in each trace
    avals = tuple(str(var.aval) + repr(var.aval) for var in (*jaxpr.constvars, *jaxpr.invars))
    key = text, avals, tuple(map(id, within)), tuple(map(_uniform, closed.consts)), marks
    if key not in programs:
        program, *rest = make()
        if rests_on_a_rule(program):
            return program, *rest
        programs[key] = (program, *rest), within  # within: as long as it is kept no other array gets its number
        _at_most(programs)
    return programs[key][0]


def rests_on_a_rule(program: Program) -> bool:
    """Whether a custom derivative of the user's own stays in force in it: JAX's and ours close over nothing."""
    inner = (each for step in program.steps if isinstance(step, Structured) for each in step.programs)
    equations = (step.eqn for step in program.steps if isinstance(step, Equation))
    return any(map(rests_on_a_rule, inner)) or any(map(_has_a_rule, equations))


def _has_a_rule(eqn: core.JaxprEqn) -> bool:
    if eqn.primitive.name not in CUSTOM:
        return any(_has_a_rule(each) for inner, _ in _jaxprs_in(eqn) for each in inner.eqns)
    about = getattr(eqn.params[CALLS[eqn.primitive.name]].jaxpr, "debug_info", None)  # "NAME at FILE:LINE"
    place = str(getattr(about, "func_src_info", "")).partition(" at ")[2]
    return _ANYBODYS in place or not place.startswith(_LIBRARIES)


def _programs_of(f: Callable) -> dict | None:
    """By identity: equal modules may differ in their arrays. None of what dies with the call, or cannot tell when."""
    owner, number = getattr(f, "__self__", f), id(getattr(f, "__self__", f))
    if number not in _functions:
        try:
            _functions[number] = weakref.ref(owner, lambda _: _functions.pop(number, None)), {}
        except TypeError:
            return None
        _at_most(_functions)
    return _functions[number][1].setdefault(getattr(f, "__func__", None), {})


def _at_most(those: dict) -> None:
    while len(those) > _MOST:
        del those[next(iter(those))]


def _uniform(array: Any) -> float | None:
    """`uniform`, once for each of JAX's arrays: it copies them from their device."""
    if isinstance(array, Tracer) or not hasattr(array, "block_until_ready"):
        return uniform(array)
    if id(array) not in _uniforms:
        _uniforms[id(array)] = uniform(array)
        weakref.finalize(array, _uniforms.pop, id(array), None)
    return _uniforms[id(array)]


def _constants_within(jaxpr: core.Jaxpr) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        for inner, consts in _jaxprs_in(eqn):
            yield from consts
            yield from _constants_within(inner)


def _jaxprs_in(eqn: core.JaxprEqn) -> Iterator[tuple[core.Jaxpr, Sequence[Any]]]:
    """With the constants of each."""
    for value in eqn.params.values():
        for inner in value if isinstance(value, tuple | list) else (value,):
            if isinstance(inner, core.ClosedJaxpr):
                yield inner.jaxpr, inner.consts
            elif isinstance(inner, core.Jaxpr):
                yield inner, ()
