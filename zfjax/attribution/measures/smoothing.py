"""Gaussian means of maps and images."""

from __future__ import annotations

import functools
import operator

import jax
import numpy as np
from jax import lax


def gaussian(window: int, sigma: float) -> np.ndarray:
    """Weights [window], of an odd number of pixels, that add up to 1."""
    weights = np.exp(-0.5 * ((np.arange(window) - window // 2) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def smooth(maps: jax.Array, weights: np.ndarray) -> jax.Array:
    """Weighted means along rows and along columns, inside alone: [N, H, W, C] -> [N, H - k + 1, W - k + 1, C]."""
    for axis in (1, 2):
        parts = [
            weight * lax.slice_in_dim(maps, start, maps.shape[axis] - len(weights) + 1 + start, axis=axis)
            for start, weight in enumerate(weights)
        ]
        maps = functools.reduce(operator.add, parts)
    return maps
