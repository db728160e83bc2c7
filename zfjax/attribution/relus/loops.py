"""Control flow, and borders that must stay where they are: what they hold is read on its own, and put back in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jax.extend import core

from zfjax.attribution.relus.program import Problem, Program
from zfjax.attribution.relus.value import Value, settled
from zfjax.attribution.scanned import scan_counts

# (jaxpr, what is known of its arguments, place) -> its program and what is known of its results
Read = Callable[[core.ClosedJaxpr, Sequence[Value], str], tuple[Program, list[Value]]]


class Inner(NamedTuple):
    """programs: what takes the place of the jaxprs that an equation holds; none: it stays as it is."""

    programs: tuple[Program, ...]
    results: list[Value]
    problem: Problem | None = None


def read(eqn: core.JaxprEqn, values: Sequence[Value], where: str, reader: Read) -> Inner:
    """What an equation of `KINDS` holds, given what is known of its operands."""
    return _READERS[eqn.primitive.name](eqn, values, where, reader)


def _scan(eqn: core.JaxprEqn, values: Sequence[Value], where: str, reader: Read) -> Inner:
    fixed, carried = scan_counts(eqn)
    program, results = _fixed_point(eqn.params["jaxpr"], values, range(fixed, fixed + carried), where, reader)
    return Inner((program,), results)


def _while(eqn: core.JaxprEqn, values: Sequence[Value], where: str, reader: Read) -> Inner:
    values = values[eqn.params["cond_nconsts"] :]
    fixed = eqn.params["body_nconsts"]
    _, results = _fixed_point(eqn.params["body_jaxpr"], values, range(fixed, len(values)), where, reader)
    if any(value.differentiable for value in results):
        reason = "JAX has no gradient of such a loop; lax.scan, and lax.fori_loop with fixed bounds, have one"
        return Inner((), results, Problem("while", where, reason, fatal=True))
    return Inner((), results)


def _cond(eqn: core.JaxprEqn, values: Sequence[Value], where: str, reader: Read) -> Inner:
    index, *values = values
    read_ = [reader(branch, values, where) for branch in eqn.params["branches"]]
    results = [_either(each) for each in zip(*(results for _, results in read_), strict=True)]
    if index.depends:
        results = [dataclasses.replace(value, depends=True) for value in results]
    return Inner(tuple(program for program, _ in read_), results)


def _border(eqn: core.JaxprEqn, values: Sequence[Value], where: str, reader: Read) -> Inner:
    jaxpr = eqn.params["jaxpr"]
    closed = jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else core.ClosedJaxpr(jaxpr, ())
    program, results = reader(closed, values, where)
    return Inner((program,), results)


def _fixed_point(jaxpr: core.ClosedJaxpr, values: Sequence[Value], carried: range, where: str, reader: Read):
    """Reads a loop's body until what goes round depends on no more than it did before."""
    values = [
        value if number < carried.start else dataclasses.replace(value, constant=None)
        for number, value in enumerate(values)
    ]
    while True:
        program, results = reader(jaxpr, values, where)
        joined = [_either((values[number], result)) for number, result in zip(carried, results, strict=False)]
        if all(_flags(values[number]) == _flags(each) for number, each in zip(carried, joined, strict=True)):
            return program, results
        values[carried.start : carried.stop] = joined


def _flags(value: Value) -> tuple[bool, bool]:
    return value.depends, value.differentiable


def _either(values: Sequence[Value]) -> Value:
    """What is known of what may be any of them."""
    depends = any(value.depends for value in values)
    return Value(values[0].aval, depends, any(value.differentiable for value in values))


def argument(number: int, aval: Any, value: Value) -> Value:
    """What is known of an argument from outside."""
    return dataclasses.replace(settled(number, aval, value.depends, value.differentiable), constant=value.constant)


_READERS: dict[str, Callable[[core.JaxprEqn, Sequence[Value], str, Read], Inner]] = {
    "scan": _scan,
    "while": _while,
    "cond": _cond,
    "remat2": _border,
    "checkpoint": _border,
    "shard_map": _border,
}
KINDS = frozenset(_READERS)
