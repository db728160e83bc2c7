"""Which output of each image is explained, and images that pass a function a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from zfjax.checks import at_least_one
from zfjax.errors import InputError

Function = Callable[[jax.Array], jax.Array]  # images [N, H, W, C] -> outputs [N, ...], row n of image n alone
Targets = jax.Array | np.ndarray | None


def scores(f: Function, targets: Targets) -> Function:
    """A function of images [N, ...] that gives the one output of each that its target names: [N].

    f: images -> outputs [N, ...]; row n depends on image n alone. targets: int [N] for outputs [N, K]; int [N, d] for
    outputs of d further axes (a unit of a map [N, h, w, K]: row, column, channel); None for outputs [N].
    The function raises InputError for targets that do not fit the outputs, and for numbers out of range where they are
    known (not while JAX traces them: JAX clamps those).
    """

    def picked(images: jax.Array) -> jax.Array:
        outputs = f(images)
        check_targets(outputs, len(images), targets)
        if targets is None:
            return outputs
        index = jnp.asarray(targets).reshape(len(outputs), outputs.ndim - 1)
        return jnp.asarray(outputs)[(jnp.arange(len(outputs)), *index.T)]

    return picked


def checked(f: Function, images: Any, targets: Targets) -> tuple[jax.Array, jax.Array | None]:
    """Both as arrays, after f was traced for the shape of what it gives, and nothing computed.

    Raises InputError for images that are no floats [N, H, W, C], and for targets as `scores` does.
    """
    images = jnp.asarray(images)
    if images.ndim != 4 or not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputError(f"images must be floats [N, H, W, C], not {images.dtype} {list(images.shape)}")
    check_targets(jax.eval_shape(f, images), len(images), targets)
    return images, None if targets is None else jnp.asarray(targets)


def check_targets(outputs: Any, count: int, targets: Targets) -> None:
    """Raises InputError for outputs (an array, or its shape) that are none of `count` images, and other targets."""
    shape = getattr(outputs, "shape", None)
    if shape is None:
        raise InputError(f"the function explained must give one array, not a value of type {type(outputs).__name__}")
    if not shape or shape[0] != count:
        raise InputError(f"the function explained must give a row for each of {count} images, not {list(shape)}")
    if targets is None:
        if len(shape) > 1:
            raise InputError(f"the outputs are {list(shape)}: targets must say which of them is explained")
        return
    targets = targets if isinstance(targets, Tracer) else np.asarray(targets)
    wide, kind = targets.shape, targets.dtype
    wanted = [(count,)] * (len(shape) == 2) + [(count, len(shape) - 1)] * (len(shape) > 1)
    if wide not in wanted or not jnp.issubdtype(kind, jnp.integer):
        fit = " or ".join(f"int {list(each)}" for each in wanted) or "None"
        raise InputError(f"targets for outputs {list(shape)} must be {fit}, not {kind} {list(wide)}")
    if not isinstance(targets, Tracer):
        index = targets.reshape(count, len(shape) - 1)
        if ((index < 0) | (index >= shape[1:])).any():
            worst = index[((index < 0) | (index >= shape[1:])).any(axis=1)][0]
            raise InputError(f"targets must lie within outputs {list(shape[1:])} of an image, not at {worst.tolist()}")


def in_batches(function: Callable[..., Any], arrays: Any, batch_size: int) -> Any:
    """function(*arrays), at most batch_size rows at a time: a pytree of arrays [N, ...] as the function returns it.

    arrays: a tuple of pytrees of arrays [N, ...]. The function sees batches of one size, so it is compiled once: the
    rows are shared out evenly, and where a row is missing in the last batch, the last row is computed again.
    Raises InputError for a batch_size that is no whole number from 1 on.
    """
    at_least_one(batch_size=batch_size)
    count = len(jax.tree.leaves(arrays)[0])
    if count <= batch_size:
        return function(*arrays)
    batches = -(-count // batch_size)
    rows = np.minimum(np.arange(batches * -(-count // batches)), count - 1).reshape(batches, -1)
    arrays = jax.tree.map(jnp.asarray, arrays)
    answers = jax.lax.map(lambda some: function(*jax.tree.map(lambda array: array[some], arrays)), rows)
    return jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:])[:count], answers)
