"""Methods from gradients, against functions whose answers are known: linear, quadratic and cubic ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zfjax.attribution.copies import moments
from zfjax.attribution.gradients import (
    expected_gradients,
    gradient,
    gradient_x_input,
    integrated_gradients,
    smoothgrad,
    vargrad,
)
from zfjax.errors import InputError

SHAPE, CLASSES, COUNT = (4, 3, 2), 3, 5
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(CLASSES, *SHAPE)).astype(np.float32)
MIXING = RNG.normal(size=(CLASSES, 24, 24)).astype(np.float32)
IMAGES = RNG.normal(size=(COUNT, *SHAPE)).astype(np.float32)
TARGETS = np.array([2, 0, 1, 2, 1])
KEY = jax.random.key(7)
CLOSE = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)


def linear(images):
    return jnp.einsum("nhwc,khwc->nk", images, WEIGHTS) + 3


def quadratic(images):
    flat = images.reshape(len(images), -1)
    return jnp.einsum("ni,kij,nj->nk", flat, MIXING, flat) / 2 + linear(images)


def diagonal(images):
    """Its gradient is weight times pixel, so that every pixel has its own; in the first row the weight alone."""
    return linear(jnp.concatenate([images[:, :1], images[:, 1:] ** 2 / 2], axis=1))


def bent(images):
    return 10 * jnp.tanh(quadratic(images) / 30)


METHODS = {  # functions of f, images, targets, key, batch_size
    "gradient": lambda *given, key, **size: gradient(*given, **size),
    "integrated_gradients": lambda *given, key, **size: integrated_gradients(*given, steps=7, **size),
    "vargrad": functools.partial(vargrad, samples=7),
    "expected_gradients": functools.partial(expected_gradients, samples=7, references=IMAGES[:3]),
}


def test_gradients_of_a_linear_and_of_a_quadratic_function():
    CLOSE(gradient(linear, IMAGES, TARGETS), WEIGHTS[TARGETS])
    symmetric = (MIXING + MIXING.transpose(0, 2, 1))[TARGETS] / 2
    slopes = np.einsum("nij,nj->ni", symmetric, IMAGES.reshape(COUNT, -1)).reshape(IMAGES.shape) + WEIGHTS[TARGETS]
    CLOSE(gradient(quadratic, IMAGES, TARGETS), slopes)
    CLOSE(gradient_x_input(quadratic, IMAGES, TARGETS), slopes * IMAGES)
    unit = np.stack([TARGETS, TARGETS, TARGETS - TARGETS], axis=1)  # of a map: the pixel itself
    np.testing.assert_array_equal(gradient(lambda x: x[:, :3], IMAGES, unit).sum(axis=(1, 2, 3)), np.ones(COUNT))


def test_noise_leaves_a_quadratic_functions_mean_gradient_and_its_variance_is_known():
    options = {"key": KEY, "samples": 400, "noise": 0.2, "batch_size": 50}
    spread = 0.2 * np.ptp(IMAGES, axis=(1, 2, 3)).reshape(-1, 1, 1, 1)
    mean = np.asarray(smoothgrad(diagonal, IMAGES, TARGETS, **options))
    variance = np.asarray(vargrad(diagonal, IMAGES, TARGETS, **options))
    weights = WEIGHTS[TARGETS]
    CLOSE(mean[:, 0], weights[:, 0])
    assert np.abs(variance[:, 0]).max() < 1e-9
    deviations = ((mean - weights * IMAGES) / (np.abs(weights) * spread / np.sqrt(400)))[:, 1:]
    assert abs(deviations.mean()) < 0.4 and 0.8 < deviations.std() < 1.2  # of 90 values, standard normal
    shares = (variance / (weights * spread) ** 2)[:, 1:]
    assert abs(shares.mean() - 1) < 0.03 and 0.05 < shares.std() < 0.1  # sqrt(2 / 400) = 0.07


@pytest.mark.parametrize("baseline", [0.5, IMAGES[1] / 2, IMAGES[::-1]])
def test_integrated_gradients_of_linear_and_quadratic_functions_are_exact(baseline):
    found = integrated_gradients(quadratic, IMAGES, TARGETS, baseline=baseline, steps=3)
    CLOSE(found.attributions, (IMAGES - baseline) * gradient(quadratic, (IMAGES + baseline) / 2, TARGETS))
    CLOSE(found.gap, np.zeros(COUNT))


def test_what_is_missing_to_completeness_is_reported():
    """Of x^3 one point, the middle, sees 3/4; of x^8, whose slope is of degree 7, four points see all."""
    cubes = integrated_gradients(lambda x: (x**3).sum(axis=(1, 2, 3)), IMAGES, None, steps=1)
    CLOSE(cubes.attributions, IMAGES**3 * 3 / 4)
    CLOSE(cubes.gap, -(IMAGES**3).sum(axis=(1, 2, 3)) / 4)
    eighths = integrated_gradients(lambda x: (x**8).sum(axis=(1, 2, 3)), IMAGES / 2, None, steps=4)
    CLOSE(eighths.attributions, (IMAGES / 2) ** 8)
    CLOSE(eighths.gap, np.zeros(COUNT))


def test_expected_gradients_of_a_linear_function_are_from_the_references_drawn():
    zeros = np.stack([np.zeros(SHAPE), np.ones(SHAPE)]).astype(np.float32)
    both = expected_gradients(linear, IMAGES, TARGETS, references=zeros, key=KEY, samples=400, batch_size=64)
    drawn = np.asarray(IMAGES - both / WEIGHTS[TARGETS]).reshape(COUNT, -1)  # how often the ones: all pixels alike
    CLOSE(drawn, np.repeat(drawn[:, :1], 24, axis=1), atol=1e-3)
    assert (np.abs(drawn - 0.5) < 0.1).all() and np.ptp(drawn[:, 0]) > 0.001  # 4 deviations; each image for itself
    squares = expected_gradients(diagonal, IMAGES, TARGETS, references=zeros[:1], key=KEY, samples=400, batch_size=64)
    points = np.asarray(squares / (WEIGHTS[TARGETS] * IMAGES**2))[:, 1:]  # the mean place on the line
    assert (np.abs(points - 0.5) < 4 / np.sqrt(12 * 400)).all()


@functools.cache
def compiled(name, size):
    return jax.jit(lambda images, targets, key: METHODS[name](bent, images, targets, key=key, batch_size=size))


@pytest.mark.parametrize("name", METHODS)
def test_batches_jit_and_vmap_change_nothing(name):
    whole, other = (compiled(name, 64)(IMAGES, targets, KEY) for targets in (TARGETS, 2 - TARGETS))
    assert all(each.dtype == jnp.float32 for each in jax.tree.leaves(whole))
    for size in (1, 3):
        jax.tree.map(CLOSE, compiled(name, size)(IMAGES, TARGETS, KEY), whole)
    several = jax.vmap(compiled(name, 3), in_axes=(None, 0, None))(IMAGES, np.stack([TARGETS, 2 - TARGETS]), KEY)
    jax.tree.map(lambda both, *each: CLOSE(both, np.stack(each)), several, whole, other)


@pytest.mark.parametrize("name", ["vargrad", "expected_gradients"])
def test_what_is_random_depends_on_the_key_and_the_images_number_alone(name):
    method = compiled(name, 64)
    first = method(IMAGES, TARGETS, KEY)
    others = np.concatenate([IMAGES[:2], IMAGES[:1], IMAGES[:2]])
    found = method(others, TARGETS[[0, 1, 0, 0, 1]], KEY)
    CLOSE(found[:2], first[:2])
    assert np.abs(found[2] - found[0]).max() > 1e-3  # the same image and target, another number
    assert np.abs(method(IMAGES, TARGETS, jax.random.key(8)) - first).max() > 1e-3


@pytest.mark.parametrize("copies, batch_size", [(1, 1), (5, 2), (6, 4), (7, 100)])
def test_moments_are_those_of_all_copies_at_once(copies, batch_size):
    offsets = np.float32(1000) + RNG.normal(size=(3, copies)).astype(np.float32)  # small beside the mean
    rows = np.arange(3)
    mean, variance = moments(lambda row, copy: jnp.asarray(offsets)[row, copy], (rows,), copies, batch_size=batch_size)
    np.testing.assert_allclose(mean, offsets.astype(np.float64).mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(variance, offsets.astype(np.float64).var(axis=1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: gradient(linear, IMAGES[0], TARGETS), "images must be floats"),
        (lambda: gradient(linear, IMAGES, TARGETS[:2]), "targets for outputs \\[5, 3\\]"),
        (lambda: gradient(linear, IMAGES, TARGETS, batch_size=0), "batch_size must be"),
        (lambda: smoothgrad(linear, IMAGES, TARGETS, key=3), "the key must be"),
        (lambda: smoothgrad(linear, IMAGES, TARGETS, key=KEY, samples=0), "samples must be"),
        (lambda: vargrad(linear, IMAGES, TARGETS, key=KEY, noise=-1.0), "noise must be"),
        (lambda: integrated_gradients(linear, IMAGES, TARGETS, baseline=np.zeros(5)), "a baseline must broadcast"),
        (lambda: integrated_gradients(linear, IMAGES, TARGETS, baseline="black"), "a baseline must broadcast"),
        (lambda: integrated_gradients(linear, IMAGES, TARGETS, steps=0), "steps must be"),
        (
            lambda: expected_gradients(linear, IMAGES, TARGETS, references=IMAGES[0], key=KEY),
            "references must be \\[R, 4, 3, 2\\], not \\[4, 3, 2\\]",
        ),
        (lambda: expected_gradients(linear, IMAGES, TARGETS, references=IMAGES, key=None), "the key must be"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
