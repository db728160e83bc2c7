"""Functions with some of their arguments fixed: those that are no arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

ARRAY = object()  # in the place of one


def of_arrays(f: Callable, tree: Any, pattern: tuple) -> Callable:
    """f of the arrays among its arguments' leaves alone."""

    def given(*arrays: Any) -> Any:
        rest = iter(arrays)
        args, named = jax.tree.unflatten(tree, [next(rest) if leaf is ARRAY else leaf for leaf in pattern])
        return f(*args, **named)

    return given
