"""How sure a mean over images is: bootstrap intervals (Efron 1979), of one sample, of two, and of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arguments import check_key
from zfjax.checks import at_least_one, number, require
from zfjax.errors import InputError

RESAMPLES = 2000


class Interval(NamedTuple):
    """A mean over images and where it would lie with other images of the same kind; arrays [...]."""

    mean: jax.Array
    low: jax.Array
    high: jax.Array
    count: jax.Array  # of the images for which there is a value, int


def confidence(values: jax.Array, key: jax.Array, *, level: float = 0.95, resamples: int = RESAMPLES) -> Interval:
    """The mean of values [N, ...] over images, and its percentile bootstrap interval: arrays [...].

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


# What follows is on the host: a report asks for a dozen intervals of as many shapes, and JAX would compile each for
# longer than NumPy draws it.
Statistic = Callable[[np.ndarray], np.ndarray]  # of values [..., N] -> [...]
Spread = tuple[float, float, float]  # what was measured, and the low and high end of its interval
_TOGETHER = 2**20  # numbers drawn at a time


def resampled(statistic: Statistic, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a statistic says of values [N] when they are drawn anew with replacement: [2000]."""
    count = len(values)
    rows = max(1, _TOGETHER // count)
    sizes = [min(rows, RESAMPLES - start) for start in range(0, RESAMPLES, rows)]
    return np.concatenate([statistic(values[rng.integers(0, count, (size, count))]) for size in sizes])


def difference(statistic: Statistic, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> Spread:
    """A statistic, such as `mean`, of first [N] less that of second [M], two samples each drawn anew on its own."""
    with np.errstate(invalid="ignore"):  # two infinite ratios have no difference
        draws = resampled(statistic, first, rng) - resampled(statistic, second, rng)
    return float(statistic(first) - statistic(second)), *tails(draws)


def of_pairs(values: np.ndarray, rng: np.random.Generator) -> Spread:
    """The mean over pairs of different images of values [N, N], N at least 2, which are the same in both orders.

    Images are drawn, not pairs: those of one image come and go together. An image that is drawn twice makes no pair
    with itself; draws without a pair count nowhere.
    """
    count = len(values)
    apart = np.where(np.eye(count, dtype=bool), 0.0, values)

    def mean_of(times: np.ndarray) -> np.ndarray:
        """How often each image was drawn, [..., N] -> the mean of their pairs."""
        pairs = count**2 - np.square(times).sum(axis=-1)
        total = ((times @ apart) * times).sum(axis=-1)
        return np.divide(total, pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)

    draws = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return float(mean_of(np.ones(count))), *tails(mean_of(draws))


def mean(values: np.ndarray) -> np.ndarray:
    """[..., N] -> [...]."""
    return values.mean(axis=-1)


def tails(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Between which values the middle part of the draws lies; NaN among them counts nowhere."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
