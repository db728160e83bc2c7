"""Pictures found by going uphill: their spectrum, colours and moves by hand, and functions whose largest is known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.tree_util import Partial
from nets import random_params

from zfjax.arch import Arch
from zfjax.attribution.maximise import colours, fourier
from zfjax.attribution.maximise.adam import Moments, ascend
from zfjax.attribution.maximise.ascent import maximise
from zfjax.attribution.maximise.moves import GREY, Moves, moved
from zfjax.attribution.maximise.objectives import likeness, objective
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.layers import Conv, MaxPool

STILL = Moves(0, 0, 0, 0)
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [6, 7])
def test_the_spectrum_of_a_picture_gives_the_picture(size):
    picture = RNG.normal(size=(2, size, size, 3)).astype(np.float32)
    waves = np.fft.rfft2(picture, axes=(1, 2)) / fourier.scales(size, 1.0)
    spectrum = np.stack([waves.real, waves.imag], axis=1).astype(np.float32)
    assert spectrum.shape[1:] == fourier.spectrum_shape(size, 3)
    np.testing.assert_allclose(fourier.planes(spectrum, 1.0), picture, atol=1e-5)


def test_scales_by_hand():
    """Of 4x4: the constant counts as the slowest wave, 1/4 cycles a pixel; the fastest has 1/2 on both axes."""
    by_one, flat = fourier.scales(4, 1.0)[:, :, 0] / 4, fourier.scales(4, 0.0)[:, :, 0] / 4
    slow, fast, both, quick = 4.0, 2.0, 8**0.5, 2**0.5
    mixed = 1 / (1 / 16 + 1 / 4) ** 0.5
    expected = [[slow, slow, fast], [slow, both, mixed], [fast, mixed, quick], [slow, both, mixed]]
    np.testing.assert_allclose(by_one, np.array(expected), rtol=1e-6)
    np.testing.assert_array_equal(flat, 1.0)


def test_colours_have_the_covariance_of_the_pictures():
    pictures = RNG.uniform(0, 255, (3, 5, 4, 3)).astype(np.float32) @ np.array([[1, 0.5, 0.2], [0, 1, 0.3], [0, 0, 1]])
    mixing = np.asarray(colours.mixing_of(pictures))
    covariance = np.cov(pictures.reshape(-1, 3).T / 255, bias=True)
    np.testing.assert_allclose(mixing @ mixing.T, covariance, rtol=1e-4)
    independent = RNG.normal(size=(50_000, 3)).astype(np.float32)
    seen = np.cov(np.asarray(colours.mixed(independent, mixing)).T)
    longest = np.square(mixing).sum(axis=0).max()
    np.testing.assert_allclose(seen, covariance / longest, atol=0.03)
    grey = colours.mixing_of(pictures[..., :1])
    np.testing.assert_allclose(grey, [[(pictures[..., 0] / 255).std()]], rtol=1e-4)
    np.testing.assert_array_equal(colours.mixed(independent[:, :1], grey), independent[:, :1])


def test_colours_of_imagenet_by_hand():
    """The first column, light, is the longest: (0.26^2 + 0.27^2 + 0.27^2)^0.5 = 0.4620."""
    np.testing.assert_allclose(
        colours.mixed(jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), colours.IMAGENET),
        [[0.5628, 0.5845, 0.5845], [0.1948, 0.0, -0.1948]],
        atol=1e-4,
    )


def test_no_move_is_none_and_shifts_are_slices():
    pictures, keys = RNG.uniform(0, 255, (32, 9, 9, 2)).astype(np.float32), jax.random.split(KEY, 32)
    np.testing.assert_array_equal(moved(pictures, keys, STILL), pictures)
    moves = Moves(0.3, 0, 0, 0.2)  # of 9 pixels: up to 3, and up to 2 more
    found, matrices = jax.jit(
        lambda: (moved(pictures, keys, moves), jax.vmap(lambda key: moves.matrix(key, 9))(keys))
    )()
    np.testing.assert_array_equal(matrices[:, :, :2], np.broadcast_to(np.eye(2), (32, 2, 2)))
    shifts = np.asarray(matrices[:, :, 2])
    assert np.unique(shifts).tolist() == [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
    for picture, shift, actual in zip(pictures, shifts.astype(int) + 5, found, strict=True):
        wide = np.pad(picture, ((5, 5), (5, 5), (0, 0)), constant_values=GREY)
        np.testing.assert_allclose(actual, wide[shift[0] : shift[0] + 9, shift[1] : shift[1] + 9], rtol=1e-6)


def test_moves_reach_their_bounds_and_no_further():
    moves = Moves(0, 0.3, 90, 0)
    linear = np.asarray(jax.jit(jax.vmap(lambda key: moves.matrix(key, 9)))(jax.random.split(KEY, 64)))[:, :, :2]
    factors, angles = 1 / np.sqrt(np.linalg.det(linear)), np.degrees(np.arctan2(linear[:, 0, 1], linear[:, 0, 0]))
    for amounts, bound in ((factors - 1, 0.3), (angles, 90)):
        assert -bound * 1.0001 <= amounts.min() < -0.9 * bound and 0.9 * bound < amounts.max() <= bound * 1.0001


def test_adam_is_that_of_optax():
    values = jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32)
    moments, tx = Moments(jnp.zeros_like(values), jnp.zeros_like(values)), optax.adam(0.03)
    theirs, state = values, tx.init(values)
    for step in range(3):
        gradient = jnp.asarray(RNG.normal(size=(3, 4)), jnp.float32)
        values, moments = ascend(values, gradient, moments, jnp.asarray(step), 0.03)
        updates, state = tx.update(-gradient, state)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(values, theirs, rtol=1e-5)


def test_objectives_by_hand():
    maps = jnp.asarray(RNG.normal(size=(2, 3, 4, 5)), jnp.float32)
    np.testing.assert_allclose(
        objective(lambda x: x, np.array([1, 4]))(maps), [maps[0, ..., 1].mean(), maps[1, ..., 4].mean()], rtol=1e-5
    )
    np.testing.assert_array_equal(
        objective(lambda x: x, np.array([[0, 1, 2], [2, 3, 4]]))(maps), [maps[0, 0, 1, 2], maps[1, 2, 3, 4]]
    )
    np.testing.assert_array_equal(
        objective(lambda x: x[:, 0, 0], np.array([1, 4]))(maps), [maps[0, 0, 0, 1], maps[1, 0, 0, 4]]
    )


def test_likeness_by_hand():
    """Gram matrices [[2, 0], [0, 0]], [[1, 1], [1, 1]] and [[0, 0], [0, 1]]: cosines 1/2, 0 and 1/2."""
    maps = jnp.array([[[1, 0], [1, 0]], [[1, 1], [0, 0]], [[0, 0], [0, -1]]], jnp.float32)[:, None]
    alike = jax.jit(likeness)
    np.testing.assert_allclose(alike(maps, jnp.array([7, 7, 7])), [0.5, 1.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(alike(maps, jnp.array([7, 7, 8])), [0.5, 0.5, 0.0], rtol=1e-6)
    np.testing.assert_allclose(alike(maps, jnp.array([[0, 1, 7], [1, 1, 7], [1, 1, 7]])), [0, 0.5, 0.5], rtol=1e-6)
    silent = jax.jit(jax.grad(lambda maps: likeness(maps, jnp.array([1, 1, 1])).sum()))(jnp.zeros_like(maps))
    np.testing.assert_array_equal(silent, 0)


def linear(weights, pictures):
    """Two outputs of one-channel pictures: their product with the weights, and with the negative ones."""
    value = (pictures[..., 0] * weights[None]).sum(axis=(1, 2))
    return jnp.stack([value, -value], axis=1)


def test_the_largest_of_a_linear_function_is_black_and_white():
    rng = np.random.default_rng(1)
    weights = (rng.choice([-1, 1], (8, 8)) * rng.uniform(0.5, 1.5, (8, 8))).astype(np.float32)
    options = {"moves": STILL, "decay": 0.0, "learning_rate": 0.5}  # all frequencies alike
    found = maximise(Partial(linear, weights), np.array([0, 1]), size=8, channels=1, key=KEY, **options)
    positive = weights > 0
    np.testing.assert_array_equal(np.asarray(found.pictures[..., 0]) > 0.5, [positive, ~positive])
    largest = 255 * np.array([weights[positive].sum(), -weights[~positive].sum()])
    assert (np.asarray(found.end) > 0.98 * largest).all()
    assert (np.asarray(found.start) < 0.6 * largest).all() and found.values.shape == (128, 2)
    np.testing.assert_array_equal(found.values[0], found.start)
    np.testing.assert_allclose(linear(weights, 255 * found.pictures)[np.arange(2), np.arange(2)], found.end, rtol=1e-5)


def bright(pictures):
    """Rectified: more than the start's grey anywhere, and nothing at all below."""
    return jax.nn.relu(pictures[..., :1] - 140).mean(axis=(1, 2))


