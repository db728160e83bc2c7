"""Max pooling with switches, its exact transpose, and the form of each that suits a platform (section 2.1)."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.layers import VALID, Padding, Pair, checked_padding, pair
from zfjax.platforms import apart, by_platform

Overlap = Literal["sum", "max", "last"]


def max_pool(
    x: jax.Array,
    window: Pair = 3,
    strides: Pair = 2,
    padding: Padding = VALID,
    *,
    bias: jax.Array | None = None,
    relu: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Max pooling that records where each maximum was (section 2.1, "switches").

    x: [N, H, W, C]. Returns the maxima [N, h, w, C] and the switches, uint8 [N, h, w, C]: the maximum's offset in its
    window, row-major; of equal values the first counts. The gradient flows through the switches. Padding never wins;
    it must be smaller than the window, and a window may have at most 256 cells. Raises ValueError otherwise. A NaN
    anywhere in a window is its maximum. In bfloat16 values that float32 tells apart are equal: 0.2 to 0.9 % of the
    switches are others (zf-mini, 64 scenes). Only reverse-mode differentiation: `jax.jvp`, `jax.jacfwd` and
    `jax.hessian` raise TypeError.
    bias [C], relu: pools x + bias, and max(x + bias, 0), to the bit, with gradients that never read the large map: the
    largest of rectified values is the rectified largest, and what comes back to the pooled map adds up to the bias'.
    """
    # custom_vjp hides what it returns
    both: Any = _max_pool(x, bias, _geometry(window, strides, padding), relu)
    return both[0], lax.stop_gradient(both[1])


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
    geometry = _geometry(window, strides, padding)
    if overlap not in ("sum", "max", "last"):
        raise ValueError(f"overlap is 'sum', 'max' or 'last', not {overlap!r}")
    expected = (shape[0], *_pooled_size(shape[1:3], geometry), shape[3])
    if not values.shape == switches.shape == expected:
        raise ValueError(
            f"values {values.shape} and switches {switches.shape} should both be {expected} to unpool to {tuple(shape)}"
        )
    return _unpool(values, switches, shape[1:3], geometry, overlap)


Geometry = tuple[tuple[int, int], tuple[int, int], Padding]  # window, strides, padding


def _geometry(window: Pair, strides: Pair, padding: Padding) -> Geometry:
    window, strides, padding = pair(window), pair(strides), checked_padding(padding)
    if window[0] * window[1] > 256:
        raise ValueError(f"a switch has 8 bits: a window of {window[0]}x{window[1]} has more than 256 cells")
    if any(side >= size for size, sides in zip(window, padding, strict=True) for side in sides):
        raise ValueError(f"padding {padding} must be smaller than the window {window}")
    return window, strides, padding


def _pooled_size(size, geometry: Geometry) -> tuple[int, int]:
    rows, columns = ((n + sum(pad) - k) // s + 1 for n, k, s, pad in zip(size, *geometry, strict=True))
    return rows, columns


def _first_cells(size, geometry: Geometry) -> np.ndarray:
    """The offset of each window's first cell that is no padding: uint8 [1, h, w, 1]."""
    window, strides, padding = geometry
    rows, columns = (
        np.maximum(before - np.arange(n) * s, 0)
        for n, s, (before, _) in zip(_pooled_size(size, geometry), strides, padding, strict=True)
    )
    return (rows[:, None] * window[1] + columns).astype(np.uint8)[None, :, :, None]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _max_pool(x, bias, geometry: Geometry, relu: bool):
    x = _biased(x, bias)
    best, switches = by_platform(
        x,
        tpu=functools.partial(_pool_by_windows, geometry=geometry),
        default=functools.partial(_pool_by_cells, geometry=geometry),
    )
    if relu:
        # where nothing is above zero all rectified cells are equal, and the first one that is no padding wins
        switches = jnp.where(best <= 0, jnp.asarray(_first_cells(x.shape[1:3], geometry)), switches)
        best = jnp.maximum(best, 0)
    return apart(best, switches)


def _biased(x, bias):
    return x if bias is None else x + bias.astype(x.dtype).reshape(1, 1, 1, -1)


def _pool_by_cells(x, geometry: Geometry):
    # One strided slice per cell of the window: on CPU several times faster than reduce_window, and its gradient
    # needs the switches only, not a second search (select_and_scatter). A NaN beats all numbers, as in reduce_window.
    cells = _cells(x, geometry)
    best = next(cells)
    switches = jnp.zeros(best.shape, jnp.uint8)
    for index, cell in enumerate(cells, start=1):
        higher = (cell > best) | (cell != cell)
        best = jnp.where(higher, cell, best)
        switches = jnp.where(higher, jnp.uint8(index), switches)
    return best, switches


def _pool_by_windows(x, geometry: Geometry):
    """The maxima are a reduction that a TPU has; where only they are asked for, XLA leaves the rest out."""
    return _window_max(x, geometry), _pool_by_cells(x, geometry)[1]


def _window_max(x, geometry: Geometry):
    window, strides, padding = geometry
    lowest = np.array(-np.inf, x.dtype)  # no tracer: JAX must see that this is a maximum
    edges = ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, lowest, lax.max, (1, *window, 1), (1, *strides, 1), edges)


