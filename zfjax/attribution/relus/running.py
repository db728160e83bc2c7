"""Running a program: the function's own values, with the ReLUs' gradients replaced."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core

from zfjax.attribution.relus.program import Equation, Program, Rectify, Structured
from zfjax.attribution.relus.rectifier import Rule, through
from zfjax.attribution.scanned import scan_counts


def run(program: Program, rule: Rule, args: Sequence[Any]) -> list[Any]:
    """The program's results for arrays; differentiable, by the rule where there is a ReLU."""
    known = dict(program.constants) | dict(zip(program.inputs, args, strict=True))
    for step in program.steps:
        if isinstance(step, Rectify):
            known[step.value] = through(step.rectifier, rule, known[step.below], known[step.value])
            continue
        operands = [known[number] for number in step.inputs]
        results = _compute(step.eqn, operands) if isinstance(step, Equation) else _structured(step, rule, operands)
        known |= zip(step.outputs, results, strict=True)
    return [known[number] for number in program.outputs]


def _compute(eqn: core.JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    """One equation as JAX would: its place in traces, its mesh and its type of computation are kept."""
    return core.jaxpr_as_fun(_alone(eqn))(*operands)


@functools.lru_cache(maxsize=4096)
def _alone(eqn: core.JaxprEqn) -> core.ClosedJaxpr:
    vars_: list[Any] = [core.Var(atom.aval) for atom in eqn.invars]
    debug = core.DebugInfo("deconvolve", eqn.primitive.name, None, None)
    jaxpr = core.Jaxpr((), vars_, eqn.outvars, [eqn.replace(invars=vars_)], eqn.effects, debug)
    return core.ClosedJaxpr(jaxpr, ())


def _structured(step: Structured, rule: Rule, operands: Sequence[Any]) -> Sequence[Any]:
    inner = [lambda *args, program=program: run(program, rule, args) for program in step.programs]
    return _RUNNERS[step.eqn.primitive.name](step.eqn, inner, operands)


def _scan(eqn: core.JaxprEqn, inner: Sequence[Callable], operands: Sequence[Any]) -> Sequence[Any]:
    params, (body,) = eqn.params, inner
    fixed, carried = scan_counts(eqn)
    consts, carry, xs = operands[:fixed], operands[fixed : fixed + carried], operands[fixed + carried :]

    def one(carry: Any, x: Any) -> tuple[Any, Any]:
        results = body(*consts, *carry, *x)
        return results[:carried], results[carried:]

    options = {"length": params["length"], "reverse": params["reverse"], "unroll": params["unroll"]}
    carry, ys = jax.lax.scan(one, list(carry), list(xs), **options)
    return [*carry, *ys]


def _cond(eqn: core.JaxprEqn, inner: Sequence[Callable], operands: Sequence[Any]) -> Sequence[Any]:
    # bound as it was, not lax.switch: for which platforms the branches are must not be lost
    index, *operands = operands
    closed = [jax.make_jaxpr(branch)(*operands) for branch in inner]
    consts = [const for branch in closed for const in branch.consts]

    def branch(number: int) -> core.ClosedJaxpr:
        """With the constants of all branches as arguments: they must take the same."""
        start = sum(len(each.consts) for each in closed[:number])
        own = slice(start, start + len(closed[number].consts))

        def compute(*args: Any) -> Sequence[Any]:
            return core.jaxpr_as_fun(core.ClosedJaxpr(closed[number].jaxpr, args[own]))(*args[len(consts) :])

        return jax.make_jaxpr(compute)(*consts, *operands) if consts else closed[number]

    branches = tuple(branch(number) for number in range(len(closed)))
    return eqn.primitive.bind(index, *consts, *operands, **eqn.params | {"branches": branches})


def _remat(eqn: core.JaxprEqn, inner: Sequence[Callable], operands: Sequence[Any]) -> Sequence[Any]:
    options = {"policy": eqn.params["policy"], "prevent_cse": eqn.params["prevent_cse"]}
    return jax.checkpoint(inner[0], **options)(*operands)


def _shard_map(eqn: core.JaxprEqn, inner: Sequence[Callable], operands: Sequence[Any]) -> Sequence[Any]:
    params = eqn.params
    specs = {"in_specs": tuple(params["in_specs"]), "out_specs": list(params["out_specs"])}
    options = {"mesh": params["mesh"], "check_vma": params["check_vma"], "axis_names": params.get("newly_manual_axes")}
    return jax.shard_map(inner[0], **specs, **options)(*operands)


_RUNNERS: dict[str, Callable[[core.JaxprEqn, Sequence[Callable], Sequence[Any]], Sequence[Any]]] = {
    "scan": _scan,
    "cond": _cond,
    "remat2": _remat,
    "checkpoint": _remat,
    "shard_map": _shard_map,
}
