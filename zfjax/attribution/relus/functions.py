"""Values that are piecewise linear functions of others, number by number: what a primitive makes of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from jax.extend import core

from zfjax.attribution.relus import piecewise
from zfjax.attribution.relus.piecewise import Piecewise
from zfjax.attribution.relus.value import Root, Value

NOWHERE = -1  # what constants alone are functions of
# Whose result holds the numbers of the operand, in other places: under vmap, a comparison and what it chooses from are
# moved before they meet.
MOVES = frozenset("transpose reshape broadcast_in_dim squeeze expand_dims rev slice".split())
_VIEWS = 8  # values back that one is known as a function of: more than any activation's definition takes


def functions_of(eqn: core.JaxprEqn, operands: Sequence[Value]) -> dict[Root, Piecewise]:
    """What function the result is of which values; empty where it is none."""
    name = eqn.primitive.name
    if name not in piecewise.NAMES or not _keeps_numbers(eqn):
        return {}
    views = {}
    for root in {root: None for value in operands for root in value.views} or {NOWHERE: None}:
        known = [view for value in operands if (view := value.seen_from(root)) is not None]
        if len(known) == len(operands) and (view := piecewise.apply(name, known)) is not None:
            views[root] = view
    return dict(list(views.items())[-_VIEWS:])


def function(
    number: int,
    eqn: core.JaxprEqn,
    operands: Sequence[Value],
    inputs: Sequence[int],
    views: Mapping[Root, Piecewise],
    where: str,
) -> Value:
    """The value that such a primitive makes, which has that number. Open, unless it is a line or a step."""
    aval: Any = eqn.outvars[0].aval
    flat = any(view.is_step for view in views.values())
    carries = any(value.differentiable for value in operands) and not flat and jnp.issubdtype(aval.dtype, jnp.inexact)
    is_open = carries and not all(view.is_line for view in views.values())
    own = {} if is_open else {number: piecewise.IDENTITY}
    compared = frozenset(inputs) if aval.dtype == bool else frozenset()
    made_by = (eqn.primitive.name, where)
    return Value(aval, True, carries, views={**views, **own}, open=is_open, compared=compared, made_by=made_by)


def moved(eqn: core.JaxprEqn, before: Value, after: Value) -> Value:
    """What is known of a value after it was moved: the same functions, of what these were, moved alike."""
    how = eqn.primitive.name, repr(sorted(eqn.params.items()))
    views = {(root, how): view for root, view in before.views.items()} | {**after.views}
    compared = frozenset((root, how) for root in before.compared)
    shared = before.shared or math.prod(after.aval.shape) > math.prod(before.aval.shape)
    return dataclasses.replace(after, views=dict(list(views.items())[-_VIEWS:]), compared=compared, shared=shared)


def _keeps_numbers(eqn: core.JaxprEqn) -> bool:
    """Whether the primitive means on these types what it means of real numbers: bitwise and rounding do not."""
    name, (types, made) = eqn.primitive.name, ([_dtype(atom) for atom in atoms] for atoms in (eqn.invars, eqn.outvars))
    if name in ("and", "or", "not"):
        return all(jnp.issubdtype(each, jnp.bool_) for each in types)
    if name == "convert_element_type":
        rounds = jnp.issubdtype(types[0], jnp.inexact) and not jnp.issubdtype(made[0], jnp.inexact)
        return not rounds and not jnp.issubdtype(made[0], jnp.bool_)
    return not any(jnp.issubdtype(each, jnp.complexfloating) for each in types)


def _dtype(atom: Any) -> Any:
    return atom.aval.dtype
