"""Every operator against autodiff, an identity, or arithmetic by hand."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from zfjax import convolution, ops

CEIL = ((0, 1), (0, 1))


def normal(shape, seed=0) -> jax.Array:
    """Standard normals by NumPy: jax.random compiles for a second for every new shape."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def vector(*values) -> jax.Array:
    return jnp.array(values, jnp.float32).reshape(1, 1, -1, 1)


def value_and_gradients(function, x, kernel, g):
    y, vjp = jax.vjp(function, x, kernel)
    return y, *vjp(g)


@st.composite
def windows(draw):
    """Size, window, stride and padding that fit together."""
    window, strides = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    before, after = (draw(st.integers(0, window - 1)) for _ in range(2))
    size = draw(st.integers(max(1, window - before - after), 12))
    return size, window, strides, ((before, after), (after, before))


@given(windows(), st.sampled_from([1, 2]))
@settings(max_examples=15, deadline=None)
def test_conv_and_its_gradients_equal_a_product_with_patches(geometry, groups):
    size, window, strides, padding = geometry
    x, kernel = normal((2, size, size, 4)), normal((window, window, 4 // groups, 6), 1)

    def product(x, kernel):
        x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
        places = np.arange(0, x.shape[1] - window + 1, strides)[:, None] + np.arange(window)  # [H', h]
        patches = x[:, places[:, None, :, None], places[None, :, None, :]]  # [N, H', W', h, w, I]
        shape = (*patches.shape[:5], groups, 4 // groups)
        kernel = kernel.reshape(window, window, 4 // groups, groups, 6 // groups)
        y = jnp.einsum("nrshwgi,hwigo->nrsgo", patches.reshape(shape), kernel)
        return y.reshape(*y.shape[:3], 6)

    @jax.jit
    def both():
        functions = functools.partial(ops.conv, strides=strides, padding=padding, groups=groups), product
        g = normal(jax.eval_shape(product, x, kernel).shape, 2)
        return [value_and_gradients(function, x, kernel, g) for function in functions]

    for own, other in zip(*both(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_convolution_changes_by_the_product_rule(groups):
    x, dx = normal((2, 7, 7, 4)), normal((2, 7, 7, 4), 1)
    kernel, dkernel = normal((3, 3, 4 // groups, 8), 2), normal((3, 3, 4 // groups, 8), 3)
    conv = functools.partial(ops.conv, strides=2, padding=((1, 1), (1, 1)), groups=groups, dilation=(1, 2))
    _, both = jax.jit(lambda *values: jax.jvp(conv, values, (dx, dkernel)))(x, kernel)
    np.testing.assert_allclose(both, conv(dx, kernel) + conv(x, dkernel), rtol=1e-5, atol=1e-5)
    _, alone = jax.jvp(lambda kernel: conv(x, kernel), (kernel,), (dkernel,))
    np.testing.assert_allclose(alone, conv(x, dkernel), rtol=1e-5, atol=1e-5)
    _, none = jax.jvp(lambda number: conv(x, kernel) + number, (1.0,), (1.0,))
    assert (none == 1).all()


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_in_a_loop_find_their_arrays_as_eigen_takes_them(groups):
    """In another order XLA on CPU computes them number by number; outside of loops it turns them itself."""
    conv = functools.partial(ops.conv, strides=2, padding=((1, 1), (1, 1)), groups=groups)
    xs, kernel = normal((3, 2, 9, 9, 4)), normal((3, 3, 4 // groups, 8), 1)

    def gradients(kernel, x):
        own = jax.grad(lambda x, kernel: (conv(x, kernel) ** 2).sum(), argnums=(0, 1))(x, kernel)
        return *own, ops.conv_transpose(
            conv(x, kernel), kernel, x.shape, strides=2, padding=((1, 1), (1, 1)), groups=groups
        )

    loop = jax.jit(lambda: lax.scan(lambda kernel, x: (kernel, gradients(kernel, x)), kernel, xs)[1])
    text = loop.lower().compile().as_text()
    orders = re.findall(r" convolution\(.*dim_labels=([^,]*)", text)
    assert " while(" in text and len(orders) >= 3 * groups and set(orders) == {"b01f_01io->b01f"}
    for looped, each in zip(loop(), jax.vmap(gradients, (None, 0))(kernel, xs), strict=True):
        np.testing.assert_allclose(looped, each, rtol=1e-5, atol=1e-5)


@given(windows(), st.sampled_from([1, 3]))
@settings(max_examples=15, deadline=None)
def test_the_fast_transpose_equals_the_plain_one_in_value_and_gradients(geometry, maps):
    size, window, strides, padding = geometry
    kernel = normal((window, window, maps, 4))
    x = jax.ShapeDtypeStruct((2, size, size, maps), jnp.float32)
    y = normal(jax.eval_shape(lambda x: ops.conv(x, kernel, strides=strides, padding=padding), x).shape, 1)

    def transpose(places: int):
        def function(y, kernel):
            return ops.conv_transpose(y, kernel, (2, size, size, maps), strides=strides, padding=padding)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(convolution, "MANY_PLACES", places)
            return jax.jit(lambda: value_and_gradients(function, y, kernel, normal((2, size, size, maps), 2)))()

    for fast, plain in zip(transpose(0), transpose(1 << 30), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-4)


@given(windows(), st.sampled_from([1, 2]))
@settings(max_examples=15, deadline=None)
def test_conv_transpose_is_the_adjoint_of_conv(geometry, groups):
    size, window, strides, padding = geometry
    options = {"strides": strides, "padding": padding, "groups": groups}

    @jax.jit  # one compilation for each drawn shape instead of one for each operation
    def inner_products():
        x = normal((2, size, size, 4))
        kernel = normal((window, window, 4 // groups, 6), 1)
        y = ops.conv(x, kernel, **options)
        g = normal(y.shape, 2)
        return jnp.vdot(y, g), jnp.vdot(x, ops.conv_transpose(g, kernel, x.shape, **options))

    np.testing.assert_allclose(*inner_products(), rtol=1e-4, atol=1e-3)


@given(windows())
@settings(max_examples=15, deadline=None)
def test_max_pool_and_its_gradient_equal_flax_and_autodiff(geometry):
    size, window, strides, padding = geometry

    @jax.jit
    def both():
        x = normal((2, size, size, 3))  # no ties
        reference, vjp = jax.vjp(lambda x: nn.max_pool(x, (window, window), (strides, strides), padding), x)
        values, own_vjp, switches = jax.vjp(lambda x: ops.max_pool(x, window, strides, padding), x, has_aux=True)
        g = normal(values.shape, 1)
        unpooled = ops.max_unpool(g, switches, x.shape, window, strides, padding)
        return (values, own_vjp(g)[0], unpooled), (reference, vjp(g)[0], vjp(g)[0])

    jax.tree.map(lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6), *both())


@given(windows(), st.sampled_from(["sum", "max", "last"]))
@settings(max_examples=15, deadline=None)
def test_unpooling_equals_a_loop_over_windows(geometry, overlap):
    size, window, strides, padding = geometry

    @jax.jit
    def unpool_random_values():
        values, switches = ops.max_pool(normal((1, size, size, 1)), window, strides, padding)
        values = normal(values.shape, 1)  # negative ones too
        return values, switches, ops.max_unpool(values, switches, (1, size, size, 1), window, strides, padding, overlap)

    values, switches, unpooled = map(np.asarray, unpool_random_values())
    expected = np.zeros((size, size), np.float32)
    seen = np.zeros((size, size), bool)
    for row, col in np.ndindex(values.shape[1:3]):
        offset, value = int(switches[0, row, col, 0]), float(values[0, row, col, 0])
        place = (row * strides - padding[0][0] + offset // window, col * strides - padding[1][0] + offset % window)
        combined = {"sum": expected[place] + value, "max": max(expected[place], value), "last": value}[overlap]
        expected[place] = combined if seen[place] else value
        seen[place] = True
    np.testing.assert_allclose(unpooled[0, ..., 0], expected, rtol=1e-6)


@pytest.mark.parametrize(("overlap", "shared"), [("sum", 4.0), ("max", 3.0), ("last", 3.0)])
def test_two_windows_sharing_a_maximum_by_hand(overlap, shared):
    x = vector(0, 1, 5, 2, 0)
    values, switches = ops.max_pool(x, (1, 3), 2)
    assert values.ravel().tolist() == [5, 5] and switches.ravel().tolist() == [2, 0]
    unpooled = ops.max_unpool(vector(1, 3), switches, x.shape, (1, 3), 2, overlap=overlap)
    assert unpooled.ravel().tolist() == [0, 0, shared, 0, 0]


def test_max_and_last_differ_when_the_first_window_is_larger():
    x = vector(0, 1, 5, 2, 0)
    _, switches = ops.max_pool(x, (1, 3), 2)
    kept = {
        rule: ops.max_unpool(vector(3, 1), switches, x.shape, (1, 3), 2, overlap=rule)[0, 0, 2, 0]
        for rule in ("max", "last")
    }
    assert kept == {"max": 3, "last": 1}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_of_equal_values_the_first_in_the_window_wins(dtype):
    values, switches = ops.max_pool(jnp.zeros((1, 5, 5, 2), dtype), 3, 2)
    assert not values.any() and not switches.any() and switches.dtype == jnp.uint8
    x = jnp.array([[1, 7, 7], [7, 0, 0], [0, 0, 7]], dtype).reshape(1, 3, 3, 1)
    assert int(ops.max_pool(x, 3, 1)[1].squeeze()) == 1


def test_padding_never_wins():
    x = -jnp.ones((1, 2, 2, 1))
    values, switches = ops.max_pool(x, 2, 2, ((1, 1), (1, 1)))
    assert values.ravel().tolist() == [-1] * 4
    assert switches.ravel().tolist() == [3, 2, 1, 0]


def test_rounding_up_loses_no_row():
    x = jnp.arange(110.0).reshape(1, 110, 1, 1) * jnp.ones((1, 1, 110, 1))
    values, switches = ops.max_pool(x, 3, 2, CEIL)
    assert values.shape == (1, 55, 55, 1)
    assert ops.max_unpool(values, switches, x.shape, 3, 2, CEIL)[0, 109].max() == 109


def test_zero_seed_gives_exactly_zero():
    _, switches = ops.max_pool(normal((1, 7, 7, 2)), 3, 2)
    for overlap in ("sum", "max", "last"):
        assert not ops.max_unpool(jnp.zeros(switches.shape), switches, (1, 7, 7, 2), 3, 2, overlap=overlap).any()


def test_bfloat16_pooling_keeps_its_type_and_agrees():
    x = normal((2, 9, 9, 3)).astype(jnp.bfloat16)
    values, switches = ops.max_pool(x, 3, 2)
    wide, wide_switches = ops.max_pool(x.astype(jnp.float32), 3, 2)
    assert values.dtype == jnp.bfloat16
    np.testing.assert_array_equal(values.astype(jnp.float32), wide)
    np.testing.assert_array_equal(switches, wide_switches)


def test_avg_pool_and_its_adjoint():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    assert ops.avg_pool(x).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert ops.avg_unpool(jnp.full((1, 2, 2, 1), 4.0), x.shape).ravel().tolist() == [1.0] * 16


@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_local_response_norm_equals_the_formula(beta):
    x = np.asarray(normal((2, 3, 7))) * 30
    expected = np.empty_like(x)
    for i in range(7):
        neighbours = x[..., max(0, i - 2) : i + 3]
        expected[..., i] = x[..., i] / (2 + 1e-4 * (neighbours**2).sum(-1)) ** beta
    np.testing.assert_allclose(ops.local_response_norm(x, 5, 2.0, 1e-4, beta), expected, rtol=1e-5)


def test_alpha_is_not_divided_by_n():
    torch_alpha, n = 5e-4, 5  # PyTorch and ONNX divide by n: their 5e-4 is the paper's 1e-4
    x = jnp.full((1, 5), 100.0)
    expected = 100 / (2 + torch_alpha / n * 5 * 100**2) ** 0.75
    np.testing.assert_allclose(ops.local_response_norm(x)[0, 2], expected, rtol=1e-6)


def test_local_response_norm_gradient_equals_autodiff():
    def plain(x):
        squares = jnp.pad(x * x, ((0, 0), (2, 2)))
        return x / (2 + 1e-4 * sum(squares[:, i : i + 8] for i in range(5))) ** 0.75

    x = 100 * normal((4, 8))
    g = normal(x.shape, 1)
    (expected,) = jax.vjp(plain, x)[1](g)
    np.testing.assert_allclose(jax.vjp(ops.local_response_norm, x)[1](g)[0], expected, rtol=1e-4, atol=1e-5)
    narrow = jax.vjp(ops.local_response_norm, x.astype(jnp.bfloat16))[1](g.astype(jnp.bfloat16))[0]
    assert narrow.dtype == jnp.bfloat16
    np.testing.assert_allclose(narrow.astype(jnp.float32), expected, rtol=0.05, atol=0.02)


def test_impossible_geometry_is_refused():
    x = jnp.zeros((1, 40, 40, 1))
    with pytest.raises(ValueError, match="17x17 has more than 256 cells"):
        ops.max_pool(x, 17, 2)
    with pytest.raises(ValueError, match="smaller than the window"):
        ops.max_pool(x, 2, 2, ((2, 0), (0, 0)))
    values, switches = ops.max_pool(x, 2, 2)
    with pytest.raises(ValueError, match="should both be"):
        ops.max_unpool(values, switches, (1, 39, 40, 1), 2, 2)
    with pytest.raises(ValueError, match="n must be odd, not 4"):
        ops.local_response_norm(x, 4)
    with pytest.raises(ValueError, match="not 'mean'"):
        ops.max_unpool(values, switches, x.shape, 2, 2, overlap="mean")


def test_no_images_are_no_error():
    kernel = normal((3, 3, 20, 4))
    y = ops.conv(normal((0, 9, 9, 20)), kernel, strides=2)
    assert y.shape == (0, 4, 4, 4)
    assert ops.conv_transpose(y, kernel, (0, 9, 9, 20), strides=2).shape == (0, 9, 9, 20)


def test_peaks_are_the_first_of_the_largest_values():
    x = np.random.default_rng(0).integers(-3, 3, (3, 5, 7, 4)).astype(np.float32)  # with many ties
    values, rows, columns = ops.peaks(jnp.asarray(x))
    for image, channel in np.ndindex(3, 4):
        first = np.unravel_index(x[image, :, :, channel].argmax(), (5, 7))
        assert (rows[image, channel], columns[image, channel]) == first
        assert values[image, channel] == x[image, :, :, channel].max()
