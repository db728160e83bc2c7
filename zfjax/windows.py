"""Square windows of maps, each at a place of its own: cutting out, putting back, covering."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Corner(NamedTuple):
    """Where the windows' top left cells lie in a map: int arrays [U]; negative above and left of it."""

    top: jax.Array
    left: jax.Array


def cut(maps: jax.Array, image: jax.Array, corner: Corner, size: Sequence[int], fill: float = 0) -> jax.Array:
    """[N, H, W, C] -> [U, *size, C]: each window from the image of that number, `fill` outside the map."""
    rows, columns = positions(corner, size)
    height, width = maps.shape[1:3]
    # Negative indices would wrap round to the other border; one past the end is dropped.
    rows, columns = (jnp.where(place < 0, end, place) for place, end in ((rows, height), (columns, width)))
    index = (image[:, None, None], rows[:, :, None], columns[:, None, :])
    return jnp.asarray(maps).at[index].get(mode="fill", fill_value=fill)


def put(windows: jax.Array, corner: Corner, size: Sequence[int]) -> jax.Array:
    """[U, h, w, C] -> [U, *size, C]: the inverse of cutting out, zero elsewhere."""
    return cut(windows, jnp.arange(len(windows)), Corner(-corner.top, -corner.left), size)


def inside(corner: Corner, size: Sequence[int], shape: Sequence[int]) -> jax.Array:
    """bool [U, *size, 1]: which cells of the windows lie in a map of `shape`."""
    rows, columns = positions(corner, size)
    within = [(place >= 0) & (place < end) for place, end in ((rows, shape[0]), (columns, shape[1]))]
    return within[0][:, :, None, None] & within[1][:, None, :, None]


def positions(corner: Corner, size: Sequence[int]) -> tuple[jax.Array, jax.Array]:
    """The rows [U, h] and columns [U, w] of the windows' cells."""
    rows, columns = (start[:, None] + jnp.arange(n)[None, :] for start, n in zip(corner, size, strict=True))
    return rows, columns
