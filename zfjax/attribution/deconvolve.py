"""The deconvnet of any JAX function (section 2.1), and guided backpropagation, its sister of 2014."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend import core

from zfjax.attribution.relus.fixed import ARRAY, of_arrays
from zfjax.attribution.relus.kept import kept, rests_on_a_rule
from zfjax.attribution.relus.program import Problem, Program, Relu
from zfjax.attribution.relus.reading import read
from zfjax.attribution.relus.rectifier import Rule
from zfjax.attribution.relus.running import run
from zfjax.attribution.relus.value import Value, uniform
from zfjax.errors import InputError

Others = Literal["error", "gradient"]


def deconvolve(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    unit: tuple | None = None,
    cotangent: Any = None,
    others: Others = "error",
) -> Callable:
    """A function of f's arguments that takes one of f's results down to them by a deconvnet.

    It is what `jax.grad` would give, but that every ReLU lets the positive part of the signal through, whatever it has
    seen itself (Zeiler & Fergus 2013, section 2.1, "Rectification"; gradient libraries call it Deconvolution):

        signal = zfjax.deconvolve(lambda image: model(image)[0, 207])(image)

    f: any traceable function of arrays or pytrees of them; it is not changed. argnums: what to explain. unit: an index
    of the result, of which a signal of 1 starts; arrays of numbers in it start several at once. cotangent: what starts
    instead, as `jax.vjp` takes it. Neither: f's result is one number. The signal has the shape of the argument.

    ReLUs are found in f's jaxpr, by what they compute: jax.nn.relu, jnp.maximum(x, 0), jnp.where(x > 0, x, 0),
    x * (x > 0), jnp.clip(x, 0) and so on, moved or scaled too; through jit, vmap, pmap, shard_map, checkpoint, scan,
    cond, and custom derivatives (of which a rule is dropped where there is a ReLU below it). What else there is:

    * leaky_relu: the signal goes through the leaky ReLU itself. relu6, clip(x, 0, 6): as ReLU, the ceiling lets all
      through. hard_tanh, clip(x, -1, 1), which rectify nothing: the gradient.
    * max pooling: the gradient, which goes to the maximum. Of several equal ones lax.reduce_window's takes the first
      on most platforms and `jnp.max`'s divides it among all; `zfjax.project`'s switches are always the first.
    * what picks one of several values (the largest of a stack, sort, top_k, gather, cond): its gradient, which goes to
      the one picked, as max pooling's does, even where one of them is zero.
    * all else that is not linear (GELU, softmax, a normalisation by the image's own statistics, a gate): InputError
      that names the primitive and its place; others="gradient" lets its gradient through. A max(v, 0) that guards a
      root or a quotient, as in a normalisation, is no ReLU: it is treated likewise.
    * while loops: InputError, since JAX has no gradient of them; fori_loop with fixed bounds has one.

    Arguments that are no arrays (flags, names, activations in a module) reach f as they are; all others are traced.
    f is traced at every call, as by jax.grad, so that weights which have changed count, those of NNX modules that learn
    in place too; what is compiled is kept with f. Under jax.jit what f closes over is read once, as always there.

    On networks of this package it is `zfjax.project` with seed="one", on the whole image at once. Compile it with
    jax.jit like any function; under jax.vmap over units the forward pass is shared. Warns if there is no ReLU.
    """
    return _signal(f, argnums, "deconvolve", unit, cotangent, others)


def guided_backprop(
    f: Callable,
    argnums: int | Sequence[int] = 0,
    *,
    unit: tuple | None = None,
    cotangent: Any = None,
    others: Others = "error",
) -> Callable:
    """As `deconvolve`, but that a ReLU which was off itself lets nothing through either.

    Springenberg, Dosovitskiy, Brox & Riedmiller 2014, "Striving for Simplicity" (arXiv 1412.6806), section 3.4. A leaky
    ReLU gives the signal that went through it its own slope; a ceiling that was reached lets nothing through.
    """
    return _signal(f, argnums, "guided", unit, cotangent, others)


def relus(
    f: Callable, argnums: int | Sequence[int] = 0, *, others: Others = "error"
) -> Callable[..., tuple[Relu, ...]]:
    """A function of f's arguments that lists the activations whose gradient `deconvolve` replaces: kind, place, shape.

    What is in a loop's body is listed once. Arguments may be `jax.ShapeDtypeStruct`s. Raises InputError as it does.
    """

    def found(*args: Any, **named: Any) -> tuple[Relu, ...]:
        return _trace(f, argnums, others, args, named).program.relus

    return found


def _signal(f: Callable, argnums, rule: Rule, unit, cotangent, others: Others) -> Callable:
    if unit is not None and cotangent is not None:
        raise InputError("a unit and a cotangent are two ways of saying where the signal starts: give one")
    if others not in ("error", "gradient"):
        raise InputError(f"others is 'error' or 'gradient', not {others!r}")

    def signal(*args: Any, **named: Any) -> Any:
        traced = _trace(f, argnums, others, args, named)
        if not traced.program.relus:
            warnings.warn(f"{_name(f)} has no ReLU: what comes down is its plain gradient", stacklevel=2)
        start = _start(f, traced, unit, cotangent)
        signals = traced.pulls[rule]([*traced.consts, *traced.leaves], start)
        _, tree = jax.tree.flatten(_chosen(argnums, args))
        return jax.tree.unflatten(tree, signals)

    return signal


class _Traced(NamedTuple):
    program: Program  # of the jaxpr's constants and the arguments' leaves
    pulls: dict[Rule, Callable]  # (those, signals at the results) -> signals at what is explained
    consts: list[Any]
    leaves: list[Any]  # of the arguments, those that are arrays or explained
    results: Any  # what f returns, as shapes


def _trace(f: Callable, argnums: int | Sequence[int], others: Others, args: tuple, named: dict) -> _Traced:
    """Raises InputError for what is not to be explained, and for what cannot be rewritten."""
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    if wrong := [each for each in numbers if not isinstance(each, int) or not -len(args) <= each < len(args)]:
        raise InputError(f"argnums asks for argument {wrong[0]!r} of {_name(f)}, which was given {len(args)}")
    numbers = [number % len(args) for number in numbers]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"argnums asks for one argument of {_name(f)} twice: {list(argnums)}")  # pyright: ignore
    leaves, tree = jax.tree.flatten((args, named))
    marks = jax.tree.leaves([jax.tree.map(lambda _, n=n: n in numbers, arg) for n, arg in enumerate(args)])
    marks += [False] * (len(leaves) - len(marks))
    for leaf in (leaf for leaf, mark in zip(leaves, marks, strict=True) if mark):
        if not (isinstance(leaf, float) or jnp.issubdtype(getattr(leaf, "dtype", bool), jnp.floating)):
            number = hasattr(leaf, "dtype") or isinstance(leaf, bool | int | complex)
            kind = jnp.result_type(leaf) if number else type(leaf).__name__
            raise InputError(f"{_name(f)}: what is explained must be floating-point numbers, not {kind}")
    # a flag, a name or an activation of an Equinox module is no array: f gets it as it is, as by jax.grad
    fixed = [not mark and not hasattr(leaf, "dtype") for leaf, mark in zip(leaves, marks, strict=True)]
    pattern = tuple(leaf if fix else ARRAY for leaf, fix in zip(leaves, fixed, strict=True))
    leaves = [leaf for leaf, fix in zip(leaves, fixed, strict=True) if not fix]
    marks = [mark for mark, fix in zip(marks, fixed, strict=True) if not fix]
    try:
        jaxpr, results = jax.make_jaxpr(of_arrays(f, tree, pattern), return_shape=True)(*leaves)
    except Exception as error:
        if type(error).__name__ != "TraceContextError":  # Flax's
            raise
        raise InputError(
            f"{_name(f)} changes state as it computes ({str(error).splitlines()[0]}), as BatchNorm does in training: "
            "put it into evaluation first (model.eval() in NNX)"
        ) from error
    if not jax.tree.leaves(results):
        raise InputError(f"{_name(f)} returns nothing that a signal could start from")
    program, pulls = kept(f, jaxpr, tuple(marks), lambda: _read(jaxpr, tuple(marks)))
    for problem in program.problems:
        if others == "error" or problem.fatal:
            raise InputError(_refusal(f, problem))
    return _Traced(program, pulls, list(jaxpr.consts), leaves, results)


def _read(closed: core.ClosedJaxpr, marks: tuple[bool, ...]) -> tuple[Program, dict[Rule, Callable]]:
    """The program, its constants among the arguments, and what takes signals down it by each rule."""
    jaxpr = closed.jaxpr
    lifted = core.ClosedJaxpr(jaxpr.replace(constvars=(), invars=[*jaxpr.constvars, *jaxpr.invars]), ())
    consts = zip(jaxpr.constvars, closed.consts, strict=True)
    known = [Value(var.aval, constant=uniform(array)) for var, array in consts]
    known += [Value(var.aval, mark, mark) for var, mark in zip(jaxpr.invars, marks, strict=True)]
    program, _ = read(lifted, known)
    explained = tuple(len(jaxpr.constvars) + number for number, mark in enumerate(marks) if mark)
    rules: tuple[Rule, ...] = ("deconvolve", "guided")
    compiled = (lambda pull: pull) if rests_on_a_rule(program) else jax.jit  # for one call it would take longer
    return program, {rule: compiled(functools.partial(_pull, program, rule, explained)) for rule in rules}


def _refusal(f: Callable, problem: Problem) -> str:
    place = f" at {problem.where}" if problem.where else ""
    choice = "" if problem.fatal else "; others='gradient' lets its gradient through"
    return f"{_name(f)}: {problem.primitive}{place} cannot be rewritten ({problem.reason}){choice}"


def _name(f: Callable) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _chosen(argnums: int | Sequence[int], args: tuple) -> Any:
    return args[argnums] if isinstance(argnums, int) else tuple(args[number] for number in argnums)


def _start(f: Callable, traced: _Traced, unit: tuple | None, cotangent: Any) -> list[jax.Array]:
    """The signal at f's results, leaf by leaf."""
    results, tree = jax.tree.flatten(traced.results)
    if cotangent is not None:
        given, there = jax.tree.flatten(cotangent)
        shapes = [jnp.shape(each) for each in given]
        if there != tree or shapes != [each.shape for each in results]:
            raise InputError(f"{_name(f)} returns {_shapes(results)}; the cotangent has {shapes}")
        return [jnp.asarray(each, there.dtype) for each, there in zip(given, results, strict=True)]
    if len(results) != 1 or (unit is None and results[0].shape != ()):
        raise InputError(f"{_name(f)} returns {_shapes(results)}: give a unit of one array, or a cotangent")
    (result,) = results
    if unit is None:
        return [jnp.ones((), result.dtype)]
    index = unit if isinstance(unit, tuple) else (unit,)
    if len(index) != len(result.shape):
        raise InputError(f"unit {unit!r} has {len(index)} numbers; {_name(f)} returns {list(result.shape)}")
    for number, size in zip(index, result.shape, strict=True):
        known = None if isinstance(number, Tracer) else np.asarray(number)
        if known is not None and not np.issubdtype(known.dtype, np.integer):
            raise InputError(f"unit {unit!r} must be whole numbers, not {number!r}")
        if known is not None and not ((-size <= known) & (known < size)).all():
            raise InputError(f"unit {unit!r} is outside of what {_name(f)} returns, {list(result.shape)}")
    return [jnp.zeros(result.shape, result.dtype).at[index].set(1)]


def _shapes(results: Sequence[Any]) -> str:
    return ", ".join(f"{each.dtype}{list(each.shape)}" for each in results)


def _pull(program: Program, rule: Rule, explained: tuple[int, ...], inputs: list, start: list) -> list[jax.Array]:
    def results(*chosen: jax.Array) -> list[jax.Array]:
        given = list(inputs)
        for number, value in zip(explained, chosen, strict=True):
            given[number] = value
        return run(program, rule, given)

    there, pull = jax.vjp(results, *(inputs[number] for number in explained))
    # in a shard_map what starts must vary over the devices as the results do
    return list(pull([each + jnp.zeros_like(result) for each, result in zip(start, there, strict=True)]))
