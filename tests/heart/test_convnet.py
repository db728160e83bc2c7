"""The module: names, shapes, types, dropout, initial values, and a forward pass in float32 and bfloat16."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import ODD, TINY, pixels, random_params
from oracle import compiled_for_one_run, plain_forward
from runs import finish, one_cpu, start

from zfjax import convnet
from zfjax.arch import Arch
from zfjax.convnet import ConvNet, init_params
from zfjax.layers import Dense, Dropout
from zfjax.recipe import Recipe
from zfjax.rows import STATISTICS
from zfjax.runtime.xla import options_for_one_run
from zfjax.zoo import ARCHS, get_arch

forward = jax.jit(convnet.forward, static_argnums=0)
# As trainings draw weights: operation by operation each array would be compiled with all care.
draw = jax.jit(init_params, static_argnums=1, compiler_options=options_for_one_run("cpu"))


@pytest.mark.parametrize("name", [name for name in ARCHS if len(ARCHS[name].layers) < 60])  # the long ones take seconds
def test_shapes_and_parameters_agree_with_the_table(name):
    arch = ARCHS[name]
    images = jax.ShapeDtypeStruct((2, arch.image_size, arch.image_size, arch.channels), jnp.float32)
    params, fwd = jax.eval_shape(
        lambda key, x: ((p := init_params(key, arch)), forward(arch, p, x)), jax.random.key(0), images
    )
    trained = {(layer, name): leaf for layer, own in params.items() for name, leaf in own.items()}
    trained = {key: leaf for key, leaf in trained.items() if key[1] not in STATISTICS}
    assert sum(leaf.size for leaf in trained.values()) == arch.param_count()
    assert {layer: maps.shape[1:] for layer, maps in fwd.activations.items()} == arch.shapes()
    assert fwd.logits.shape == (2, arch.num_classes)
    assert all(switches.dtype == jnp.uint8 for switches in fwd.switches.values())


@pytest.mark.parametrize("arch", [TINY, ODD])
def test_forward_equals_plain_lax(arch):
    params, images = random_params(arch), pixels(arch)
    fwd = forward(arch, params, images)
    expected = compiled_for_one_run(functools.partial(plain_forward, arch))(params, images)
    for layer in arch.layer_names:
        np.testing.assert_allclose(fwd.activations[layer], expected[layer], rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(fwd.logits, fwd.activations[arch.layer_names[-1]][:, 0, 0])


def test_bfloat16_keeps_parameters_and_logits_wide():
    params, images = random_params(TINY), pixels(TINY)
    narrow = jax.jit(ConvNet(TINY, jnp.bfloat16).apply)({"params": params}, images)
    assert narrow.activations["conv3"].dtype == jnp.bfloat16 and narrow.logits.dtype == jnp.float32
    wide = forward(TINY, params, images).logits
    assert jnp.abs(narrow.logits - wide).max() < 0.05 * jnp.abs(wide).max()


def test_dropout_is_for_training_only():
    arch = Arch((Dense("fc1", 400), Dropout("drop1"), Dense("fc2", relu=False)), image_size=8, num_classes=3)
    params, images, net = random_params(arch), pixels(arch), ConvNet(arch)
    calm = net.apply({"params": params}, images)
    np.testing.assert_array_equal(calm.activations["drop1"], calm.activations["fc1"])
    wild = net.apply({"params": params}, images, train=True, rngs={"dropout": jax.random.key(0)})
    alive = wild.activations["fc1"] > 0
    kept = wild.activations["drop1"][alive] / wild.activations["fc1"][alive]
    assert set(np.unique(kept.round(3))) == {0.0, 2.0} and 0.4 < (kept > 0).mean() < 0.6


def test_paper_initialisation():
    arch = get_arch("alexnet", image_size=67, num_classes=10)
    params = draw(jax.random.key(0), arch)
    assert np.std(params["conv3"]["kernel"]) == pytest.approx(0.01, rel=0.01)
    starts = {layer: float(values["bias"][0]) for layer, values in params.items()}
    assert starts == {"conv1": 0, "conv2": 1, "conv3": 0, "conv4": 1, "conv5": 1, "fc6": 1, "fc7": 1, "fc8": 0}


def test_biases_start_at_zero_where_the_weights_carry_the_signal():
    arch = get_arch("alexnet", image_size=67, num_classes=10, width=1 / 48)
    params = draw(jax.random.key(0), dataclasses.replace(arch, recipe=Recipe(init="he")))
    assert all((layer["bias"] == 0).all() for layer in params.values())


@pytest.mark.parametrize(("init", "scale"), [("he", 1.0), ("he", 1 / 255), ("glorot", 1 / 255)])
def test_activations_neither_explode_nor_vanish_at_the_start(init, scale):
    arch = dataclasses.replace(TINY, recipe=Recipe(init=init), input_scale=scale)
    fwd = forward(arch, draw(jax.random.key(0), arch), pixels(arch) * scale)
    assert 1e-2 < jnp.std(fwd.activations["fc4"]) < 10


def test_images_of_another_size_are_named():
    with pytest.raises(ValueError, match=r"takes images \[N, 40, 40, 3\], not float32 \[2, 33, 33, 1\]"):
        forward(TINY, random_params(TINY), pixels(ODD))


AS_SHIPPED = """
import jax, numpy as np
from zfjax.arch import Arch
from zfjax.convnet import ConvNet, init_params
from zfjax.layers import BatchNorm, Conv
from zfjax.recipe import Recipe
from zfjax.runtime.xla import options_for_one_run

layers = (Conv("conv1", 9, kernel=3, strides=2, relu=False), BatchNorm("bn1"))
arch = Arch(layers, image_size=9, recipe=Recipe(init="he"))
whole = jax.jit(ConvNet(arch).init)(jax.random.key(5), np.zeros((2, 9, 9, 3), np.float32))["params"]
draw = jax.jit(init_params, static_argnums=1, compiler_options=options_for_one_run("cpu"))
jax.tree.map(np.testing.assert_array_equal, draw(jax.random.key(5), arch), whole)
"""


def test_weights_are_drawn_without_the_layers_and_compiled_in_a_hurry_to_the_same_bits():
    """Those of a training are; as ConvNet alone would draw them, and as what is compiled with all care, which these
    tests do not do themselves."""
    ended = finish(start("-c", AS_SHIPPED, env=one_cpu()))
    assert ended.code == 0, ended.errors
    assert not options_for_one_run("cuda")
