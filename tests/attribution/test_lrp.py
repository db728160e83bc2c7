"""Relevance by hand, what it adds up to, and where it is gradient x input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import pixels, random_params
from oracle import assert_close, compiled_for_one_run, plain_forward

from zfjax.arch import Arch
from zfjax.attribution import lrp as module
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.layers import (
    LRN,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    MaxPool,
    pad,
)

convolved = jax.jit(forward, static_argnums=0)
lrp = jax.jit(module.lrp, static_argnums=0, static_argnames=("rule", "epsilon", "layer", "batch_size"))

TWO_LAYERS = Arch((Dense("hidden", 2), Dense("out", relu=False)), image_size=1, num_classes=2, channels=3)
CHAIN = Arch(
    (
        Conv("conv1", 6, kernel=5, strides=2, padding=pad(1)),
        MaxPool("pool1"),
        Conv("conv2", 8, kernel=3, padding=pad(1), groups=2, relu=False),
        BatchNorm("bn2", relu=True),
        AvgPool("pool2", window=3, strides=2, padding=pad(1), count_include_pad=False),
        Dense("fc3", 7),
        Dropout("drop3"),
        Dense("fc4", relu=False),
    ),
    image_size=23,
    num_classes=4,
)
# Skips, branches, a BatchNorm that stands alone, one with a second reader below it, and signed maps that are added.
GRAPH = Arch(
    (
        Conv("stem", 6, kernel=3, padding=pad(1)),
        Conv("left", 6, kernel=3, padding=pad(1), relu=False),
        BatchNorm("leftbn"),
        Add("sum", inputs=("leftbn", "stem"), relu=True),
        Conv("one", 3, kernel=1),
        Conv("three", 4, kernel=3, padding=pad(1), relu=False, inputs=("sum",)),
        BatchNorm("threebn", relu=True),
        Concat("all", inputs=("one", "threebn", "three", "image")),
        MaxPool("pool", window=2, strides=2),
        BatchNorm("alone"),
        Identity("rectified", relu=True),
        Conv("last", None, kernel=3, relu=False, dilation=2),
        GlobalAvgPool("mean"),
    ),
    image_size=13,
    num_classes=4,
    channels=2,
)
WITH_NORM = Arch(
    (Conv("conv", 5, kernel=3), LRN("norm"), MaxPool("pool"), Dense("fc", relu=False)), image_size=12, num_classes=9
)
NETS = {"chain": CHAIN, "graph": GRAPH, "contrast normalisation": WITH_NORM}
RULES = {"epsilon": {"epsilon": 0.0}, "z+": {"rule": "z+"}}


def unbiased(arch: Arch) -> dict:
    """Random parameters of which none adds anything."""
    return {
        layer: {name: array * (name not in ("bias", "mean")) for name, array in own.items()}
        for layer, own in random_params(arch, 2).items()
    }


@functools.cache
def case(name: str, biased: bool = False):
    arch = NETS[name]
    params = random_params(arch, 2) if biased else unbiased(arch)
    images = pixels(arch, 3)
    if "alone" in params:  # signed, so that what is negative has parts too
        params["alone"]["scale"][::2] *= -1
    logits = np.asarray(convolved(arch, params, images).logits)
    return arch, params, images, logits, logits.argmax(axis=1)


def total(relevance) -> np.ndarray:
    return np.asarray(relevance, np.float64).sum(axis=(1, 2, 3))


def test_two_layers_by_hand():
    """Hidden sums 2*1 + 1*(-1) + 1 = 2 and 2*2 + 1*1 - 1 = 4; output 0 is 3*2 - 1*4 + 1 = 3."""
    kernel = np.array([[1.0, 2.0], [-1.0, 1.0], [5.0, -3.0]], np.float32)
    params = {
        "hidden": {"kernel": kernel, "bias": np.array([1.0, -1.0], np.float32)},
        "out": {"kernel": np.array([[3.0, 1.0], [-1.0, 2.0]], np.float32), "bias": np.array([1.0, 0.0], np.float32)},
    }
    image = np.array([2.0, 1.0, 0.0], np.float32).reshape(1, 1, 1, 3)
    # epsilon 0: hidden 3*2 * 3/3 = 6 and -4; pixel 0: 2/2 * 6 + 4/4 * -4 = 2; pixel 1: -1/2 * 6 + 1/4 * -4 = -4
    by_epsilon = lrp(TWO_LAYERS, params, image, np.array([0]), rule="epsilon", epsilon=0.0)
    np.testing.assert_allclose(np.ravel(by_epsilon), [2.0, -4.0, 0.0], rtol=1e-6)
    # epsilon 1: hidden 6 * 3/4 = 4.5 and -4 * 3/4 = -3; pixel 0: 2/3 * 4.5 + 4/5 * -3; pixel 1: -1/3 * 4.5 + 1/5 * -3
    by_one = lrp(TWO_LAYERS, params, image, np.array([0]), rule="epsilon", epsilon=1.0)
    np.testing.assert_allclose(np.ravel(by_one), [0.6, -2.1, 0.0], rtol=1e-6)
    turned = params | {"out": {name: -array for name, array in params["out"].items()}}
    by_one = lrp(TWO_LAYERS, turned, image, np.array([0]), rule="epsilon", epsilon=1.0)
    np.testing.assert_allclose(np.ravel(by_one), [-0.6, 2.1, 0.0], rtol=1e-6)
    # z+: output 0 has one positive part, hidden 0, and that has one, pixel 0
    np.testing.assert_allclose(np.ravel(lrp(TWO_LAYERS, params, image, np.array([0]), rule="z+")), [3.0, 0.0, 0.0])
    # output 1 is 1*2 + 2*4 = 10: hidden 2 and 8, pixel 0 has 2 + 4/5 * 8, pixel 1 has 1/5 * 8
    second = lrp(TWO_LAYERS, params, image, np.array([1]), rule="z+")
    np.testing.assert_allclose(np.ravel(second), [8.4, 1.6, 0.0], rtol=1e-6)
    # pixel 2 at -1, with weights 5 and -3: hidden 0 is cut off, and of the 7 of hidden 1 it has the part 3 of 8
    below = lrp(TWO_LAYERS, params, np.where(image == 0, np.float32(-1), image), np.array([1]), rule="z+")
    np.testing.assert_allclose(np.ravel(below), [14 * 4 / 8, 14 * 1 / 8, 14 * 3 / 8], rtol=1e-6)


@pytest.mark.parametrize("name", ["chain", "graph"])
def test_epsilon_is_gradient_times_input_without_biases(name):
    arch, params, images, _, targets = case(name)
    relevance = lrp(arch, params, images, targets, epsilon=0.0)

    @compiled_for_one_run
    def gradient(images):
        last = arch.layer_names[-1]

        def output(images):
            maps = plain_forward(arch, params, images, relu=jax.nn.relu)
            return maps[last].reshape(3, -1)[np.arange(3), targets].sum()

        return jax.grad(output)(images)

    assert_close(relevance, np.asarray(gradient(images)) * images, 2e-4)


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize("rule", ["epsilon", "z+"])
def test_relevance_adds_up_to_the_output(name, rule):
    arch, params, images, logits, targets = case(name)
    relevance = lrp(arch, params, images, targets, **RULES[rule])
    size = np.abs(np.asarray(relevance)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose((total(relevance) - logits.max(axis=1)) / size, 0.0, atol=1e-5)


@pytest.mark.parametrize("name", sorted(NETS))
def test_positive_parts_have_the_sign_of_the_output(name):
    arch, params, images, logits, highest = case(name, biased=True)
    least = logits.argmin(axis=1)
    assert logits.max(axis=1).min() > 0 > logits.min(axis=1).max()
    positive = np.asarray(lrp(arch, params, images, highest, rule="z+"))
    assert positive.min() >= 0 and (positive.max(axis=(1, 2, 3)) > 0).all()
    assert np.asarray(lrp(arch, params, images, least, rule="z+")).max() <= 0


def test_a_merged_norm_shares_as_the_two_layers_would_one_after_the_other():
    """By hand: weights 1 and -2, a slope of -3, a shift of 10; with "z+" the second pixel alone has a positive part."""
    arch = Arch((Dense("fc", relu=False, bias=None), BatchNorm("bn", eps=0.0)), image_size=1, num_classes=1, channels=2)
    values = {"scale": -3.0, "bias": 10.0, "mean": 0.0, "var": 1.0}
    norm = {name: np.full(1, value, np.float32) for name, value in values.items()}
    params = {"fc": {"kernel": np.array([[1.0], [-2.0]], np.float32)}, "bn": norm}
    image = np.array([4.0, 1.0], np.float32).reshape(1, 1, 1, 2)  # the product -3 * (4 - 2) + 10 = 4
    np.testing.assert_allclose(np.ravel(lrp(arch, params, image, np.array([0]), epsilon=0.0)), [-12.0, 6.0])
    np.testing.assert_allclose(np.ravel(lrp(arch, params, image, np.array([0]), rule="z+")), [0.0, 4.0])


@pytest.mark.parametrize("rule", ["epsilon", "z+"])
def test_a_unit_within_the_network_and_its_window(rule):
    arch, params, images, *_ = case("graph")
    units = np.array([[0, 0, 1], [4, 7, 0], [12, 12, 5]])
    values = convolved(arch, params, images).activations["left"][np.arange(3), *units.T]
    relevance = np.asarray(lrp(arch, params, images, units, layer="left", **RULES[rule]))
    rows, columns = np.ogrid[:13, :13]
    for map_, (row, col, _) in zip(np.abs(relevance).sum(axis=3), units, strict=True):
        assert map_.max() > 0 and not map_[(abs(rows - row) > 2) | (abs(columns - col) > 2)].any()
    np.testing.assert_allclose(total(relevance), values, rtol=1e-4)


def test_batches_change_nothing():
    arch, params, images, _, targets = case("contrast normalisation", biased=True)
    whole = lrp(arch, params, images, targets, rule="z+")
    assert_close(lrp(arch, params, images, targets, rule="z+", batch_size=2), whole)


def test_what_cannot_be_explained_is_refused():
    arch, params, images, *_ = case("chain")
    for options, words in (
        ({"rule": "gamma"}, "rule is 'epsilon' or 'z\\+', not 'gamma'"),
        ({"epsilon": -1.0}, "epsilon must be a number from 0 on, not -1.0"),
        ({"layer": "conv9"}, "unknown layer 'conv9'"),
        ({"layer": "conv1"}, "targets"),
        ({"targets": np.array([0, 1, 4])}, "targets"),
        ({"targets": None}, "targets"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 on, not 0"),
        ({"images": images[..., :2]}, "takes images"),
        ({"params": random_params(GRAPH)}, "the parameters are not those of"),
    ):
        with pytest.raises(InputError, match=words):
            module.lrp(**{"arch": arch, "params": params, "images": images, "targets": np.zeros(3, int), **options})


def test_it_is_traced_with_its_targets():
    arch, params, images, _, targets = case("contrast normalisation", biased=True)
    each = jax.vmap(lambda image, target: module.lrp(arch, params, image[None], target[None], rule="z+")[0])
    plain = lrp(arch, params, images, targets, rule="z+")
    assert_close(jax.jit(each)(jnp.asarray(images), jnp.asarray(targets)), plain)
