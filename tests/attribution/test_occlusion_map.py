"""Occlusion maps of functions whose answer can be written down."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zfjax
from zfjax.attribution.occlusion import centres, occlude


def test_the_map_of_a_sum_is_the_sum_without_the_square():
    image = np.random.default_rng(0).normal(size=(11, 14, 3)).astype(np.float32)
    for size, stride, fill in ((4, 3, 0.0), (5, 2, 1.5), (1, 4, 0.0), (50, 5, -2.0)):
        total = functools.partial(jnp.sum, axis=(1, 2, 3))
        options = {"size": size, "stride": stride, "fill": fill, "batch_size": 7}
        scores = jax.jit(functools.partial(zfjax.occlusion_map, total, **options))(image)
        rows, columns = (np.arange((n - 1) % stride // 2, n, stride) for n in (11, 14))
        assert scores.shape == (len(rows), len(columns))
        for i, j in np.ndindex(scores.shape):
            covered = image.copy()
            top, left = rows[i] - size // 2, columns[j] - size // 2  # cut at the border, not wrapped round it
            covered[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = fill
            assert scores[i, j] == pytest.approx(covered.sum(), abs=1e-3)


def test_the_minimum_is_where_the_only_bright_spot_is():
    image = jnp.zeros((40, 40, 1)).at[28, 12].set(1.0)
    scores = zfjax.occlusion_map(lambda images: images.max((1, 2, 3)), image, size=6, stride=4)
    lows = np.argwhere(np.asarray(scores) == 0) * 4 + (39 % 4) // 2
    assert len(lows) and np.abs(lows - (28, 12)).max() <= 3


def test_pytrees_jit_and_colour_fill():
    image = jnp.ones((8, 8, 3))
    predict = lambda images: {"mean": images.mean((1, 2)), "count": jnp.ones(len(images))}  # noqa: E731
    run = jax.jit(functools.partial(zfjax.occlusion_map, predict, size=20, stride=4, fill=jnp.array([0.0, 2.0, 5.0])))
    scores = run(image)
    assert scores["mean"].shape == (2, 2, 3) and scores["count"].shape == (2, 2)
    np.testing.assert_allclose(scores["mean"], np.broadcast_to([0, 2, 5], (2, 2, 3)))


def test_centres_have_even_margins():
    assert centres(10, 4).tolist() == [0, 4, 8] and centres(9, 4).tolist() == [0, 4, 8]
    assert centres(224, 8)[0] == 3 and centres(224, 8)[-1] == 219


def test_squares_cover_exactly_their_size():
    for size in (1, 2, 5, 6):
        assert occlude(jnp.zeros((20, 20, 1)), 10, 9, size=size, fill=1.0).sum() == size**2
    with pytest.raises(ValueError, match="size must be a whole number from 1 on, not 0"):
        zfjax.occlusion_map(lambda images: images, jnp.zeros((8, 8, 1)), size=0)
    with pytest.raises(ValueError, match="stride must be a whole number from 1 on, not 0"):
        zfjax.occlusion_map(lambda images: images, jnp.zeros((8, 8, 1)), stride=0)
