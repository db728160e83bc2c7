"""What is known of a value in a jaxpr without computing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from zfjax.attribution.relus.piecewise import IDENTITY, Piecewise, constant

Root = int | tuple["Root", Any]  # a value's number, or another root and how it was moved
NOTHING: Mapping[Root, Piecewise] = MappingProxyType({})


@dataclass(frozen=True)
class Value:
    """depends: on what is explained. differentiable: a gradient goes through it. constant: the one number that it is
    everywhere. views: what function it is of other values, number by number. open: a piecewise linear one that is not
    settled yet, since what follows may complete the pattern. rectified: a ReLU's result. compared: whether it is the
    truth of a comparison, between which values. shared: one such truth for many numbers, as of a branch under vmap.
    made_by: primitive and place."""

    aval: Any
    depends: bool = False
    differentiable: bool = False
    constant: float | None = None
    views: Mapping[Root, Piecewise] = field(default_factory=lambda: NOTHING)
    open: bool = False
    rectified: bool = False
    compared: frozenset[Root] = frozenset()
    shared: bool = False
    made_by: tuple[str, str] = ("", "")

    @property
    def names(self) -> frozenset[Root]:
        """What it is itself, under whatever name."""
        return frozenset(root for root, view in self.views.items() if view == IDENTITY)

    @property
    def real(self) -> bool:
        """Of numbers that a gradient may go through."""
        return jnp.issubdtype(self.aval.dtype, jnp.inexact)

    def seen_from(self, root: Root) -> Piecewise | None:
        return constant(self.constant) if self.constant is not None else self.views.get(root)


def settled(number: int, aval: Any, depends: bool, differentiable: bool, rectified: bool = False) -> Value:
    """One that later ones may be functions of."""
    real = jnp.issubdtype(aval.dtype, jnp.inexact)
    views: Mapping[Root, Piecewise] = {number: IDENTITY} if depends else NOTHING
    return Value(aval, depends, differentiable and depends and real, views=views, rectified=rectified)


def uniform(array: Any) -> float | None:
    """The number that an array is everywhere; None of others, and of what is not known yet."""
    if isinstance(array, Tracer) or not hasattr(array, "dtype") or not _is_number(array.dtype) or not np.size(array):
        return None
    flat = np.asarray(array).reshape(-1)
    if flat[-1] != flat[0] or not (flat == flat[0]).all():
        return None
    first = flat[0]
    number = float(first)
    return None if np.isnan(number) else number


def _is_number(dtype: Any) -> bool:
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
