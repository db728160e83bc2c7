"""Average pooling and its exact transpose, on arrays [N, H, W, C]."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zfjax.convolution import transposed
from zfjax.layers import VALID, Padding, Pair, checked_padding, pair


def avg_pool(
    x: jax.Array, window: Pair = 2, strides: Pair = 2, padding: Padding = VALID, count_include_pad: bool = True
) -> jax.Array:
    """Mean over windows: [N, H, W, C] -> [N, h, w, C]. count_include_pad: padding counts as zeros, or not at all.

    Raises ValueError for padding that is not ((top, bottom), (left, right)), from 0 on.
    """
    padding = checked_padding(padding)
    counts = _avg_counts(x.shape[1:3], window, strides, padding, count_include_pad)
    return _window_sum(x, window, strides, padding) / jnp.asarray(counts, x.dtype)


def avg_unpool(
    y: jax.Array,
    shape: tuple[int, ...],
    window: Pair = 2,
    strides: Pair = 2,
    padding: Padding = VALID,
    count_include_pad: bool = True,
) -> jax.Array:
    """The exact adjoint of `avg_pool`: spreads each value evenly over its window. shape: the [N, H, W, C] pooled."""
    padding = checked_padding(padding)
    counts = _avg_counts(shape[1:3], window, strides, padding, count_include_pad)
    return spread(y / jnp.asarray(counts, y.dtype), shape, window, strides, padding)


def spread(y: jax.Array, shape: tuple[int, ...], window: Pair, strides: Pair, padding: Padding = VALID) -> jax.Array:
    """The adjoint of summing over windows: each value to all cells of its window. shape: the [N, H, W, C] summed."""
    return transposed(lambda x: _window_sum(x, window, strides, padding), shape, y)


def avg_counts(size, window: Pair, strides: Pair, padding: Padding) -> np.ndarray:
    """How many cells of each window lie inside a map of `size`, at least 1: float32 [1, h, w, 1]."""
    inside = [
        np.maximum(np.minimum(starts + k, n + before) - np.maximum(starts, before), 0)
        for n, k, s, (before, after) in zip(size, pair(window), pair(strides), padding, strict=True)
        for starts in [np.arange((n + before + after - k) // s + 1) * s]
    ]
    return np.maximum(np.multiply.outer(*inside), 1).astype(np.float32)[None, :, :, None]


def _avg_counts(size, window: Pair, strides: Pair, padding: Padding, count_include_pad: bool) -> np.ndarray | float:
    if count_include_pad or padding == VALID:
        return float(np.prod(pair(window)))
    return avg_counts(size, window, strides, padding)


def _window_sum(x, window: Pair, strides: Pair, padding: Padding) -> jax.Array:
    zero = np.zeros((), x.dtype)  # a traced zero would hide from JAX that this is a sum, and it could not be transposed
    edges = ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, zero, lax.add, (1, *pair(window), 1), (1, *pair(strides), 1), edges)
