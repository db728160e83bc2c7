"""The operators of a convnet and of its deconvnet, as pure functions on arrays [N, H, W, C]."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.averages import avg_pool, avg_unpool
from zfjax.convolution import conv, conv_transpose
from zfjax.layers import VALID, Padding, Pair, checked_padding, pair

__all__ = ["avg_pool", "avg_unpool", "conv", "conv_transpose", "local_response_norm", "max_pool", "max_unpool", "peaks"]

Overlap = Literal["sum", "max", "last"]


def max_pool(
    x: jax.Array, window: Pair = 3, strides: Pair = 2, padding: Padding = VALID
) -> tuple[jax.Array, jax.Array]:
    """Max pooling that records where each maximum was (section 2.1, "switches").

    x: [N, H, W, C]. Returns the maxima [N, h, w, C] and the switches, uint8 [N, h, w, C]: the maximum's offset in its
    window, row-major; of equal values the first counts. The gradient flows through the switches. Padding never wins;
    it must be smaller than the window, and a window may have at most 256 cells. Raises ValueError otherwise. A NaN
    anywhere in a window is its maximum. In bfloat16 values that float32 tells apart are equal: 0.2 to 0.9 % of the
    switches are others (zf-mini, 64 scenes). Only reverse-mode differentiation: `jax.jvp`, `jax.jacfwd` and
    `jax.hessian` raise TypeError.
    """
    geometry = _geometry(window, strides, padding)
    both: Any = _max_pool(x, geometry)  # custom_vjp hides what it returns
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


def peaks(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The strongest place of every map: x [N, H, W, C] -> values, rows, columns, each [N, C].

    Of equal values the first in row-major order counts.
    """
    # Row maxima first: one argmax over all places takes XLA on CPU 79 instead of 14 ms (32 images at ZFNet's conv1).
    of_rows = x.max(axis=2)
    rows = jnp.argmax(of_rows, axis=1)
    strongest = jnp.take_along_axis(x, rows[:, None, None, :], axis=1)[:, 0]
    return of_rows.max(axis=1), rows, jnp.argmax(strongest, axis=1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def local_response_norm(x: jax.Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75) -> jax.Array:
    """Contrast normalisation across maps, x / (k + alpha * sum of x^2 over n neighbouring maps)^beta.

    x: [..., C]. alpha is not divided by n (Krizhevsky et al. 2012, section 3.3); PyTorch, ONNX and Caffe divide, so
    that theirs is n times this one. Computed in float32. Raises ValueError for an even n, which has no middle. Only
    reverse-mode differentiation, as of `max_pool`.
    """
    if n % 2 == 0:
        raise ValueError(f"n must be odd, not {n}")
    scale = _lrn_scale(x.astype(jnp.float32), n, k, alpha)
    return (x * _negative_power(scale, beta)).astype(x.dtype)


def _lrn_forward(x, n, k, alpha, beta):
    return local_response_norm(x, n, k, alpha, beta), x


def _lrn_backward(n, k, alpha, beta, x, g):
    # d/dx of x s^-b: g s^-b - 2 a b x * sum over the neighbourhood of (g x s^-b-1). Only x is kept: s is cheap again.
    wide, grad = x.astype(jnp.float32), g.astype(jnp.float32)
    scale = _lrn_scale(wide, n, k, alpha)
    power = _negative_power(scale, beta)
    spread = _neighbour_sum(grad * wide * power / scale, n)
    return ((grad * power - 2 * alpha * beta * wide * spread).astype(x.dtype),)


local_response_norm.defvjp(_lrn_forward, _lrn_backward)


def _lrn_scale(x, n, k, alpha):
    return k + alpha * _neighbour_sum(x * x, n)


def _neighbour_sum(x, n):
    padded = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0)] * (x.ndim - 1) + [(n // 2, n // 2, 0)])
    return sum(lax.slice_in_dim(padded, i, i + x.shape[-1], axis=-1) for i in range(n))


def _negative_power(scale, beta):
    if beta == 0.75:  # two square roots instead of exp and log
        root = lax.rsqrt(scale)
        return root * lax.sqrt(root)
    return scale**-beta


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


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x, geometry: Geometry):
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


def _max_pool_forward(x, geometry):
    both: Any = _max_pool(x, geometry)
    return both, (both[1], jnp.zeros((*x.shape[1:3], 0)))  # an empty array carries the static size


def _max_pool_backward(geometry, residuals, gradients):
    switches, size = residuals
    return (_unpool(gradients[0], switches, size.shape[:2], geometry, "sum"),)


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
    """[N, h, w, C] -> [N, *size, C].

    No scatter: with the map split into blocks of strides x strides pixels, all blocks lie in the windows that start 0,
    1, ... blocks further up and left, and each pixel of a block compares their switches with its own place in them.
    """
    window, strides, padding = geometry
    blocks = tuple(-(-(n + pad[0]) // s) for n, s, pad in zip(size, strides, padding, strict=True))
    reach = tuple(-(-k // s) for k, s in zip(window, strides, strict=True))  # windows over a block, along each axis
    edges = [
        (0, 0, 0),
        *((m - 1, n - h, 0) for m, n, h in zip(reach, blocks, values.shape[1:3], strict=True)),
        (0, 0, 0),
    ]
    values = lax.pad(values, jnp.zeros((), values.dtype), edges)
    switches = lax.pad(switches.astype(jnp.int16), jnp.int16(_NO_WINDOW), edges)
    result = jnp.full((), _EMPTY[overlap], values.dtype)
    # Windows from the top left on, in row-major order, so that for "last" the later overwrites the earlier.
    for m in itertools.product(*(reversed(range(n)) for n in reach)):
        top, left = (n - 1 - steps for n, steps in zip(reach, m, strict=True))
        shifted = np.s_[:, top : top + blocks[0], None, left : left + blocks[1], None]
        place = _places_in_window(m, window, strides)[None, None, :, None, :, None]
        result = _COMBINE[overlap](result, switches[shifted] == place, values[shifted])
    result = jnp.where(result == -jnp.inf, 0, result) if overlap == "max" else result
    full = result.reshape(len(values), blocks[0] * strides[0], blocks[1] * strides[1], values.shape[3])
    (top, _), (left, _) = padding
    return full[:, top : top + size[0], left : left + size[1]]


_NO_WINDOW, _NO_PLACE = -1, -2  # of a block beyond the last window, and of a pixel outside a window: never equal


def _places_in_window(m, window, strides) -> np.ndarray:
    """What a switch says of a block's pixels, [strides], in a window that starts m blocks further up and left."""
    rows, columns = (np.arange(s) + steps * s for s, steps in zip(strides, m, strict=True))
    place = rows[:, None] * window[1] + columns
    inside = (rows < window[0])[:, None] & (columns < window[1])
    return np.where(inside, place, _NO_PLACE).astype(np.int16)


_EMPTY = {"sum": 0.0, "max": -jnp.inf, "last": 0.0}
_COMBINE: dict[str, Callable] = {
    "sum": lambda result, hit, value: result + jnp.where(hit, value, 0),
    "max": lambda result, hit, value: jnp.where(hit, jnp.maximum(result, value), result),
    "last": lambda result, hit, value: jnp.where(hit, value, result),
}
