"""Functions with some of their arguments fixed: those that are no arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

ARRAY = object()  # in the place of one


def of_arrays(f: Callable, tree: Any, pattern: tuple) -> Callable:
    """f of the arrays among its arguments' leaves alone; the same function for the same pattern, so that JAX, which
    keeps what it traces by the function, traces it once."""
    try:
        return _fixed(f, tree, tuple((type(leaf), leaf) for leaf in pattern))  # True is no 1
    except TypeError:  # what cannot be hashed is traced at every call
        return _fixed.__wrapped__(f, tree, tuple((type(leaf), leaf) for leaf in pattern))


@functools.lru_cache(maxsize=64)
def _fixed(f: Callable, tree: Any, pattern: tuple[tuple[type, Any], ...]) -> Callable:
    def given(*arrays: Any) -> Any:
        rest = iter(arrays)
        args, named = jax.tree.unflatten(tree, [next(rest) if leaf is ARRAY else leaf for _, leaf in pattern])
        return f(*args, **named)

    return given