def _max_pool_forward(x, bias, geometry, relu):
    both: Any = _max_pool(x, bias, geometry, relu)
    return both, (x, bias, both[1], both[0] if relu else None)


def _max_pool_backward(geometry, relu, residuals, gradients):
    x, bias, switches, rectified = residuals
    g = jnp.where(rectified > 0, gradients[0], 0) if relu else gradients[0]

    # Each form needs x or the switches, and XLA drops the other; of equal values both take the first.
    def by_search(x, switches, g):
        del switches
        return jax.vjp(lambda x: _window_max(x, geometry), _biased(x, bias))[1](g)[0], g.sum((0, 1, 2), jnp.float32)

    def by_switches(x, switches, g):
        g, switches = _bordered(g, switches, x.shape[1:3], geometry)
        return _unpool_bordered(g, switches, x.shape[1:3], geometry, "sum"), g.sum((0, 1, 2), jnp.float32)

    of_x, of_bias = by_platform(x, switches, g, tpu=by_search, default=by_switches)
    return of_x, None if bias is None else of_bias.astype(bias.dtype)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def _cells(x, geometry: Geometry) -> Iterator[jax.Array]:
    """The first cell of every window, then the second, ..., each [N, h, w, C]; padding counts as -inf."""
    window, strides, padding = geometry
    rows, columns = _pooled_size(x.shape[1:3], geometry)
    edges = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    x = lax.pad(x, jnp.array(-jnp.inf, x.dtype), edges)
    for i, j in itertools.product(*map(range, window)):
        limits = (x.shape[0], i + (rows - 1) * strides[0] + 1, j + (columns - 1) * strides[1] + 1, x.shape[3])
        yield lax.slice(x, (0, i, j, 0), limits, (1, *strides, 1))


def _unpool(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """[N, h, w, C] -> [N, *size, C]."""
    return _unpool_bordered(*_bordered(values, switches, size, geometry), size, geometry, overlap)


def _bordered(values, switches, size, geometry: Geometry) -> tuple[jax.Array, jax.Array]:
    """Both with windows that do not exist all round, so that every block lies in as many: zeros, and no place.

    On a GPU they are written out, being small: else each cell of the large map looks where the border is, which takes
    half as long again (H200, conv1's maps).
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


def _unpool_bordered(values, switches, size, geometry: Geometry, overlap: Overlap) -> jax.Array:
    """No scatter: with the map split into blocks of strides x strides pixels, all blocks lie in the windows that start
    0, 1, ... blocks further up and left, and each pixel of a block compares their switches with its own place in them.
    """
    window, strides, padding = geometry
    blocks, reach = _blocks(size, geometry)
    result = jnp.full((), _EMPTY[overlap], values.dtype)
    # Windows from the top left on, in row-major order, so that for "last" the later overwrites the earlier.
    for m in itertools.product(*(reversed(range(n)) for n in reach)):
        top, left = (n - 1 - steps for n, steps in zip(reach, m, strict=True))
        shifted = np.s_[:, top : top + blocks[0], None, left : left + blocks[1], None]
        place = _places_in_window(m, window, strides, switches.dtype)[None, None, :, None, :, None]
        result = _COMBINE[overlap](result, switches[shifted] == place, values[shifted])
    result = jnp.where(result == -jnp.inf, 0, result) if overlap == "max" else result
    full = result.reshape(len(values), blocks[0] * strides[0], blocks[1] * strides[1], values.shape[3])
    (top, _), (left, _) = padding
    return full[:, top : top + size[0], left : left + size[1]]


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
