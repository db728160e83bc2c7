"""Transformed images by hand, and distances of functions that are known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zfjax
from zfjax.attribution import invariance
from zfjax.attribution.invariance import responses
from zfjax.errors import InputError


def _changed(name, fill=0.0):
    """(image, amount) -> the image under one transformation."""

    def change(image, amount, *, fill=fill, interpolation="bilinear"):
        return invariance.warp(image, invariance.TRANSFORMS[name](amount), fill=fill, interpolation=interpolation)

    return jax.jit(change, static_argnames="interpolation")


shift, scale, rotate = (_changed(name) for name in ("shift", "scale", "rotation"))
edge = {name: _changed(name, "edge") for name in ("shift", "scale", "rotation")}
IMAGE = np.random.default_rng(0).uniform(0, 255, (9, 12, 3)).astype(np.float32)
BORDER = np.random.default_rng(1).uniform(0, 255, IMAGE.shape).astype(np.float32)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_no_change_changes_nothing_not_even_a_bit(interpolation):
    for change, amount in ((shift, 0.0), (scale, 1.0), (rotate, 0.0), (rotate, 360.0)):
        np.testing.assert_array_equal(change(IMAGE, amount, fill=BORDER, interpolation=interpolation), IMAGE)
    for name, amount in {"shift": 0.0, "scale": 1.0, "rotation": 0.0}.items():
        np.testing.assert_array_equal(edge[name](IMAGE, amount, interpolation=interpolation), IMAGE)


def test_whole_shifts_are_slices():
    down, up = shift(IMAGE, 2.0, fill=BORDER), edge["shift"](IMAGE, -3.0)
    np.testing.assert_array_equal(down, np.concatenate([BORDER[:2], IMAGE[:-2]]))
    np.testing.assert_array_equal(up, np.concatenate([IMAGE[3:], np.repeat(IMAGE[-1:], 3, axis=0)]))
    np.testing.assert_array_equal(shift(IMAGE, 50.0, fill=BORDER), BORDER)


def test_half_a_pixel_down_is_the_mean_of_two_rows():
    rows = np.concatenate([BORDER[:1], IMAGE])  # the first blends into what the image is laid on
    half = 0.5 * (rows[:-1] + rows[1:])
    np.testing.assert_allclose(shift(IMAGE, 0.5, fill=BORDER), half, rtol=1e-5)
    np.testing.assert_array_equal(shift(IMAGE, 0.4, fill=BORDER, interpolation="nearest"), IMAGE)


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_quarters_are_those_of_numpy(quarters, size):
    image = IMAGE[:size, :size]
    np.testing.assert_array_equal(rotate(image, 90.0 * quarters, fill=-1.0), np.rot90(image, quarters))


def test_a_turned_dot_goes_counterclockwise():
    image = np.zeros((41, 41, 1), np.float32)
    image[20, 35] = 1  # 15 to the right of the centre
    row, column = np.unravel_index(np.argmax(rotate(image, 30.0)), (41, 41))
    assert abs(row - (20 - 15 * 0.5)) <= 1 and abs(column - (20 + 15 * 0.866)) <= 1


def test_twice_the_size_by_hand():
    ramp = np.broadcast_to(np.arange(9.0, dtype=np.float32)[:, None, None], (9, 9, 1))
    np.testing.assert_allclose(scale(ramp, 2.0)[:, 0, 0], 4 + (np.arange(9) - 4) / 2, rtol=1e-6)
    small = np.asarray(scale(np.ones((9, 9, 1), np.float32), 0.5, fill=-1.0))[..., 0]
    assert (small[3:6, 3:6] == 1).all() and (small[:2] == -1).all()


TRANSFORMS = {"shift": np.array([-2.0, 0, 2]), "scale": np.array([1.0, 1.5]), "rotation": np.array([0.0, 90, 180, 35])}


def test_an_invariant_function_gives_exactly_zero():
    alike = lambda images: {"a": jnp.ones((len(images), 3)), "b": images[..., :1] * 0}  # noqa: E731
    curves = jax.jit(functools.partial(zfjax.invariance_curves, alike, batch_size=4))(IMAGE, TRANSFORMS)
    assert {name: [len(curve) for curve in curves[name].values()] for name in curves} == {
        "shift": [3, 3],
        "scale": [2, 2],
        "rotation": [4, 4],
    }
    assert all((curve == 0).all() for curve in jax.tree.leaves(curves))
    square = IMAGE[:, :9]
    total = lambda images: jnp.round(images).sum((1, 2, 3))[:, None]  # noqa: E731 (whole numbers: no rounding of sums)
    turned = jax.jit(functools.partial(zfjax.invariance_curves, total))(square, {"rotation": np.arange(0, 360, 90.0)})
    assert (turned["rotation"] == 0).all()


def test_distances_are_euclidean_and_in_the_order_of_the_amounts():
    curves = jax.jit(functools.partial(zfjax.invariance_curves, lambda images: images, fill="edge", batch_size=2))
    found = curves(IMAGE, TRANSFORMS)
    for name, chosen in TRANSFORMS.items():
        by_hand = [np.linalg.norm(edge[name](IMAGE, amount) - IMAGE) for amount in chosen]
        np.testing.assert_allclose(found[name], by_hand, rtol=1e-5)
    assert found["shift"][1] == found["scale"][0] == found["rotation"][0] == 0


def test_responses_are_those_of_the_copies():
    mean = jax.jit(functools.partial(responses, lambda images: images.mean((1, 2, 3)), fill=2.0))
    means = mean(np.full((6, 6, 1), 8.0), {"shift": np.array([0.0, 3, -6])})
    np.testing.assert_allclose(means["shift"], [8, 5, 2])
    with pytest.raises(InputError, match="unknown transformation 'shear'; there are shift, scale, rotation"):
        responses(lambda images: images, IMAGE, {"shear": [1.0]})
