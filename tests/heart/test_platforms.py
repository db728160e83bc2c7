"""The forms that operators have for GPUs and TPUs, against those for CPUs: all run on a CPU here."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.export import export
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
from nets import random_params

import zfjax
from zfjax import ops
from zfjax.blocks import conv_by_blocks
from zfjax.convnet import ConvNet
from zfjax.platforms import apart, by_platform, forms_of

OTHERS = ("cuda", "tpu")


def integers(shape, seed=0) -> jax.Array:
    """Few different values, so that windows are full of ties; zeros and negative ones among them."""
    return jnp.asarray(np.random.default_rng(seed).integers(-2, 3, shape), jnp.float32)


def normal(shape, seed=0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def on(platform: str, function, *arguments):
    with forms_of(platform):
        return jax.jit(lambda *arguments: function(*arguments))(*arguments)  # a new one: nothing is cached


@st.composite
def geometries(draw):
    """Size, and window, strides and padding of rows and columns, that fit together."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in window)
    size = tuple(draw(st.integers(k, 9)) for k in window)
    return size, window, strides, padding


def test_the_form_of_the_platform_at_hand_is_chosen():
    forms = {name: functools.partial(jnp.multiply, number) for name, number in {"cpu": 2.0, "tpu": 3.0}.items()}
    choose = functools.partial(by_platform, default=lambda x: x, **forms)
    assert choose(jnp.float32(5)) == 10  # the machine that tests runs on computes on its CPU
    assert [float(on(platform, choose, jnp.float32(5))) for platform in ("cpu", "tpu", "cuda")] == [10, 15, 5]


@given(geometries(), st.booleans(), st.booleans())
@settings(max_examples=6, deadline=None)
def test_all_pool_alike_ties_and_gradients_too(geometry, relu, biased):
    size, window, strides, padding = geometry
    x, bias = integers((2, *size, 3)), jnp.array([-1.0, 0.0, 1.0]) if biased else None

    def pool(x, bias):
        def values(x, bias):
            return ops.max_pool(x, window, strides, padding, bias=bias, relu=relu)

        best, pull, switches = jax.vjp(values, x, bias, has_aux=True)
        return best, switches, pull(integers(best.shape, 1))

    def plain(x, bias):
        """Bias and ReLU on the large map, then the pool."""

        def values(x, bias):
            x = x if bias is None else x + bias.reshape(1, 1, 1, -1)
            return ops.max_pool(jax.nn.relu(x) if relu else x, window, strides, padding)

        best, pull, switches = jax.vjp(values, x, bias, has_aux=True)
        return best, switches, pull(integers(best.shape, 1))

    expected = on("cpu", plain, x, bias)
    for platform in ("cpu", *OTHERS):
        jax.tree.map(np.testing.assert_array_equal, on(platform, pool, x, bias), expected)  # whole numbers add up alike


@pytest.mark.parametrize("platform", ["cpu", *OTHERS])
def test_a_window_of_256_cells_has_no_switch_to_spare_for_borders(platform):
    values = normal((1, 3, 3, 1))
    switches = jnp.array([255, 254, 0, 253, 255, 17, 254, 16, 255], jnp.uint8).reshape(values.shape)
    expected = np.zeros((1, 48, 48, 1), np.float32)
    for row, col in np.ndindex(3, 3):
        above, left = divmod(int(switches[0, row, col, 0]), 16)
        expected[0, 16 * row + above, 16 * col + left] = values[0, row, col, 0]
    found = on(platform, lambda v, s: ops.max_unpool(v, s, expected.shape, 16, 16), values, switches)
    np.testing.assert_array_equal(found, expected)


def test_what_is_not_a_number_wins_on_all():
    x = normal((1, 7, 7, 2)).at[0, 2, 2].set(jnp.nan)
    for relu in (False, True):
        seen = [on(platform, functools.partial(ops.max_pool, relu=relu), x) for platform in ("cpu", *OTHERS)]
        for each in seen:
            jax.tree.map(np.testing.assert_array_equal, each, seen[0])
        assert np.isnan(seen[0][0]).sum() == 2 * 4


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_all_normalise_alike(dtype):
    x, g = (30 * normal((2, 3, 3, 11))).astype(dtype), normal((2, 3, 3, 11), 1).astype(dtype)

    def both(x, g):
        y, pull = jax.vjp(ops.local_response_norm, x)
        return y, pull(g)[0]

    expected = on("cpu", both, x, g)
    rtol, atol = (1e-5, 1e-6) if dtype == jnp.float32 else (2e-2, 2e-3)
    for platform in OTHERS:
        found = on(platform, both, x, g)
        assert {each.dtype for each in found} == {jnp.dtype(dtype)}
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a.astype(np.float32), b.astype(np.float32), rtol=rtol, atol=atol),
            found,
            expected,
        )


