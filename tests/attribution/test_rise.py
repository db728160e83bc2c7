"""RISE against the sum over the very masks, and the masks against what the paper says of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zfjax.attribution.gradients import vargrad
from zfjax.attribution.rise import rise, rise_mask
from zfjax.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 10, 13, 2)).astype(np.float32)
TARGETS = np.array([1, 0, 2, 1])
WEIGHTS = RNG.normal(size=(3, 10, 13, 2)).astype(np.float32)
KEY = jax.random.key(3)
OPTIONS = {"cells": 3, "share": 0.4}


@jax.jit
def f(images):
    return jax.nn.softmax(jnp.einsum("nhwc,khwc->nk", images, WEIGHTS) / 10)


@functools.cache
def masks(samples: int) -> np.ndarray:
    keys = jax.vmap(functools.partial(jax.random.fold_in, KEY))(jnp.arange(samples))
    return np.asarray(jax.vmap(functools.partial(rise_mask, size=(10, 13), **OPTIONS))(keys))


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_the_sum_over_the_very_masks(batch_size):
    method = jax.jit(functools.partial(rise, f, key=KEY, samples=11, batch_size=batch_size, **OPTIONS))
    found = method(IMAGES, TARGETS)
    said = np.stack([np.asarray(f(IMAGES * mask[None, ..., None]))[np.arange(4), TARGETS] for mask in masks(11)])
    expected = np.einsum("sn,shw->nhw", said, masks(11)) / 11 / 0.4
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    if batch_size == 3:
        both = jax.vmap(method, in_axes=(None, 0))(IMAGES, np.stack([TARGETS, TARGETS]))
        np.testing.assert_allclose(both, np.stack([expected] * 2), rtol=1e-4, atol=1e-6)


def test_the_mean_mask_is_the_share_by_which_the_map_is_divided():
    assert np.abs(masks(1500).mean(axis=0) - 0.4).max() < 0.06  # four deviations of sqrt(0.24 / 1500)
    assert masks(1500).min() >= 0 and masks(1500).max() <= 1


def largest(jaxpr) -> int:
    """Numbers in the largest array that a program makes on its way."""
    sizes = [var.aval.size for eqn in jaxpr.eqns for var in eqn.outvars]
    inner = [each for eqn in jaxpr.eqns for each in jax.tree.leaves(list(eqn.params.values()), is_leaf=is_program)]
    return max([*sizes, *(largest(getattr(each, "jaxpr", each)) for each in inner if is_program(each))], default=0)


def is_program(value) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


@pytest.mark.parametrize("method", [functools.partial(rise, **OPTIONS), vargrad])
def test_memory_is_bounded_by_the_batch_whatever_the_samples(method):
    def program(samples, batch_size):
        bound = functools.partial(method, f, key=KEY, samples=samples, batch_size=batch_size)
        return largest(jax.make_jaxpr(bound)(IMAGES, TARGETS).jaxpr)

    assert program(1000, 8) == program(8, 8) <= 8 * 4 * IMAGES[0].size
    assert program(1000, 64) > 2 * program(1000, 8)


def test_a_mask_is_an_enlarged_grid_cut_somewhere_within_a_cell():
    """Cells of 4 by 5 pixels enlarged to 16 by 20: every mask is one of the 4 x 5 cuts of one of the 512 grids."""

    def enlarged(length):  # [length, 3], pixels' middles on pixels' middles
        places = np.clip((np.arange(length) + 0.5) * 3 / length - 0.5, 0, 2)
        return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(3)))

    corners = set()
    for mask in masks(1500)[:60]:
        fits = []
        for row in range(4):
            for col in range(5):
                up, across = enlarged(16)[row : row + 10], enlarged(20)[col : col + 13]
                grid = np.linalg.pinv(up) @ mask @ np.linalg.pinv(across).T
                if np.abs(up @ grid.round() @ across.T - mask).max() < 1e-4:
                    fits.append((row, col))
        assert fits
        corners |= set(fits[:1]) if len(fits) == 1 else set()
    assert {row for row, _ in corners} == {0, 1, 2, 3} and {col for _, col in corners} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    "given, words",
    [
        ({"key": 1}, "the key must be"),
        ({"cells": 0}, "cells must be"),
        ({"share": 0.0}, "share must be"),
        ({"share": 1.5}, "share must be"),
        ({"samples": 0}, "samples must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"targets": TARGETS[:2]}, "must be int \\[4\\]"),
        ({"images": IMAGES[0]}, "images must be floats"),
    ],
)
def test_what_cannot_be_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        rise(f, **{"images": IMAGES, "targets": TARGETS, "key": KEY, **given})
