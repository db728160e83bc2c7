"""Functions from outside JAX, of NumPy, PyTorch or anything else: asked a batch at a time and never traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from zfjax.checks import at_least_one
from zfjax.errors import InputError


def on_host(function: Callable[[np.ndarray], Any]) -> Callable[[Any], Any]:
    """A function of images [N, H, W, C] of any kind that gives the function a NumPy array, and returns NumPy arrays.

    function: takes an array that is its own to change, and gives what np.asarray takes, lists too, with a row for each
    image; or a dict or tuple of such. The result raises InputError where rows are missing and for what is no numbers.
    """

    def ask(images: Any) -> Any:
        given = np.array(images)  # a copy: JAX's own may not be written to, of which PyTorch warns
        answers = jax.tree.map(np.asarray, function(given), is_leaf=lambda node: isinstance(node, list))
        for each in jax.tree.leaves(answers):
            if each.ndim == 0 or len(each) != len(given) or each.dtype.kind not in "fiub":
                raise InputError(
                    f"the function must give numbers with a row for each of {len(given)} images, not {each.dtype} "
                    f"{list(each.shape)}"
                )
        return answers

    return ask


def in_turn(
    function: Callable[[np.ndarray], Any], make: Callable[[np.ndarray], Any], count: int, batch_size: int
) -> Any:
    """What the function says of `count` images: NumPy arrays [count, ...].

    make: numbers of images, int [n] -> those images [n, H, W, C]; at most batch_size of them are there at a time.
    """
    at_least_one(batch_size=batch_size)
    ask, starts = on_host(function), range(0, count, batch_size)
    parts = [ask(make(np.arange(start, min(start + batch_size, count)))) for start in starts]
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


@contextmanager
def tracing() -> Iterator[None]:
    """Adds to a TypeError what helps where it is only that JAX cannot trace a function."""
    try:
        yield
    except TypeError as error:
        error.add_note("a function that JAX cannot trace, such as one of NumPy or PyTorch, takes jit=False here")
        raise
