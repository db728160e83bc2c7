"""Insertion, deletion and what a score loses outside a box, of functions whose curves are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zfjax.attribution.measures.baselines import random_order
from zfjax.attribution.measures.curves import blurred, deletion, insertion
from zfjax.attribution.measures.localisation import outside_drop
from zfjax.attribution.measures.places import inside_boxes, strongest
from zfjax.errors import InputError

# Compiled whole: operation by operation most of the time would go to compiling each.
deletion, insertion = (
    jax.jit(each, static_argnames=("f", "steps", *more, "batch_size"))
    for each, more in ((deletion, ()), (insertion, ("sigma",)))
)
outside_drop = jax.jit(outside_drop, static_argnames=("f", "batch_size"))

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 6, 8, 2)).astype(np.float32)
WEIGHTS = RNG.normal(size=(6, 8, 2, 5)).astype(np.float32)
TARGETS = np.array([4, 0, 2])


def linear(images):
    return jnp.einsum("nhwc,hwck->nk", images, WEIGHTS, precision="highest")


def parts(images: np.ndarray) -> np.ndarray:
    """What each place adds to its image's target: [N, H * W]."""
    return np.einsum("nhwc,hwcn->nhw", images, WEIGHTS[..., TARGETS]).reshape(len(images), -1)


@pytest.mark.parametrize("steps, batch_size", [(5, 7), (5, 100), (48, 1)])
def test_curves_of_a_linear_function_are_sums(steps, batch_size):
    shares = parts(IMAGES)
    order = np.argsort(-shares, axis=1)
    added = np.cumsum(np.take_along_axis(shares, order, 1), 1)
    gone = np.round(np.linspace(0, 48, steps + 1)).astype(int)
    removed = np.concatenate([np.zeros((3, 1)), added], 1)[:, gone]
    importance = shares.reshape(3, 6, 8)
    found = deletion(linear, IMAGES, TARGETS, importance, steps=steps, batch_size=batch_size)
    np.testing.assert_allclose(found.scores, shares.sum(1, keepdims=True) - removed, atol=4e-5)
    np.testing.assert_allclose(found.area, np.trapezoid(found.scores, gone / 48, axis=1), atol=4e-5)
    # into the blurred copy: each place brings what it has more than that
    more = parts(IMAGES - np.asarray(blurred(jnp.asarray(IMAGES), 0.7)))
    brought = np.concatenate([np.zeros((3, 1)), np.cumsum(np.take_along_axis(more, order, 1), 1)], 1)[:, gone]
    found = insertion(linear, IMAGES, TARGETS, importance, steps=steps, sigma=0.7, batch_size=batch_size)
    np.testing.assert_allclose(
        found.scores, shares.sum(1, keepdims=True) - more.sum(1, keepdims=True) + brought, atol=1e-5
    )


def test_no_order_deletes_a_linear_function_faster_than_its_own_shares():
    shares = jnp.asarray(parts(IMAGES).reshape(3, 6, 8))
    best, worst = (deletion(linear, IMAGES, TARGETS, each, steps=5, batch_size=7).area for each in (shares, -shares))
    for seed in range(5):
        importance = random_order(jax.random.key(seed), 3, (6, 8))
        chance = deletion(linear, IMAGES, TARGETS, importance, steps=5, batch_size=7).area
        assert (best < chance).all() and (chance < worst).all()


def test_a_constant_score_has_the_area_of_a_rectangle_and_steps_may_outnumber_places():
    def one(images):
        return jnp.ones(len(images))

    found = deletion(one, IMAGES[:, :2, :3], None, jnp.zeros((3, 2, 3)), steps=10)
    np.testing.assert_allclose(found.area, np.ones(3), rtol=1e-6)


def test_the_fill_is_what_covers():
    def total(images):
        return images.sum((1, 2, 3))

    found = deletion(total, IMAGES, None, jnp.zeros((3, 6, 8)), steps=2, fill=np.array([1.0, 2.0]))
    np.testing.assert_allclose(found.scores[:, -1], np.full(3, 48 * 3.0), rtol=1e-5)
    # of equals, places go row by row
    np.testing.assert_allclose(found.scores[:, 1], 24 * 3.0 + IMAGES[:, 3:].sum((1, 2, 3)), rtol=1e-4)


def test_blurring_is_scipys():
    wanted = np.stack([gaussian_filter(image, (1.3, 1.3, 0), mode="nearest", radius=4) for image in IMAGES])
    np.testing.assert_allclose(blurred(jnp.asarray(IMAGES), 1.3), wanted, atol=4e-5)


def test_what_a_linear_function_loses_outside():
    shares = parts(IMAGES).reshape(3, 6, 8)
    boxes = np.array([[1, 1, 3, 4], [0, 0, 6, 8], [2, 2, 2, 2]], float)
    within = inside_boxes(boxes, (6, 8))
    found = outside_drop(linear, IMAGES, TARGETS, within, batch_size=2)
    np.testing.assert_allclose(found, np.where(within, 0, shares).sum((1, 2)), atol=4e-5)
    assert found[1] == 0
    # the largest shares, as many as the box has places, lose the least that so many can
    own = outside_drop(linear, IMAGES, TARGETS, strongest(shares, within.sum((1, 2))), batch_size=2)
    assert own[0] < found[0] and own[2] == pytest.approx(float(found[2]), abs=1e-5)


@pytest.mark.parametrize("call", [deletion, insertion])
@pytest.mark.parametrize(
    "images, importance, options",
    [
        (IMAGES[0], np.zeros((6, 8)), {}),
        (IMAGES, np.zeros((3, 8, 6)), {}),
        (IMAGES, np.zeros((3, 6, 8)), {"steps": 0}),
        (IMAGES, np.zeros((3, 6, 8)), {"batch_size": 0}),
    ],
)
def test_what_does_not_fit_is_refused(call, images, importance, options):
    with pytest.raises(InputError, match="not"):
        call(linear, images, TARGETS, importance, **options)


def test_other_places_fills_and_blurs_are_refused():
    with pytest.raises(InputError, match="kept must be"):
        outside_drop(linear, IMAGES, TARGETS, np.ones((3, 6), bool))
    with pytest.raises(InputError, match="fill must"):
        deletion(linear, IMAGES, TARGETS, np.zeros((3, 6, 8)), fill=np.zeros(7))
    with pytest.raises(InputError, match="sigma must"):
        insertion(linear, IMAGES, TARGETS, np.zeros((3, 6, 8)), sigma=0)