def test_a_start_without_direction_is_drawn_again_louder():
    found = maximise(bright, np.zeros(3, int), size=8, key=KEY, steps=40, moves=STILL)
    np.testing.assert_array_equal(found.start, 0)
    assert (np.asarray(found.end) > 25).all()


SMALL = Arch(
    (Conv("conv1", 4, kernel=3, strides=2), MaxPool("pool1", window=2), Conv("conv2", 4, kernel=3)),
    image_size=16,
    num_classes=4,
)


@functools.cache
def maps():
    """The maps of a small network."""
    params = random_params(SMALL)
    return Partial(lambda params, pictures: forward(SMALL, params, pictures - 127.5).activations["conv2"], params)


def made(targets, **options):
    return maximise(maps(), targets, **{"size": 16, "key": KEY, "steps": 12, "learning_rate": 0.1, **options})


def test_channels_become_far_larger_than_in_random_pictures():
    targets = np.array([0, 1, 3])
    found = made(targets, progress=(told := []).append)
    random = np.random.default_rng(2).uniform(0, 255, (500, 16, 16, 3)).astype(np.float32)
    noise = np.asarray(jax.jit(maps())(random)).mean(axis=(1, 2))[:, targets]
    assert (np.asarray(found.end) > 1.3 * noise.max(axis=0)).all()
    assert told == [8, 12]
    assert found.pictures.shape == (3, 16, 16, 3) and 0 <= found.pictures.min() <= found.pictures.max() <= 1


