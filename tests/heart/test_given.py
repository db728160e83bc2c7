"""Activations that are taken as they are given: what follows, and gradients to them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import pixels, random_params

from zfjax.arch import Arch
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.layers import Add, BatchNorm, Concat, Conv, Dense, MaxPool, pad

AROUND = Arch(  # "left" has a path around it, by which the stem reaches the top too
    layers=(
        Conv("stem", 5, kernel=3, padding=pad(1)),
        MaxPool("pool"),
        Conv("left", 4, kernel=3, padding=pad(1), relu=False),
        BatchNorm("leftbn", relu=True),
        Conv("right", 4, kernel=1, inputs=("pool",)),
        Add("sum", inputs=("leftbn", "right"), relu=True),
        Concat("all", inputs=("sum", "pool")),
        Dense("fc", relu=False),
    ),
    image_size=12,
    num_classes=3,
)
PARAMS, IMAGES = random_params(AROUND), pixels(AROUND, 2)
run = jax.jit(functools.partial(forward, AROUND))


def shifted(layer: str, shift: jax.Array) -> dict:
    """Parameters with another bias of a layer."""
    own = PARAMS[layer]
    return {**PARAMS, layer: {**own, "bias": own["bias"] + shift}}


@pytest.mark.parametrize("layer", ["stem", "left", "right"])
def test_what_follows_is_that_of_a_network_which_computes_the_activation(layer):
    other = run(shifted(layer, jnp.linspace(1, 2, len(PARAMS[layer]["bias"]))), IMAGES)
    ours = run(PARAMS, IMAGES, given={layer: other.activations[layer]})
    assert np.abs(other.logits - run(PARAMS, IMAGES).logits).max() > 0.1
    for name in AROUND.layer_names:
        np.testing.assert_array_equal(ours.activations[name], other.activations[name])
    np.testing.assert_array_equal(ours.logits, other.logits)


def test_its_gradient_adds_up_to_the_bias_gradient():
    """Of a layer without a ReLU; autodiff of the network as it is."""

    def by_bias(shift):
        return forward(AROUND, shifted("left", shift), IMAGES).logits[:, 1].sum()

    def by_map(maps):
        return forward(AROUND, PARAMS, IMAGES, given={"left": maps}).logits[:, 1].sum()

    expected = jax.jit(jax.grad(by_bias))(jnp.zeros(4))
    slopes = jax.jit(jax.grad(by_map))(run(PARAMS, IMAGES).activations["left"])
    np.testing.assert_allclose(slopes.sum(axis=(0, 1, 2)), expected, rtol=1e-4, atol=1e-5)
    assert np.count_nonzero(np.abs(expected) > 0.01) >= 3


def test_a_pool_that_is_given_has_no_switches_and_the_last_layer_is_the_logits():
    seen = run(PARAMS, IMAGES)
    ours = run(PARAMS, IMAGES, given={"pool": seen.activations["pool"], "fc": seen.activations["fc"] + 1})
    assert not ours.switches and seen.switches
    np.testing.assert_array_equal(ours.logits, seen.logits + 1)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"lefft": np.zeros((2, 6, 6, 4))}, "unknown layer 'lefft'"),
        ({"left": np.zeros((1, 6, 6, 4), np.float32)}, "left of these images is \\[2, 6, 6, 4\\], not float32 \\[1, 6"),
        ({"left": None}, "not a value of type NoneType"),
    ],
)
def test_what_is_no_activation_of_these_images_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        forward(AROUND, PARAMS, IMAGES, given=given)
