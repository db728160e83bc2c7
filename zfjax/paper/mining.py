"""The strongest activations of every map over a data set, in one pass and with memory for the winners only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax import ops
from zfjax.convnet import Forward


class Winners(NamedTuple):
    """The k strongest activations of every map, strongest first, at most one an image (Fig. 2); arrays [maps, k]."""

    value: jax.Array  # -inf where there were fewer than k images
    image: jax.Array  # the image's number in its source
    row: jax.Array
    col: jax.Array


def no_winners(maps: int, k: int) -> Winners:
    """Where a search begins."""
    place = jnp.full((maps, k), -1, jnp.int32)
    return Winners(jnp.full((maps, k), -jnp.inf, jnp.float32), place, place, place)


def update(winners: Winners, activations: jax.Array, index: jax.Array, mask: jax.Array) -> Winners:
    """Lets the images of one batch compete.

    activations: [N, h, w, maps]. index: int [N], the images' numbers. mask: bool [N], False for rows that only fill up
    the batch. Of equal values the earlier image wins, and within an image the first place in row-major order.
    """
    value, row, col = ops.peaks(activations)
    value = jnp.where(mask[:, None], value.astype(jnp.float32), -jnp.inf)
    number = jnp.broadcast_to(index[:, None], row.shape)
    challengers = Winners(*(column.T for column in (value, number, row, col)))
    both = jax.tree.map(lambda old, new: jnp.concatenate([old, new.astype(old.dtype)], axis=1), winners, challengers)
    _, best = jax.lax.top_k(both.value, winners.value.shape[1])  # of equal ones it takes the first: the earlier image
    return jax.tree.map(lambda column: jnp.take_along_axis(column, best, axis=1), both)


def mine(
    run_forward: Callable[[Any, jax.Array], Forward],
    variables: Any,
    batches: Iterable[dict[str, np.ndarray]],
    layers: dict[str, int],
    k: int,
) -> dict[str, Winners]:
    """The winners of every map of the named layers, over all batches.

    run_forward: (variables, uint8 canvases) -> Forward, traceable by JAX. batches: as `zfjax.data.eval_batches` yields
    them. layers: {layer: number of its maps}. Returns NumPy arrays.
    """

    @jax.jit
    def compete(winners, variables, images, index, mask):
        activations = run_forward(variables, images).activations
        return {name: update(winners[name], activations[name], index, mask) for name in layers}

    winners = {name: no_winners(maps, k) for name, maps in layers.items()}
    for batch in batches:
        winners = compete(winners, variables, batch["image"], batch["index"], batch["mask"])
    return jax.tree.map(np.asarray, winners)