@given(geometries(), st.integers(1, 3), st.sampled_from([1, 8]))
@settings(max_examples=6, deadline=None)
def test_convolution_by_blocks_and_its_gradients_equal_the_plain_one(geometry, places, align):
    size, window, strides, padding = geometry
    x, kernel = normal((2, *size, 3)), normal((*window, 3, 4), 1)

    def both(convolve, x, kernel):
        y, pull = jax.vjp(convolve, x, kernel)
        return y, pull(normal(y.shape, 2))

    plain = functools.partial(ops.conv, strides=strides, padding=padding)
    blocks = functools.partial(conv_by_blocks, strides=strides, padding=padding, places=places, align=align)
    expected, found = (jax.jit(functools.partial(both, f))(x, kernel) for f in (plain, blocks))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, expected)


@pytest.mark.parametrize("platform", OTHERS)
def test_transposes_are_adjoint_on_all(platform):
    x, kernel = normal((2, 37, 37, 3)), normal((7, 7, 3, 4), 1)

    def products(x, kernel):
        y = ops.conv(x, kernel, strides=2)
        g = normal(y.shape, 2)
        return jnp.vdot(y, g), jnp.vdot(x, ops.conv_transpose(g, kernel, x.shape, strides=2))

    np.testing.assert_allclose(*on(platform, products, x, kernel), rtol=1e-4)


def test_a_training_step_has_the_same_gradients_on_all():
    layers = (
        zfjax.Conv("conv1", 8, kernel=5, strides=2, relu=True),
        zfjax.MaxPool("pool1"),
        zfjax.LRN("norm1"),
        zfjax.Conv("conv2", 6, kernel=3, relu=True),
        zfjax.MaxPool("pool2", window=2, strides=1),
        zfjax.Dense("fc", 3),
    )
    arch = zfjax.Arch(layers, image_size=33)
    params = random_params(arch)
    images = 60 * normal((4, 33, 33, 3))

    def gradients(params):
        def loss(params):
            out = ConvNet(arch).apply({"params": params}, images, train=True)
            return (out.logits**2).sum(), out.switches

        return jax.grad(loss, has_aux=True)(params)

    expected, switches = on("cpu", gradients, params)
    for platform in OTHERS:
        found, seen = on(platform, gradients, params)
        jax.tree.map(np.testing.assert_array_equal, seen["pool1"], switches["pool1"])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * float(jnp.abs(b).max())),
            found,
            expected,
        )


def test_borders_change_nothing_and_every_platform_can_be_compiled_for():
    x = normal((2, 9, 9, 3))
    jax.tree.map(np.testing.assert_array_equal, on("cuda", apart, x, 2 * x), (x, 2 * x))

    def step(x, kernel):
        def loss(kernel):
            values, _ = ops.max_pool(ops.conv(x, kernel, strides=2), 2, 2, relu=True)
            return ops.local_response_norm(values).sum()

        return jax.grad(loss)(kernel)

    texts = {
        platform: export(jax.jit(step), platforms=[platform])(x, normal((3, 3, 3, 5))).mlir_module()
        for platform in ("cpu", "cuda", "tpu")
    }
    assert ["select_and_scatter" in texts[platform] for platform in texts] == [False, False, True]
    assert ["optimization_barrier" in texts[platform] for platform in texts] == [False, True, False]


def test_gradients_of_a_biased_pool_add_up_over_a_mesh_and_no_images_have_some():
    x, bias = normal((2, 9, 9, 3)), normal((3,), 1)
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

    def gradients(x, bias):
        return jax.grad(lambda x, bias: ops.max_pool(x, bias=bias, relu=True)[0].sum(), (0, 1))(x, bias)

    shared = jax.shard_map(gradients, mesh=mesh, in_specs=(P("data"), P()), out_specs=(P("data"), P()))
    expected = jax.jit(gradients)(x, bias)
    for platform in ("cpu", *OTHERS):
        jax.tree.map(np.testing.assert_allclose, on(platform, shared, x, bias), expected)
        assert on(platform, gradients, x[:0], bias)[0].shape == (0, 9, 9, 3)
        assert on(platform, lambda x: ops.max_unpool(*ops.max_pool(x), x.shape), x[:0]).shape == (0, 9, 9, 3)


def test_arrays_divided_along_explicit_axes_take_the_default_form():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Explicit,))
    x, kernel = normal((2, 37, 37, 3)), normal((3, 3, 3, 4), 1)
    with jax.set_mesh(mesh):
        divided = jax.device_put(x, jax.NamedSharding(mesh, P("data")))
        found = jax.jit(lambda x: ops.conv(x, kernel, strides=2))(divided)
    np.testing.assert_allclose(found, ops.conv(x, kernel, strides=2), rtol=1e-5, atol=1e-5)
