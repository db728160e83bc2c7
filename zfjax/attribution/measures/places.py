"""Maps as places in an order: how much each place weighs, which weigh most, which lie in a box."""

from __future__ import annotations

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from zfjax.errors import InputError

Values = Literal["signed", "absolute"]


def magnitude(maps: jax.Array) -> jax.Array:
    """How much each place weighs: [N, H, W, C] or [N, H, W] -> float32 [N, H, W], from 0 on.

    Channels are added up by their absolute values, so that parts of the image share out the whole attribution.
    Raises InputError for maps of other axes.
    """
    weights = jnp.abs(jnp.asarray(maps, jnp.float32))
    if weights.ndim not in (3, 4):
        raise InputError(f"maps are [N, H, W, C] or [N, H, W], not of shape {list(weights.shape)}")
    return weights.sum(-1) if weights.ndim == 4 else weights


def flat(maps: Any, values: Values) -> jax.Array:
    """[N, ...] -> float32 [N, D]: each map in a row, with its signs or without."""
    if values not in get_args(Values):
        raise InputError(f"values are 'signed' or 'absolute', not {values!r}")
    maps = jnp.asarray(maps, jnp.float32)
    if maps.ndim < 2 or not maps.size:
        raise InputError(f"maps are [N, ...] of at least one number each, not of shape {list(maps.shape)}")
    rows = maps.reshape(len(maps), -1)
    return jnp.abs(rows) if values == "absolute" else rows


def same_shape(one: Any, other: Any) -> None:
    """Raises InputError where maps that are to be compared differ in shape."""
    if np.shape(one) != np.shape(other):
        raise InputError(f"maps can be compared in one shape, not {list(np.shape(one))} with {list(np.shape(other))}")


def order(importance: jax.Array) -> jax.Array:
    """The turn of each place, most important first: [N, H, W] -> int32 [N, H, W] in 0..H*W-1; ties row by row."""
    if np.ndim(importance) != 3:
        raise InputError(f"the importance of places is [N, H, W], not of shape {list(np.shape(importance))}")
    if not isinstance(importance, Tracer) and np.isnan(importance).any():
        raise InputError("the importance of places has NaN in it, which comes before or after nothing")
    rows = jnp.asarray(importance, jnp.float32).reshape(len(importance), -1)
    turns = jnp.argsort(jnp.argsort(-rows, axis=1, stable=True), axis=1, stable=True)
    return turns.reshape(importance.shape).astype(jnp.int32)


def strongest(importance: jax.Array, counts: jax.Array) -> jax.Array:
    """The places that weigh most, so many of each map: [N, H, W] and int [N] -> bool [N, H, W]."""
    return order(importance) < jnp.asarray(counts)[:, None, None]


def inside_boxes(boxes: Any, size: tuple[int, int]) -> jax.Array:
    """Which pixels' centres lie in each image's box: [N, 4] -> bool [N, H, W].

    boxes: (top, left, bottom, right) in pixels from the image's corner, also between them. size: (H, W).
    Raises InputError for boxes of another shape.
    """
    top, left, bottom, right = _edges(boxes)
    rows, columns = (jnp.arange(length)[None, :] + 0.5 for length in size)
    down, across = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return down[:, :, None] & across[:, None, :]


def distance_to_boxes(boxes: Any, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """How many pixels lie between a pixel's centre, int [N] and [N], and each image's box: float32 [N], 0 within."""
    top, left, bottom, right = (edge[:, 0] for edge in _edges(boxes))
    far = [
        jnp.maximum(jnp.maximum(start - place, place - end), 0)
        for start, place, end in ((top, rows + 0.5, bottom), (left, columns + 0.5, right))
    ]
    return jnp.hypot(*far)


def _edges(boxes: Any) -> list[jax.Array]:
    """Each [N, 1]."""
    if np.ndim(boxes) != 2 or np.shape(boxes)[1] != 4:
        raise InputError(f"boxes are [N, 4], (top, left, bottom, right), not of shape {list(np.shape(boxes))}")
    edges = jnp.split(jnp.asarray(boxes, jnp.float32), 4, axis=1)
    if not isinstance(edges[0], Tracer):
        top, left, bottom, right = map(np.asarray, edges)
        wrong = np.flatnonzero(~((top <= bottom) & (left <= right)))  # NaN too
        if wrong.size:
            raise InputError(f"box {wrong[0]} is (top, left, bottom, right) = {np.asarray(boxes)[wrong[0]].tolist()}")
    return edges
