"""Adam's steps (Kingma & Ba 2014, 1412.6980, algorithm 1), uphill."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Moments(NamedTuple):
    """Of the gradients so far: their running mean, and that of their squares."""

    first: jax.Array
    second: jax.Array


def ascend(
    values: jax.Array, gradient: jax.Array, moments: Moments, step: jax.Array, learning_rate: float
) -> tuple[jax.Array, Moments]:
    """One step up; step: from 0 on."""
    first = BETA1 * moments.first + (1 - BETA1) * gradient
    second = BETA2 * moments.second + (1 - BETA2) * jnp.square(gradient)
    unbiased = first / (1 - BETA1 ** (step + 1)), second / (1 - BETA2 ** (step + 1))
    return values + learning_rate * unbiased[0] / (jnp.sqrt(unbiased[1]) + EPSILON), Moments(first, second)
