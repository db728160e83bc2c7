"""What a function says of many changed copies of each image, on the average, with few of them there at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.targets import in_batches
from zfjax.checks import at_least_one


def moments(
    each: Callable[..., jax.Array], arrays: Any, copies: int, *, batch_size: int
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance (about the mean, divided by the count) over an image's copies: two arrays [N, ...].

    each: (rows of the arrays [B, ...], the copy's number int [B] from 0 to copies - 1) -> [B, ...]; row by row, so that
    the result does not depend on batch_size. arrays: a tuple of pytrees of arrays [N, ...]. At most batch_size copies
    are there at a time, of several images or of one, and none is kept.
    Raises InputError for copies (the callers' samples) or a batch_size that is no whole number from 1 on.
    """
    at_least_one(samples=copies, batch_size=batch_size)

    def some(*arrays: Any) -> tuple[jax.Array, jax.Array]:
        count = len(jax.tree.leaves(arrays)[0])
        steps = -(-copies // max(1, batch_size // max(1, count)))
        wide = -(-copies // steps)  # copies of each image at a time, shared out evenly
        spread = jax.tree.map(lambda array: jnp.asarray(array)[np.repeat(np.arange(count), wide)], arrays)

        def values(number: jax.Array) -> jax.Array:
            got = each(*spread, jnp.tile(number, count))
            return got.reshape(count, wide, *got.shape[1:])

        def step(carry: tuple, first: jax.Array) -> tuple[tuple, None]:
            # Chan's update: sums of squares would lose a variance that is small beside the mean
            seen, mean, squares = carry
            number = first + jnp.arange(wide)
            got = values(number)
            counts = (number < copies).reshape(1, -1, *[1] * (got.ndim - 2))
            new = counts.sum(dtype=int)
            here = jnp.where(counts, got, 0).sum(axis=1) / new
            within = jnp.where(counts, jnp.square(got - here[:, None]), 0).sum(axis=1)
            apart, total = here - mean, seen + new
            squares += within + jnp.square(apart) * (seen * new / total)
            return (total, mean + apart * (new / total), squares), None

        shape = jax.eval_shape(values, jnp.arange(wide)).shape
        nothing = jnp.zeros((count, *shape[2:]), jnp.float32)
        carry = jnp.zeros((), int), nothing, nothing
        (_, mean, squares), _ = jax.lax.scan(step, carry, jnp.arange(steps) * wide)
        return mean, squares / copies

    return in_batches(some, arrays, batch_size)
