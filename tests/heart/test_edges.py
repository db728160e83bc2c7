"""Operators and projections inside JAX's transformations, and what does not fit together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from nets import TINY, pixels, random_params

import zfjax
from zfjax import ops
from zfjax.attribution.invariance import responses
from zfjax.attribution.occlusion import occlusion_map
from zfjax.convnet import apply_layer
from zfjax.deconvnet import Units, project, project_map, strongest
from zfjax.errors import InputError
from zfjax.layers import MaxPool, pad, round_up

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(4, 20, 20, 3)), jnp.float32)
FEW, MANY = (jnp.asarray(RNG.normal(size=(3, 3, maps, 8)), jnp.float32) for maps in (3, 16))
Y = ops.conv(X, FEW)
VALUES, SWITCHES = jax.jit(ops.max_pool)(X)
PARAMS = random_params(TINY)
IMAGES = jnp.asarray(pixels(TINY, count=2))
FORWARD = jax.jit(zfjax.forward, static_argnums=0)(TINY, PARAMS, IMAGES)


def of_images(layer):
    def run(images):
        forward = zfjax.forward(TINY, PARAMS, images)
        units = strongest(forward, layer, [0, 1])
        return (
            project(TINY, PARAMS, forward, layer, units).pixels,
            project_map(TINY, PARAMS, forward, layer, forward.activations[layer]),
        )

    return run


SHARDED = {
    "the transpose of few maps": (lambda y: ops.conv_transpose(y, FEW, (len(y), 20, 20, 3)), Y),
    "the transpose of many": (lambda y: ops.conv_transpose(y, MANY, (len(y), 20, 20, 16)), Y),
    "max_pool": (ops.max_pool, X),
    "the gradient of max_pool": (jax.grad(lambda x: ops.max_pool(x)[0].sum()), X),
    "max_unpool": (lambda both: ops.max_unpool(*both, (len(both[0]), 20, 20, 3)), (VALUES, SWITCHES)),
    "avg_unpool": (lambda y: ops.avg_unpool(y, (len(y), 20, 20, 3)), jax.jit(ops.avg_pool)(X)),
    "contrast normalisation": (jax.grad(lambda x: ops.local_response_norm(x).sum()), X),
    "occlusion": (jax.vmap(lambda image: occlusion_map(lambda x: x.sum((1, 2, 3)), image, size=9, stride=13)), IMAGES),
    "invariance": (
        jax.vmap(lambda image: responses(lambda x: x.sum((1, 2)), image, {"shift": jnp.arange(3.0)})["shift"]),
        IMAGES,
    ),
    "projections from conv3": (of_images("conv3"), IMAGES),
    "projections from fc5": (of_images("fc5"), IMAGES),
}


@pytest.mark.parametrize("case", SHARDED)
def test_under_shard_map(case):
    """With its check of which axes of the mesh values differ along."""
    compute, given = SHARDED[case]
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    sharded = jax.jit(jax.shard_map(compute, mesh=mesh, in_specs=P("data"), out_specs=P("data")))(given)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), sharded, jax.jit(compute)(given))


UNITS = Units(*np.array([[0, 1], [3, 2], [0, 1], [1, 0]]))
AROUND = {
    "jit": lambda f: jax.jit(f)(1.0),
    "map": lambda f: lax.map(f, jnp.ones(2))[1],
    "vmap": lambda f: jax.vmap(f)(jnp.ones(2))[1],
    "scan": lambda f: lax.scan(lambda carry, x: (carry, f(x)), 0, jnp.ones(2))[1][1],
}


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
@pytest.mark.parametrize("around", AROUND)
def test_units_that_a_transformed_function_closes_over(kind, around):
    units, outside = Units(*map(kind, UNITS)), Units(*map(kind, UNITS._replace(row=[99, 99])))

    def pictures(factor, units=units):
        scaled = jax.tree.map(lambda x: x * factor, PARAMS)
        return project(TINY, scaled, FORWARD, "pool1", units).pixels

    expected = jax.jit(lambda units: project(TINY, PARAMS, FORWARD, "pool1", units).pixels)(UNITS)
    np.testing.assert_allclose(AROUND[around](pictures), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="pool1 has row 0 to .*; asked for 99(?! to)"):
        AROUND[around](lambda factor: pictures(factor, outside))


@pytest.mark.parametrize(
    "shape, change",
    [
        ((4, 21, 20, 3), {}),
        ((4, 20, 21, 3), {}),
        ((3, 20, 20, 3), {}),
        ((4, 20, 20, 4), {}),
        ((4, 20, 20), {}),
        ((4, 20, 20, 3), {"strides": 2}),
        ((4, 20, 20, 3), {"dilation": 2}),
        ((4, 20, 20, 3), {"groups": 3}),
        ((4, 20, 20, 3), {"padding": pad(1)}),
    ],
)
def test_a_transpose_to_another_shape_is_refused(shape, change):
    for channels in (3, 16):  # the fast form and the plain one
        wanted = (*shape[:3], *(channels + size - 3 for size in shape[3:]))
        with pytest.raises(ValueError, match="is not what a kernel .* makes of"):
            ops.conv_transpose(Y, FEW if channels == 3 else MANY, wanted, **change)


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, (1, 1), ((-1, 0), (0, 0)), ((0.5, 0), (0, 0)), None])
def test_padding_of_another_form_is_refused(padding):
    calls = [
        lambda: ops.conv(X, FEW, padding=padding),
        lambda: ops.conv_transpose(Y, FEW, X.shape, padding=padding),
        lambda: ops.conv_transpose(Y, MANY, (4, 20, 20, 16), padding=padding),
        lambda: ops.max_pool(X, padding=padding),
        lambda: ops.max_unpool(VALUES, SWITCHES, X.shape, padding=padding),
        lambda: ops.avg_pool(X, padding=padding),
        lambda: ops.avg_unpool(ops.avg_pool(X), X.shape, padding=padding),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"padding must be \(\(top, bottom\), \(left, right\)\), from 0 on, not"):
            call()


@pytest.mark.parametrize("channels", [[99], [-1], [0, 8], [1.0], np.array([3, 99])])
def test_channels_that_are_not_there(channels):
    with pytest.raises(InputError, match="conv1 has channel 0 to 7; asked for"):
        strongest(FORWARD, "conv1", channels)
    with pytest.raises(InputError, match="conv1 has channel 0 to 7; asked for"):
        jax.jit(lambda forward: strongest(forward, "conv1", channels))(FORWARD)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (([0], [1, 2], [0], [0]), "units are four arrays of one length, not of 1, 2, 1, 1"),
        ((0, 1, 0, 0), r"image must be a list of numbers, not an array of shape \[\]"),
        (([[0]], [[1]], [[0]], [[0]]), r"image must be a list of numbers, not an array of shape \[1, 1\]"),
        (([0.5], [1], [0], [0]), "conv2 has image 0 to 1; asked for 0.5"),
        (([0], [-1], [0], [0]), "conv2 has channel 0 to 5; asked for -1"),
    ],
)
def test_units_that_are_none(units, message):
    with pytest.raises(InputError, match=message):
        project(TINY, PARAMS, FORWARD, "conv2", Units(*units))


def test_no_units_and_a_plain_tuple_of_them():
    none, plain = Units([], [], [], []), tuple(UNITS)  # pyright: ignore[reportArgumentType]
    picture = jax.jit(lambda units: project(TINY, PARAMS, FORWARD, "conv2", units).pixels)
    assert not len(picture(Units(*np.zeros((4, 0), int)))) and not len(strongest(FORWARD, "conv2", []).image)
    assert not len(jax.jit(lambda: project(TINY, PARAMS, FORWARD, "conv2", none).pixels)())
    np.testing.assert_array_equal(picture(plain), picture(UNITS))


def test_what_does_not_belong_together():
    other = zfjax.get_arch("lenet5")
    with pytest.raises(InputError, match=r"conv1 of this network is .*, and the forward pass, of another network, has"):
        project(other, {}, FORWARD, "conv1", UNITS)
    with pytest.raises(InputError, match="of another network"):
        project_map(other, {}, FORWARD, "conv1", FORWARD.activations["conv1"])
    with pytest.raises(InputError, match="conv1 has image 0 to 1; asked for 0 to 2"):
        project_map(TINY, PARAMS, FORWARD, "conv1", FORWARD.activations["conv1"], image=np.array([0, 2]))
    with pytest.raises(InputError, match=r"image must be a list of numbers, not an array of shape \[1, 2\]"):
        project_map(TINY, PARAMS, FORWARD, "conv1", FORWARD.activations["conv1"][None], image=np.array([[0, 1]]))
    with pytest.raises(InputError, match=r"channels must be a list of numbers, not an array of shape \[\]"):
        strongest(FORWARD, "conv1", 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="overlap is 'sum' or 'max' or 'last', not 'mean'"):
        project(TINY, PARAMS, FORWARD, "conv1", UNITS, overlap="mean")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("cell", range(9))
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_nan_reaches_the_pooled_value_from_any_cell(cell, dtype):
    row, col = divmod(cell, 3)
    x = jnp.asarray(X, dtype).at[1, 4 + row, 6 + col, 2].set(jnp.nan)
    values, switches = ops.max_pool(x, 3, 2)
    expected = lax.reduce_window(x, jnp.array(-jnp.inf, dtype), lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")
    np.testing.assert_array_equal(np.asarray(values, np.float32), np.asarray(expected, np.float32))
    assert jnp.isnan(values[1, 2, 3, 2]) and switches[1, 2, 3, 2] == cell


@pytest.mark.parametrize("compute", [lambda x: ops.max_pool(x)[0], ops.local_response_norm])
def test_forward_mode_is_refused_as_the_docstrings_say(compute):
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(compute, (X,), (X,))


def test_pooling_without_switches_keeps_the_same_nans():
    x = X.at[0, 5, 7, 0].set(jnp.nan).at[2, 19, 19, 1].set(jnp.nan)
    pool = MaxPool("pool", padding=round_up(2))
    alone = apply_layer(pool, {}, [x])
    np.testing.assert_array_equal(alone, ops.max_pool(x, pool.window, pool.strides, pool.padding)[0])
    assert jnp.isnan(alone).any()
