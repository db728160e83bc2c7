"""Fig. 7: what happens to a score when a square covers part of the image (section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def occlusion_map(
    predict: Callable[[jax.Array], Any],
    image: jax.Array,
    *,
    size: int = 50,
    stride: int = 8,
    fill: float | jax.Array = 0.0,
    batch_size: int = 64,
) -> Any:
    """The scores of an image for every place of an occluding square: [rows, cols, ...], as predict's per image.

    predict: images [N, H, W, C] -> scores [N, ...], an array or a pytree of arrays; traceable by JAX. image: [H, W, C]
    as predict takes it. The square's centre runs over `centres`; at the border the square is cut off. fill: what covers
    the image, a number or anything that broadcasts to [H, W, C]; 0 is the mean colour where the mean is removed.
    The paper states neither size nor stride nor grey value. The copies are made on the device, batch_size at a time.
    Raises ValueError for a size or stride below 1.
    """
    rows, columns = (centres(length, stride) for length in image.shape[:2])
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, not {size}")

    def score(place: jax.Array) -> Any:
        scores = predict(occlude(image, place[0], place[1], size=size, fill=fill)[None])
        return jax.tree.map(lambda array: array[0], scores)

    places = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    scores = jax.lax.map(score, places, batch_size=min(batch_size, len(places)))
    return jax.tree.map(lambda array: array.reshape(len(rows), len(columns), *array.shape[1:]), scores)


def centres(length: int, stride: int) -> jax.Array:
    """Every stride-th pixel along a side, with the same margin at both ends (one pixel more at the far one)."""
    if stride < 1:
        raise ValueError(f"stride must be at least 1 pixel, not {stride}")
    return jnp.arange((length - 1) % stride // 2, length, stride)


def occlude(image: jax.Array, row: jax.Array, col: jax.Array, *, size: int, fill: float | jax.Array) -> jax.Array:
    """[H, W, C] with the square of `size` pixels around (row, col) filled; an even one reaches further up and left."""
    covered = [
        (place >= centre - size // 2) & (place < centre - size // 2 + size)
        for centre, place in ((row, jnp.arange(image.shape[0])), (col, jnp.arange(image.shape[1])))
    ]
    inside = covered[0][:, None, None] & covered[1][None, :, None]
    return jnp.where(inside, jnp.broadcast_to(jnp.asarray(fill, image.dtype), image.shape), image)
