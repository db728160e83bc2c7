"""zfjax.deconvolve on models of every JAX library, against the same small network by hand."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import zfjax

FRESH = np.random.default_rng(1)
IMAGE = FRESH.normal(size=(6, 6, 2)).astype(np.float32)
KERNEL = FRESH.normal(size=(3, 3, 2, 3)).astype(np.float32)  # HWIO
BIAS = FRESH.normal(size=3).astype(np.float32)
LAST = FRESH.normal(size=(12, 5)).astype(np.float32)
CLASS = 3


def by_hand(guided):
    """Convolution, ReLU, 2x2 max pooling, and a class of a fully connected layer: down again in NumPy."""
    maps = np.zeros((4, 4, 3))
    for row, col in np.ndindex(4, 4):
        maps[row, col] = np.einsum("hwi,hwio->o", IMAGE[row : row + 3, col : col + 3], KERNEL) + BIAS
    signal = np.zeros_like(maps)
    for row, col, channel in np.ndindex(2, 2, 3):
        window = maps[2 * row : 2 * row + 2, 2 * col : 2 * col + 2, channel].clip(0)
        place = np.unravel_index(window.argmax(), (2, 2))
        signal[2 * row + place[0], 2 * col + place[1], channel] = LAST[(row * 2 + col) * 3 + channel, CLASS]
    signal = signal.clip(0) * (maps > 0 if guided else 1)
    pixels = np.zeros(IMAGE.shape)
    for row, col in np.ndindex(4, 4):
        pixels[row : row + 3, col : col + 3] += np.einsum("o,hwio->hwi", signal[row, col], KERNEL)
    return pixels


def of_linen():
    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            x = linen.relu(linen.Conv(3, (3, 3), padding="VALID", name="conv")(x))
            return linen.Dense(5, use_bias=False, name="last")(linen.max_pool(x, (2, 2), (2, 2)).reshape(len(x), -1))

    params = {"conv": {"kernel": KERNEL, "bias": BIAS}, "last": {"kernel": LAST}}
    return lambda x: Net().apply({"params": params}, x[None])[0, CLASS]


def of_nnx():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.conv = nnx.Conv(2, 3, (3, 3), padding="VALID", rngs=rngs)
            self.last = nnx.Linear(12, 5, use_bias=False, rngs=rngs)

        def __call__(self, x):
            return self.last(nnx.max_pool(nnx.relu(self.conv(x)), (2, 2), (2, 2)).reshape(len(x), -1))

    net = Net(nnx.Rngs(0))
    net.conv.kernel[...], net.conv.bias[...], net.last.kernel[...] = map(jnp.asarray, (KERNEL, BIAS, LAST))
    return lambda x: net(x[None])[0, CLASS]


def of_equinox():
    conv, last = eqx.nn.Conv2d(2, 3, 3, key=jax.random.key(0)), eqx.nn.Linear(12, 5, False, key=jax.random.key(0))
    kernel, bias = jnp.asarray(KERNEL.transpose(3, 2, 0, 1)), jnp.asarray(BIAS[:, None, None])
    conv = eqx.tree_at(lambda conv: (conv.weight, conv.bias), conv, (kernel, bias))
    last = eqx.tree_at(lambda last: last.weight, last, jnp.asarray(LAST.T))
    net = eqx.nn.Sequential(
        [
            eqx.nn.Lambda(lambda x: x.transpose(2, 0, 1)),
            conv,
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.MaxPool2d(2, 2),
            eqx.nn.Lambda(lambda x: x.transpose(1, 2, 0).reshape(-1)),
            last,
        ]
    )
    return lambda x: eqx.filter_jit(net)(x)[CLASS]


def of_haiku():
    def net(x):
        x = jax.nn.relu(hk.Conv2D(3, 3, padding="VALID", name="conv")(x))
        return hk.Linear(5, with_bias=False, name="last")(hk.max_pool(x, (2, 2, 1), (2, 2, 1), "VALID").reshape(-1))

    params = {"conv": {"w": jnp.asarray(KERNEL), "b": jnp.asarray(BIAS)}, "last": {"w": jnp.asarray(LAST)}}
    return lambda x: hk.without_apply_rng(hk.transform(net)).apply(params, x)[CLASS]


def of_plain_jax():
    def net(x):
        dims = jax.lax.conv_dimension_numbers((1, 6, 6, 2), KERNEL.shape, ("NHWC", "HWIO", "NHWC"))
        maps = (
            jax.lax.conv_general_dilated(x[None], KERNEL, (1, 1), "VALID", dimension_numbers=dims)[0] + BIAS[None, None]
        )
        maps = jnp.where(maps > 0, maps, 0).reshape(2, 2, 2, 2, 3).max(axis=(1, 3))
        return maps.reshape(-1) @ LAST

    return lambda x: jax.jit(net)(x)[CLASS]


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("model", [of_linen, of_nnx, of_equinox, of_haiku, of_plain_jax])
def test_a_model_of_any_library(model, guided):
    explain = zfjax.guided_backprop if guided else zfjax.deconvolve
    np.testing.assert_allclose(explain(model())(IMAGE), by_hand(guided), rtol=1e-4, atol=1e-5)
