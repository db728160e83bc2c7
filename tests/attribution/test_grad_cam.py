"""Grad-CAM by hand on two maps, and on a network with a path around the layer against its biases' gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import pixels, random_params
from oracle import compiled_for_one_run

from zfjax.arch import Arch
from zfjax.attribution.grad_cam import grad_cam, guided_grad_cam, halves
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.layers import Add, Conv, Dense, GlobalAvgPool, pad

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 4, 6, 1)).astype(np.float32)
TARGETS = np.array([0, 1, 1, 0])
HEAD = RNG.normal(size=(2, 2, 3, 2)).astype(np.float32)  # class, row, column, map


def features(images):
    """Means of 2x2 pixels, and their squares: [N, 2, 3, 2]."""
    means = images.reshape(len(images), 2, 2, 3, 2).mean(axis=(2, 4))
    return jnp.stack([means, means**2], axis=-1)


def head(maps, images):
    del images
    return jnp.einsum("nhwk,chwk->nc", maps, HEAD)


def enlarged(length: int) -> np.ndarray:
    """[2 length, length]: bilinear, a quarter of the way from one middle to the next; the border as it is."""
    places = np.clip((np.arange(2 * length) + 0.5) / 2 - 0.5, 0, length - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(length)))


def by_hand(rectify: bool) -> np.ndarray:
    maps, weights = np.asarray(features(IMAGES)), HEAD[TARGETS].mean(axis=(1, 2))
    cam = maps[..., 0] * weights[:, 0, None, None] + maps[..., 1] * weights[:, 1, None, None]
    return enlarged(2) @ (np.maximum(cam, 0) if rectify else cam) @ enlarged(3).T


def test_two_maps_by_hand():
    found = grad_cam(features, head, IMAGES, TARGETS)
    assert found.dtype == jnp.float32 and found.shape == (4, 4, 6)
    np.testing.assert_allclose(found, by_hand(True), rtol=1e-5, atol=1e-6)
    against = grad_cam(features, head, IMAGES, TARGETS, rectify=False)
    np.testing.assert_allclose(against, by_hand(False), rtol=1e-5, atol=1e-6)
    assert np.min(against) < -0.1


@pytest.mark.parametrize("batch_size", [1, 3, 9])
def test_batches_jit_and_vmap_change_nothing(batch_size):
    method = jax.jit(functools.partial(grad_cam, features, head, batch_size=batch_size))
    np.testing.assert_allclose(method(IMAGES, TARGETS), by_hand(True), rtol=1e-5, atol=1e-6)
    both = jax.vmap(method, in_axes=(None, 0))(IMAGES, np.stack([TARGETS, TARGETS]))
    np.testing.assert_allclose(both, np.stack([by_hand(True)] * 2), rtol=1e-5, atol=1e-6)


def test_guided_is_the_product():
    guided = RNG.normal(size=IMAGES.shape).astype(np.float32)
    found = guided_grad_cam(features, head, IMAGES, TARGETS, guided, batch_size=3)
    np.testing.assert_allclose(found, by_hand(True)[..., None] * guided, rtol=1e-5, atol=1e-6)


def test_a_network_with_a_path_around_the_layer():
    """The mean gradient of a map of a layer without ReLU is that of its bias, a place's share."""
    layers = (
        Conv("stem", 4, kernel=3, padding=pad(1)),
        Conv("left", 4, kernel=3, padding=pad(1), relu=False),
        Add("sum", inputs=("left", "stem"), relu=True),
        GlobalAvgPool("mean"),
        Dense("fc", relu=False),
    )
    arch = Arch(layers, image_size=8, num_classes=3)
    params, images, targets = random_params(arch), pixels(arch, 3), np.array([2, 0, 1])

    def score(bias, image, target):
        own = {**params["left"], "bias": bias}
        return forward(arch, {**params, "left": own}, image[None]).logits[0, target]

    slopes = compiled_for_one_run(jax.vmap(jax.grad(score), in_axes=(None, 0, 0)))
    weights = slopes(params["left"]["bias"], images, targets) / 64
    maps = compiled_for_one_run(functools.partial(forward, arch))(params, images).activations["left"]
    expected = np.maximum(np.einsum("nk,nhwk->nhw", weights, maps), 0)
    found = jax.jit(functools.partial(grad_cam, *halves(arch, params, "left")))(images, targets)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())
    assert expected.max() > 0


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: grad_cam(features, head, IMAGES[..., 0], TARGETS), "images must be floats"),
        (lambda: grad_cam(features, head, IMAGES, TARGETS[:3]), "must be int \\[4\\]"),
        (lambda: grad_cam(features, head, IMAGES, TARGETS + 1), "not at \\[2\\]"),
        (lambda: grad_cam(lambda x: x[:, 0, 0], lambda x, _: x, IMAGES, TARGETS * 0), "features must be maps"),
        (lambda: grad_cam(features, head, IMAGES, TARGETS, batch_size=0), "batch_size"),
        (lambda: guided_grad_cam(features, head, IMAGES, TARGETS, IMAGES[:2]), "guided must be of the images' shape"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
