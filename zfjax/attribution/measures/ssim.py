"""The structural similarity of two maps (SSIM; Wang et al. 2004, IEEE Transactions on Image Processing 13(4))."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.measures.places import Values, flat, same_shape
from zfjax.attribution.measures.smoothing import gaussian, smooth
from zfjax.errors import InputError

Scale = Literal["max_abs", "range"]
WINDOW, SIGMA = 11, 1.5  # section III.C of Wang et al., with the two constants below
K1, K2 = 0.01, 0.03


def structural_similarity(
    one: jax.Array, other: jax.Array, *, values: Values = "signed", scale: Scale = "max_abs"
) -> jax.Array:
    """The SSIM of each image's two maps: [N, H, W, C] or [N, H, W] twice -> float32 [N] in -1..1, the channels' mean.

    values: "signed", or "absolute": what the maps are before they are scaled. scale: how each map is brought to its
    part of a common range: "max_abs" divides by its largest size, to -1..1 signed and 0..1 absolute, so that 0 stays 0;
    "range" takes its smallest value to 0 and its largest to 1 (Adebayo et al. 2018, arXiv 1810.03292, bring
    maps to one range before they compare them). A map of zeros, with "range" any constant one, becomes zeros.
    Windows are Gaussian, 11 pixels wide, and those that lie within the map count. Where a map is the other's negative
    the means and the rest differ in sign both, and their product is above 0: opposite maps need not score low.
    Raises InputError for maps of two shapes, of other axes, smaller than a window, and for other options.
    """
    same_shape(one, other)
    shape = np.shape(one)
    if len(shape) not in (3, 4) or min(shape[1:3]) < WINDOW:
        raise InputError(f"SSIM takes maps [N, H, W, C] or [N, H, W] of {WINDOW} pixels and more, not {list(shape)}")
    if scale not in get_args(Scale):
        raise InputError(f"scale is 'max_abs' or 'range', not {scale!r}")
    x, y = (_scaled(flat(maps, values), scale).reshape(*shape[:3], -1) for maps in (one, other))
    span = 2.0 if (values, scale) == ("signed", "max_abs") else 1.0
    small, smaller = (K1 * span) ** 2, (K2 * span) ** 2
    mean_x, mean_y = _windowed(x), _windowed(y)
    var_x, var_y, both = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2, _windowed(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + small) * (2 * both + smaller)
    return (likeness / ((mean_x**2 + mean_y**2 + small) * (var_x + var_y + smaller))).mean(axis=(1, 2, 3))


def _scaled(rows: jax.Array, scale: Scale) -> jax.Array:
    low = rows.min(1, keepdims=True) if scale == "range" else jnp.zeros((len(rows), 1))
    size = jnp.abs(rows - low).max(1, keepdims=True)
    return (rows - low) / jnp.where(size > 0, size, 1)


def _windowed(maps: jax.Array) -> jax.Array:
    """The Gaussian mean around each place whose window lies within: [N, H, W, C] -> [N, H - 10, W - 10, C]."""
    return smooth(maps, gaussian(WINDOW, SIGMA))
