"""The exact transpose of max pooling with given switches, and the form of it that suits a platform (section 2.1)."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.layers import VALID, Padding, Pair, checked_padding, pair
from zfjax.platforms import apart, by_platform

Overlap = Literal["sum", "max", "last"]
Geometry = tuple[tuple[int, int], tuple[int, int], Padding]  # window, strides, padding


def checked_geometry(window: Pair, strides: Pair, padding: Padding) -> Geometry:
    """Raises ValueError for what no switch of 8 bits can name, and for padding as large as the window."""
    window, strides, padding = pair(window), pair(strides), checked_padding(padding)
    if window[0] * window[1] > 256:
        raise ValueError(f"a switch has 8 bits: a window of {window[0]}x{window[1]} has more than 256 cells")
    if any(side >= size for size, sides in zip(window, padding, strict=True) for side in sides):
        raise ValueError(f"padding {padding} must be smaller than the window {window}")
    return window, strides, padding


def pooled_size(size, geometry: Geometry) -> tuple[int, int]:
    """Rows and columns of what is pooled."""
    rows, columns = ((n + sum(pad) - k) // s + 1 for n, k, s, pad in zip(size, *geometry, strict=True))
    return rows, columns


def max_unpool(
    values: jax.Array,
    switches: jax.Array,
    shape: tuple[int, ...],
    window: Pair = 3,
    strides: Pair = 2,
    padding: Padding = VALID,
    overlap: Overlap = "sum",
) -> jax.Array:
    """Puts every value back where its maximum was, zero elsewhere (section 2.1, "Unpooling").

    values, switches: [N, h, w, C], as `max_pool` returns them. shape: the [N, H, W, C] that was pooled.
    overlap: where windows share a maximum, "sum" adds up (the exact adjoint of pooling with these switches), "max"
    keeps the largest, "last" the one of the last window in row-major order. Raises ValueError for another rule and for
    shapes that do not belong together.
    """
    geometry = checked_geometry(window, strides, padding)
    if overlap not in ("sum", "max", "last"):
        raise ValueError(f"overlap is 'sum', 'max' or 'last', not {overlap!r}")
    expected = (shape[0], *pooled_size(shape[1:3], geometry), shape[3])
    if not values.shape == switches.shape == expected:
        raise ValueError(
            f"values {values.shape} and switches {switches.shape} should both be {expected} to unpool to {tuple(shape)}"
        )
    return _unpool(values, switches, shape[1:3], geometry, overlap)


def _unpool(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """[N, h, w, C] -> [N, *size, C]."""
    return unpool_bordered(*bordered(values, switches, size, geometry), size, geometry, overlap)


def bordered(values, switches, size, geometry: Geometry) -> tuple[jax.Array, jax.Array]:
    """Both with windows that do not exist all round, so that every block lies in as many: zeros, and no place.

    On a GPU they are written out, being small: else each cell of the large map looks where the border is, which takes
    a quarter longer (H200, conv1's maps: 0.47 instead of 0.38 ms).
    """
    blocks, reach = _blocks(size, geometry)
    edges = [
        (0, 0, 0),
        *((m - 1, n - h, 0) for m, n, h in zip(reach, blocks, values.shape[1:3], strict=True)),
        (0, 0, 0),
    ]
    values = lax.pad(values, jnp.zeros((), values.dtype), edges)
    none = _NO_WINDOW if _fits_a_byte(switches, geometry) else -1
    switches = switches if _fits_a_byte(switches, geometry) else switches.astype(jnp.int16)
    return apart(values, lax.pad(switches, jnp.array(none, switches.dtype), edges))


def _blocks(size, geometry: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    """Into how many blocks of strides x strides pixels a map is split, and how many windows lie over one, each way."""
    window, strides, padding = geometry
    rows, columns = (-(-(n + pad[0]) // s) for n, s, pad in zip(size, strides, padding, strict=True))
    return (rows, columns), (-(-window[0] // strides[0]), -(-window[1] // strides[1]))


def unpool_bordered(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """What `bordered` returns -> [N, *size, C]."""
    forms = {
        name: functools.partial(form, size=size, geometry=geometry, overlap=overlap)
        for name, form in (("tpu", _unpool_by_phases), ("default", _unpool_by_blocks))
    }
    full = by_platform(values, switches, **forms)
    (top, _), (left, _) = geometry[2]
    return full[:, top : top + size[0], left : left + size[1]]


def _unpool_by_phases(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """First the first pixel of every block, then the second, ..., each from the windows that hold it; then all of them
    side by side. Blocks as below a TPU would write out once for each window (9.6 instead of 2.9 million estimated
    cycles for 64 maps of 68x68x96)."""
    window, strides, _ = geometry
    blocks, reach = _blocks(size, geometry)

    def phase(row: int, col: int):
        result = jnp.full((), _EMPTY[overlap], values.dtype)
        for m in itertools.product(*(reversed(range(n)) for n in reach)):
            down, right = row + m[0] * strides[0], col + m[1] * strides[1]
            if down >= window[0] or right >= window[1]:
                continue
            top, left = (n - 1 - steps for n, steps in zip(reach, m, strict=True))
            there = np.s_[:, top : top + blocks[0], left : left + blocks[1]]
            hit = switches[there] == np.array(down * window[1] + right, switches.dtype)
            result = _COMBINE[overlap](result, hit, values[there])
        result = jnp.where(result == -jnp.inf, 0, result) if overlap == "max" else result
        return jnp.broadcast_to(result, (len(values), *blocks, values.shape[3]))  # where windows leave pixels out

    rows = [jnp.stack([phase(row, col) for col in range(strides[1])], axis=3) for row in range(strides[0])]
    return jnp.stack(rows, axis=2).reshape(len(values), blocks[0] * strides[0], blocks[1] * strides[1], values.shape[3])


def _unpool_by_blocks(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """No scatter: with the map split into blocks of strides x strides pixels, all blocks lie in the windows that start
    0, 1, ... blocks further up and left, and each pixel of a block compares their switches with its own place in them.
    """
    window, strides, _ = geometry
    blocks, reach = _blocks(size, geometry)
    result = jnp.full((), _EMPTY[overlap], values.dtype)
    # Windows from the top left on, in row-major order, so that for "last" the later overwrites the earlier.
    for m in itertools.product(*(reversed(range(n)) for n in reach)):
        top, left = (n - 1 - steps for n, steps in zip(reach, m, strict=True))
        shifted = np.s_[:, top : top + blocks[0], None, left : left + blocks[1], None]
        place = _places_in_window(m, window, strides, switches.dtype)[None, None, :, None, :, None]
        result = _COMBINE[overlap](result, switches[shifted] == place, values[shifted])
    result = jnp.where(result == -jnp.inf, 0, result) if overlap == "max" else result
    shape = (len(values), blocks[0], strides[0], blocks[1], strides[1], values.shape[3])
    return jnp.broadcast_to(result, shape).reshape(len(values), shape[1] * shape[2], shape[3] * shape[4], shape[5])


_NO_WINDOW, _NO_PLACE = 255, 254  # of a block beyond the last window, and of a pixel outside a window: never equal


def _fits_a_byte(switches, geometry: Geometry) -> bool:
    """Whether those two are no switches; as int16 they are -1 and -2."""
    return switches.dtype == jnp.uint8 and math.prod(geometry[0]) <= _NO_PLACE


def _places_in_window(m, window, strides, dtype) -> np.ndarray:
    """What a switch says of a block's pixels, [strides], in a window that starts m blocks further up and left."""
    rows, columns = (np.arange(s) + steps * s for s, steps in zip(strides, m, strict=True))
    place = rows[:, None] * window[1] + columns
    inside = (rows < window[0])[:, None] & (columns < window[1])
    return np.where(inside, place, _NO_PLACE if dtype == np.uint8 else -2).astype(dtype)


_EMPTY = {"sum": 0.0, "max": -jnp.inf, "last": 0.0}
_COMBINE: dict[str, Callable] = {
    "sum": lambda result, hit, value: result + jnp.where(hit, value, 0),
    "max": lambda result, hit, value: jnp.where(hit, jnp.maximum(result, value), result),
    "last": lambda result, hit, value: jnp.where(hit, value, result),
}