def test_a_picture_depends_on_the_key_and_on_its_place_alone():
    targets = np.array([0, 1, 3])
    found = made(targets)
    np.testing.assert_array_equal(made(targets).pictures, found.pictures)
    np.testing.assert_allclose(made(targets, batch_size=2).pictures, found.pictures, atol=1e-3)
    assert np.abs(made(targets, key=jax.random.key(1)).pictures - found.pictures).max() > 0.05
    traced = jax.jit(lambda key: made(targets[:2], key=key))(KEY)
    np.testing.assert_allclose(traced.pictures, found.pictures[:2], atol=1e-3)
    np.testing.assert_allclose(traced.values, found.values[:, :2], rtol=1e-2)


def test_each_step_moves_each_picture_anew():
    """A picture that no step changes, whose middle pixel changes with the moves alone."""
    options = {"size": 8, "key": KEY, "steps": 8, "learning_rate": 0.0, "moves": Moves(0.5, 0, 0, 0)}
    values = maximise(lambda pictures: pictures[:, 4, 4], np.array([0, 0]), **options).values
    assert [len(np.unique(each)) > 3 for each in np.asarray(values).T] == [True, True]


def test_diversity_makes_pictures_of_one_target_differ():
    same = np.array([3, 3, 3])
    alike_at = jax.jit(lambda pictures: likeness(maps()(pictures), jnp.asarray(same)))

    def alike(found):
        return float(alike_at(np.asarray(255 * found.pictures)).mean())

    assert alike(made(same, diversity=1e3)) < alike(made(same)) - 0.1


def test_what_cannot_be_made_is_refused():
    logits = Partial(linear, np.ones((8, 8), np.float32))
    for options, words in (
        ({"targets": np.array([0, 2])}, "targets"),
        ({"targets": 1}, "targets must be int \\[N\\] or \\[N, 3\\], one for each picture, not \\[\\]"),
        ({"key": 0}, "the key must be one of JAX"),
        ({"size": 0}, "size must be a whole number from 1 on, not 0"),
        ({"learning_rate": -1}, "learning_rate must be a number from 0 on, not -1"),
        ({"mixing": np.eye(3)}, "mixing is \\[1, 1\\] for 1 channels, not \\[3, 3\\]"),
        ({"diversity": 1.0}, "diversity is measured in maps"),
        ({"diversity": 1.0, "batch_size": 1, "features": lambda x: x}, "need a batch_size of 2 or more"),
    ):
        given = {"f": logits, "targets": np.array([0, 1]), "size": 8, "channels": 1, "key": KEY, **options}
        with pytest.raises(InputError, match=words):
            maximise(**given)
    with pytest.raises(InputError, match="rotation of moves is a number in 0..180, not 200"):
        Moves(rotation=200)
    with pytest.raises(InputError, match="colours are measured on pictures"):
        colours.mixing_of(np.zeros((3, 3)))
