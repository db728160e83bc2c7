"""How sure a mean over images is."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from zfjax.arguments import check_key
from zfjax.checks import at_least_one, number, require
from zfjax.errors import InputError


class Interval(NamedTuple):
    """A mean over images and where it would lie with other images of the same kind; arrays [...]."""

    mean: jax.Array
    low: jax.Array
    high: jax.Array
    count: jax.Array  # of the images for which there is a value, int


def confidence(values: jax.Array, key: jax.Array, *, level: float = 0.95, resamples: int = 2000) -> Interval:
    """The mean of values [N, ...] over images, and its percentile bootstrap interval (Efron 1979): arrays [...].

    Images are drawn anew with replacement, the same ones for all that is measured of them, so that what several methods
    make of the same images is compared on the same draws. NaN, a value that an image does not have, counts nowhere.
    level: the part of the draws' means that lies within. All are NaN where no image has a value.
    Raises InputError for no image, for a level not between 0 and 1, and for what is no key.
    """
    check_key(key)
    at_least_one(resamples=resamples)
    level = require(number(0, 1, above=True), level, "level must be a number above 0, up to 1")
    values = jnp.asarray(values, jnp.float32)
    if values.ndim < 1 or not len(values):
        raise InputError(f"a mean over images takes values [N, ...] of at least one, not of shape {list(values.shape)}")

    def mean(key: jax.Array) -> jax.Array:
        chosen = jax.random.randint(key, (len(values),), 0, len(values))
        return jnp.nanmean(values[chosen], axis=0)

    means = jax.lax.map(mean, jax.random.split(key, resamples))
    tail = (1 - level) / 2
    low, high = jnp.nanquantile(means, jnp.array([tail, 1 - tail]), axis=0)
    return Interval(jnp.nanmean(values, axis=0), low, high, (~jnp.isnan(values)).sum(0))
