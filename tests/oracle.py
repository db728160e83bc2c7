"""A network of any shape from lax alone, with ReLU's gradient replaced: what the deconvnet is compared with.

Nothing of the convnet's or the deconvnet's own code is used, but for contrast normalisation, which has an oracle of its
own.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.deconvnet import Units
from zfjax.layers import (
    LRN,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GlobalAvgPool,
    MaxPool,
)
from zfjax.ops import local_response_norm
from zfjax.runtime.xla import options_for_one_run

# What others are compared with runs once or a few times: compiling it is what costs.
compiled_for_one_run = functools.partial(jax.jit, compiler_options=options_for_one_run("cpu"))


@jax.custom_vjp
def deconv_relu(x):
    return jnp.maximum(x, 0)


deconv_relu.defvjp(lambda x: (jnp.maximum(x, 0), None), lambda _, g: (jnp.maximum(g, 0),))


@jax.custom_vjp
def guided_relu(x):
    return jnp.maximum(x, 0)


guided_relu.defvjp(lambda x: (jnp.maximum(x, 0), x > 0), lambda on, g: (jnp.where(on, jnp.maximum(g, 0), 0),))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def pass_norm(x, n, k, alpha, beta):
    return local_response_norm(x, n, k, alpha, beta)


pass_norm.defvjp(lambda x, *numbers: (local_response_norm(x, *numbers), None), lambda *rest: (rest[-1],))


def both(value):
    return tuple(np.broadcast_to(value, 2).tolist())


def slide(x, layer, start, combine):
    window, strides = (1, *both(layer.window), 1), (1, *both(layer.strides), 1)
    return jax.lax.reduce_window(x, start, combine, window, strides, ((0, 0), *layer.padding, (0, 0)))


def plain_layer(layer, params, inputs, norm):
    x, own = inputs[0], params.get(layer.name, {})
    match layer:
        case Conv():
            x = jax.lax.conv_general_dilated(
                x,
                own["kernel"],
                both(layer.strides),
                layer.padding,
                rhs_dilation=both(layer.dilation),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=layer.groups,
            )
        case Dense():
            x = (x.reshape(len(x), -1) @ own["kernel"])[:, None, None, :]
        case MaxPool():
            return slide(x, layer, -jnp.inf, jax.lax.max)
        case AvgPool():
            ones = jnp.ones((1, *x.shape[1:3], 1))
            area = np.prod(both(layer.window)) if layer.count_include_pad else slide(ones, layer, 0.0, jax.lax.add)
            return slide(x, layer, 0.0, jax.lax.add) / area
        case GlobalAvgPool():
            return x.mean(axis=(1, 2), keepdims=True)
        case LRN():
            return norm(x, layer.n, layer.k, layer.alpha, layer.beta)
        case BatchNorm():
            mean, var, scale, bias = (own[name].reshape(1, 1, 1, -1) for name in ("mean", "var", "scale", "bias"))
            return (x - mean) / jnp.sqrt(var + layer.eps) * scale + bias
        case Concat():
            return jnp.concatenate(inputs, axis=3)
        case Add():
            return functools.reduce(jnp.add, inputs)
    return x + own["bias"].reshape(1, 1, 1, -1) if "bias" in own else x


def plain_forward(arch, params, images, norm=pass_norm, relu=deconv_relu):
    """{layer: activations} of every layer."""
    maps, before = {"image": images}, "image"
    for layer in arch.layers:
        y = plain_layer(layer, params, [maps[name] for name in layer.inputs or (before,)], norm)
        maps[layer.name], before = relu(y) if layer.relu else y, layer.name
    return maps


def oracle(arch, params, images, layer, units, seed="activation", norm=pass_norm, relu=deconv_relu):
    """One whole-image backward pass for every unit."""

    @compiled_for_one_run
    def backward(params, images, image, channel, row, col):
        y, vjp = jax.vjp(lambda x: plain_forward(arch, params, x, norm, relu)[layer], images)
        value = y[image, row, col, channel] if seed == "activation" else 1.0
        return vjp(jnp.zeros_like(y).at[image, row, col, channel].set(value))[0][image]

    return np.stack([backward(params, images, *unit) for unit in zip(*map(np.asarray, units), strict=True)])


def some_units(arch, layer, images=2, count=5, seed=0) -> Units:
    """Random units, and the two in opposite corners, whose windows stick out of the image."""
    rng = np.random.default_rng(seed)
    height, width, channels = arch.shapes()[layer]
    sizes = (images, channels, height, width)
    return Units(*(np.concatenate([rng.integers(0, size, count), [0, size - 1]]) for size in sizes))


def worst_error(actual, expected) -> float:
    """The largest difference as a share of each picture's peak; a picture of zeros must be zeros."""
    worst = 0.0
    for own, other in zip(np.asarray(actual), np.asarray(expected), strict=True):
        peak = np.abs(other).max()
        error = np.abs(own - other).max()
        worst = max(worst, error / peak if peak else (0.0 if error == 0 else np.inf))
    return worst


def assert_close(actual, expected, tolerance=1e-5):
    assert worst_error(actual, expected) <= tolerance
