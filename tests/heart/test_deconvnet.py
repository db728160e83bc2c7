"""The deconvnet against autodiff with ReLU's gradient replaced, written without any of the deconvnet's own code."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import ODD, TINY, pixels, random_params, without_relu
from oracle import assert_close, compiled_for_one_run, guided_relu, oracle, some_units

from zfjax import convnet, deconvnet
from zfjax.deconvnet import Units, strongest
from zfjax.errors import InputError
from zfjax.ops import local_response_norm
from zfjax.zoo import get_arch

# Operation by operation, every new shape would be compiled for itself: four times slower in all.
forward = jax.jit(convnet.forward, static_argnums=0)
project = jax.jit(deconvnet.project, static_argnums=(0, 3), static_argnames=("overlap", "norm", "seed", "rectify"))
paste = jax.jit(deconvnet.paste, static_argnums=1)
project_map = jax.jit(deconvnet.project_map, static_argnums=(0, 3), static_argnames="overlap")


@functools.cache
def case(arch, seed=0):
    params, images = random_params(arch, seed), pixels(arch, seed=seed)
    return params, images, forward(arch, params, images)


@pytest.mark.parametrize(
    ("arch", "layer"), [(TINY, name) for name in TINY.layer_names] + [(ODD, name) for name in ODD.layer_names]
)
def test_projection_equals_autodiff_with_relu_replaced(arch, layer):
    params, images, fwd = case(arch)
    units = some_units(arch, layer)
    projection = project(arch, params, fwd, layer, units)
    field = arch.receptive_field(layer).size
    assert projection.pixels.shape == (7, field, field, arch.channels)
    assert_close(paste(projection, arch.image_size), oracle(arch, params, images, layer, units))


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "conv4", "conv5", "fc7"])
def test_full_size_zf_windowed_and_whole_equal_autodiff(layer):
    arch = get_arch("zf", num_classes=10)
    params, images, fwd = case(arch)
    units = some_units(arch, layer, count=2)
    expected = oracle(arch, params, images, layer, units)
    assert_close(paste(project(arch, params, fwd, layer, units), 224), expected)
    maps = np.asarray(fwd.activations[layer])
    where = (units.image, units.row, units.col, units.channel)
    lone = np.zeros((4, *maps.shape[1:]), np.float32)
    lone[np.arange(4), *where[1:]] = maps[where]
    assert_close(project_map(arch, params, fwd, layer, lone, image=units.image), expected)


@pytest.mark.parametrize("layer", TINY.layer_names)
def test_norm_vjp_seed_one(layer):
    params, images, fwd = case(TINY)
    units = some_units(TINY, layer)
    projection = project(TINY, params, fwd, layer, units, norm="vjp", seed="one")
    expected = oracle(TINY, params, images, layer, units, seed="one", norm=local_response_norm)
    assert_close(paste(projection, TINY.image_size), expected)


@pytest.mark.parametrize(("rectify", "relu"), [("activation", jax.nn.relu), ("both", guided_relu)])
def test_other_rules_for_relus_are_the_gradient_and_guided_backprop(rectify, relu):
    layer, (params, images, fwd) = "conv3", case(TINY)
    units = some_units(TINY, layer)
    projection = project(TINY, params, fwd, layer, units, norm="vjp", seed="one", rectify=rectify)
    expected = oracle(TINY, params, images, layer, units, seed="one", norm=local_response_norm, relu=relu)
    assert_close(paste(projection, TINY.image_size), expected)


def test_without_relu_it_is_the_plain_gradient():
    arch = without_relu(TINY)
    params, images, fwd = case(arch)
    units = Units(*np.array([[1], [3], [0], [0]]))
    value = lambda x: convnet.forward(arch, params, x).activations["fc4"][1, 0, 0, 3]  # noqa: E731
    gradient = compiled_for_one_run(jax.grad(value))(images)[1:]
    projection = project(arch, params, fwd, "fc4", units, norm="vjp", seed="one")
    assert_close(projection.pixels, gradient)


def test_whole_map_is_linear_where_nothing_is_rectified():
    arch = without_relu(TINY)
    params, _, fwd = case(arch)
    maps = fwd.activations["conv3"]
    units = Units(*map(np.ravel, np.meshgrid(0, *map(np.arange, (6, 4, 4)), indexing="ij")))
    alone = paste(project(arch, params, fwd, "conv3", units), arch.image_size).sum(0)
    assert_close(project_map(arch, params, fwd, "conv3", maps)[:1], alone[None])


def test_nothing_leaks_from_biases():
    params, _, fwd = case(TINY)
    zero = jnp.zeros_like(fwd.activations["conv3"])
    assert not project_map(TINY, params, fwd, "conv3", zero).any()


def test_a_conv1_projection_is_the_filter_itself():
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv1", [2])
    projection = project(TINY, params, fwd, "conv1", units, seed="one")
    np.testing.assert_allclose(projection.pixels[0], params["conv1"]["kernel"][..., 2], rtol=1e-6)
    assert projection.top[0] == units.row[0] * 2 - 1 and projection.left[0] == units.col[0] * 2 - 1


def test_pixels_are_not_rectified_and_scale_with_the_seed():
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv2", [0, 1])
    picture = project(TINY, params, fwd, "conv2", units).pixels
    assert (picture < 0).any() and (picture > 0).any()
    one = project(TINY, params, fwd, "conv2", units, seed="one").pixels
    value = fwd.activations["conv2"][units.image, units.row, units.col, units.channel]
    np.testing.assert_allclose(picture, one * value[:, None, None, None], rtol=1e-4, atol=1e-5)


def test_strongest_conv_unit_and_its_pooled_unit_give_one_picture():
    params, _, fwd = case(TINY)
    for conv, pool in (("conv1", "pool1"), ("conv2", "pool2")):
        pictures = (
            paste(project(TINY, params, fwd, layer, strongest(fwd, layer, [0, 3])), TINY.image_size)
            for layer in (conv, pool)
        )
        assert_close(*pictures)


def test_switches_of_another_image_change_the_picture():
    params, _, fwd = case(TINY)
    signal = fwd.activations["conv3"][:1]
    own, other = (project_map(TINY, params, fwd, "conv3", signal, image=jnp.array([i])) for i in (0, 1))
    assert jnp.abs(own - other).max() > 0.01 * jnp.abs(own).max()


@pytest.mark.parametrize("overlap", ["max", "last"])
def test_overlap_rules_in_windows_and_on_the_whole_map(overlap):
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv3", range(6))
    windows = paste(project(TINY, params, fwd, "conv3", units, overlap=overlap), TINY.image_size)
    maps = np.asarray(fwd.activations["conv3"])
    where = (units.image, units.row, units.col, units.channel)
    lone = np.zeros((12, *maps.shape[1:]), np.float32)
    lone[np.arange(12), *where[1:]] = maps[where]
    whole = project_map(TINY, params, fwd, "conv3", lone, image=units.image, overlap=overlap)
    assert_close(windows, whole)
    others = {rule: project(TINY, params, fwd, "conv3", units, overlap=rule).pixels for rule in ("sum", overlap)}
    assert not np.allclose(*others.values())


def test_strongest_by_hand():
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv2", [4, 1])
    maps = np.asarray(fwd.activations["conv2"])
    assert units.image.tolist() == [0, 0, 1, 1] and units.channel.tolist() == [4, 1, 4, 1]
    for image, channel, row, col in zip(*units, strict=True):
        assert maps[image, row, col, channel] == maps[image, :, :, channel].max()
    flat = strongest(fwd, "fc4", [7])
    assert flat.row.tolist() == flat.col.tolist() == [0, 0]


def test_jit_and_vmap():
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv2", range(6))
    eager = deconvnet.project(TINY, params, fwd, "conv2", units).pixels
    assert_close(project(TINY, params, fwd, "conv2", units).pixels, eager)
    each = jax.vmap(lambda *unit: project(TINY, params, fwd, "conv2", Units(*(u[None] for u in unit))).pixels[0])
    assert_close(each(*units), eager)


def test_bfloat16_stays_close():
    params, _, fwd = case(TINY)
    units = strongest(fwd, "conv3", range(6))
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16) if x.dtype == jnp.float32 else x, fwd)
    picture = project(TINY, params, narrow, "conv3", units).pixels
    assert picture.dtype == jnp.bfloat16
    assert_close(picture.astype(jnp.float32), project(TINY, params, fwd, "conv3", units).pixels, tolerance=0.05)


def test_errors_name_what_is_there():
    params, _, fwd = case(TINY)
    unit = Units(*np.array([[0], [1], [2], [3]]))
    project = deconvnet.project
    with pytest.raises(InputError, match="unknown layer 'conv9'; custom has conv1, pool1"):
        project(TINY, params, fwd, "conv9", unit)
    with pytest.raises(InputError, match="conv1 has channel 0 to 7; asked for 9"):
        project(TINY, params, fwd, "conv1", unit._replace(channel=np.array([9])))
    with pytest.raises(InputError, match="seed is 'activation' or 'one', not 'two'"):
        project(TINY, params, fwd, "conv1", unit, seed="two")
    with pytest.raises(InputError, match="rectify is 'signal' or 'activation' or 'both', not 'none'"):
        project(TINY, params, fwd, "conv1", unit, rectify="none")
    with pytest.raises(InputError, match="norm is"):
        project(TINY, params, fwd, "conv1", unit, norm="forward")
    with pytest.raises(InputError, match="signal for conv3 should be"):
        project_map(TINY, params, fwd, "conv3", jnp.zeros((2, 1, 1, 6)))
