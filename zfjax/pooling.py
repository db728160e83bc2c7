"""Max pooling with switches, and the form of it and of its gradient that suits a platform (section 2.1)."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.layers import VALID, Padding, Pair
from zfjax.platforms import apart, by_platform
from zfjax.unpooling import Geometry, bordered, checked_geometry, pooled_size, unpool_bordered


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
    anywhere in a window is its maximum (whose gradient a TPU gives to another cell). In bfloat16 values that float32
    tells apart are equal: 0.2 to 0.9 % of the switches are others (zf-mini, 64 scenes). Only reverse-mode
    differentiation: `jax.jvp`, `jax.jacfwd` and `jax.hessian` raise TypeError.
    bias [C], relu: pools x + bias, and max(x + bias, 0), to the bit. On GPUs and TPUs the gradients never read the
    large map: the largest of rectified values is the rectified largest, and what comes back to the pooled map adds up
    to the bias'.
    """
    geometry = checked_geometry(window, strides, padding)
    if bias is not None:  # inside shard_map it differs along the same axes as x from here on: its gradients add up
        bias = bias + lax.full_like(x, 0, shape=bias.shape, dtype=bias.dtype)
    fused = functools.partial(_max_pool, geometry=geometry, relu=relu)
    if bias is None and not relu:
        both: Any = fused(x, bias)  # custom_vjp hides what it returns
    else:  # XLA on CPU has bias and ReLU in one pass over the large map: a step of ZFNet takes a tenth longer without
        first = functools.partial(_rectified_first, geometry=geometry, relu=relu)
        both = by_platform(x, bias, cpu=first, default=fused)
    return both[0], lax.stop_gradient(both[1])


def _rectified_first(x, bias, geometry: Geometry, relu: bool):
    x = _biased(x, bias)
    return _max_pool(jax.nn.relu(x) if relu else x, None, geometry, False)


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


def _sum_of_places(g):
    return g.sum((0, 1, 2), jnp.promote_types(g.dtype, jnp.float32))


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
        return jax.vjp(lambda x: _window_max(x, geometry), _biased(x, bias))[1](g)[0], _sum_of_places(g)

    def by_switches(x, switches, g):
        g, switches = bordered(g, switches, x.shape[1:3], geometry)
        return unpool_bordered(g, switches, x.shape[1:3], geometry, "sum"), _sum_of_places(g)

    of_x, of_bias = by_platform(x, switches, g, tpu=by_search, default=by_switches)
    return of_x, None if bias is None else of_bias.astype(bias.dtype)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def _cells(x, geometry: Geometry) -> Iterator[jax.Array]:
    """The first cell of every window, then the second, ..., each [N, h, w, C]; padding counts as -inf."""
    window, strides, padding = geometry
    rows, columns = pooled_size(x.shape[1:3], geometry)
    edges = [(0, 0, 0), *((before, after, 0) for before, after in padding), (0, 0, 0)]
    x = lax.pad(x, jnp.array(-jnp.inf, x.dtype), edges)
    for i, j in itertools.product(*map(range, window)):
        limits = (x.shape[0], i + (rows - 1) * strides[0] + 1, j + (columns - 1) * strides[1] + 1, x.shape[3])
        yield lax.slice(x, (0, i, j, 0), limits, (1, *strides, 1))


def _first_cells(size, geometry: Geometry) -> np.ndarray:
    """The offset of each window's first cell that is no padding: uint8 [1, h, w, 1]."""
    window, strides, padding = geometry
    rows, columns = (
        np.maximum(before - np.arange(n) * s, 0)
        for n, s, (before, _) in zip(pooled_size(size, geometry), strides, padding, strict=True)
    )
    return (rows[:, None] * window[1] + columns).astype(np.uint8)[None, :, :, None]
