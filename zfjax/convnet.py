"""The convnet: images up to logits, with every activation and every switch on the way (section 2, Fig. 3)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn import initializers

from zfjax import layers as kinds
from zfjax import ops
from zfjax.arch import Arch
from zfjax.arguments import check_arch, check_given, check_images, check_key, check_params
from zfjax.errors import InputError
from zfjax.layers import IMAGE, Layer, pair
from zfjax.rows import STATISTICS, Row

# Root mean square of photo pixels about their mean image. He's rule takes inputs of RMS 1, so the first layer's weights
# are divided by this; otherwise all that follows starts that many times too large.
PIXEL_RMS = 62.0


class Forward(NamedTuple):
    """What a convnet computed. XLA deletes whatever the caller ignores."""

    logits: jax.Array  # float32 [N, num_classes]
    activations: dict[str, jax.Array]  # "conv1" (after ReLU), "pool1", ...: [N, h, w, C]; fully connected: [N, 1, 1, C]
    switches: dict[str, jax.Array]  # "pool1", ...: uint8 [N, h, w, C], place of the maximum within its window
    statistics: dict[str, dict[str, jax.Array]] = {}  # {"bn1": {"mean", "var"}}, as a training goes on with


class ConvNet(nn.Module):
    """An architecture as a Flax module: `.apply({"params": params}, images, train=..., rngs=...)` -> Forward.

    images: float [N, size, size, channels], mean removed. `train=True` turns dropout on, has BatchNorm use the batch's
    own statistics and return the running ones as `Forward.statistics`; rngs={"dropout": key}.
    dtype: type of the computation, float32 or bfloat16; parameters and logits stay float32.
    given: activations of layers that are not computed but taken, as in `forward`.
    Forward-mode differentiation raises TypeError where there is max pooling or contrast normalisation (`ops.max_pool`).
    Raises InputError when the images are not floats of the architecture's size.
    """

    arch: Arch
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, images: jax.Array, *, train: bool = False, given: Mapping[str, jax.Array] | None = None
    ) -> Forward:
        check_images(self.arch, images)
        given = given or {}
        check_given(self.arch, images, given)
        maps = {IMAGE: images.astype(self.dtype)}
        switches, statistics = {}, {}
        pooled = {row.inputs[0] for row in self.arch.rows if train and isinstance(row.layer, kinds.MaxPool)}
        below: dict[str, tuple] = {}  # of what is pooled: the maps before bias and ReLU, and the bias
        params = _drawn(self.arch)
        for row in self.arch.rows:
            name, layer, inputs = row.name, row.layer, [maps[each] for each in row.inputs]
            if name in given:
                maps[name] = given[name].astype(self.dtype)
                continue
            match layer:
                case kinds.Conv() if name in pooled and layer.relu:
                    plain = _convolve(layer, params[name], inputs[0])
                    below[name] = plain, params[name].get("bias")
                    maps[name] = nn.relu(_add_bias(plain, params[name]))
                case kinds.MaxPool():
                    (of,) = row.inputs
                    x, bias = below.get(of, (inputs[0], None))
                    geometry = layer.window, layer.strides, layer.padding
                    x, switches[name] = ops.max_pool(x, *geometry, bias=bias, relu=of in below)
                    maps[name] = nn.relu(x) if layer.relu else x
                case kinds.BatchNorm() if train:
                    maps[name], statistics[name] = _normalise_batch(layer, params[name], inputs[0])
                case kinds.Dropout():
                    x = nn.Dropout(layer.rate, name=name)(inputs[0], deterministic=not train)
                    maps[name] = nn.relu(x) if layer.relu else x
                case _:
                    maps[name] = apply_layer(layer, params, inputs)
        last, activations = maps[self.arch.layer_names[-1]], {name: maps[name] for name in self.arch.layer_names}
        return Forward(last.reshape(len(last), -1).astype(jnp.float32), activations, switches, statistics)


class _Weights(nn.Module):
    """The parameters of a ConvNet without its layers: to draw them nothing of these need be traced."""

    arch: Arch

    @nn.compact
    def __call__(self) -> dict[str, dict[str, jax.Array]]:
        return _drawn(self.arch)


def _drawn(arch: Arch) -> dict[str, dict[str, jax.Array]]:
    """{layer: {name: array}} of the module that calls this, drawn or given."""
    rows = [row for row in arch.rows if row.param_shapes]
    starts = [_initializers(arch, row, row is rows[0]) for row in rows]
    return {row.name: _Params(row.param_shapes, each, name=row.name)() for row, each in zip(rows, starts, strict=True)}


class _Params(nn.Module):
    """The parameters of one layer, {name: array}, under the layer's name in the tree."""

    shapes: dict[str, tuple[int, ...]]
    starts: dict[str, initializers.Initializer]

    @nn.compact
    def __call__(self) -> dict[str, jax.Array]:
        return {name: self.param(name, self.starts[name], shape) for name, shape in self.shapes.items()}


def apply_layer(layer: Layer, params: dict, inputs: Sequence[jax.Array]) -> jax.Array:
    """What one layer makes of its inputs [N, H, W, C] in evaluation: [N, h, w, C'].

    params: {layer: {"kernel", "bias", ...}}, in which layers without parameters need no entry.
    """
    x, own = inputs[0], params.get(layer.name, {})
    y: Any
    match layer:
        case kinds.Conv():
            y = _add_bias(_convolve(layer, own, x), own)
        case kinds.Dense():
            kernel = own["kernel"].astype(x.dtype)
            y = _add_bias((x.reshape(len(x), -1) @ kernel).reshape(len(x), 1, 1, kernel.shape[1]), own)
        case kinds.MaxPool():
            # without switches; `ops.max_pool` would compute its input again for each of the windows that share it
            padding: Any = layer.padding  # flax declares a name alone
            y = nn.max_pool(x, pair(layer.window), pair(layer.strides), padding)
        case kinds.AvgPool():
            y = ops.avg_pool(x, layer.window, layer.strides, layer.padding, layer.count_include_pad)
        case kinds.GlobalAvgPool():
            y = x.astype(jnp.float32).mean(axis=(1, 2), keepdims=True).astype(x.dtype)
        case kinds.LRN():
            y = ops.local_response_norm(x, layer.n, layer.k, layer.alpha, layer.beta)
        case kinds.BatchNorm():
            y = _normalise(layer, own, x, own["mean"], own["var"])
        case kinds.Concat():
            y = jnp.concatenate(inputs, axis=-1)
        case kinds.Add():
            y = sum(inputs[1:], x)
        case kinds.Dropout() | kinds.Identity():
            y = x
        case _:
            assert_never(layer)
    return nn.relu(y) if layer.relu else y


def _convolve(layer: kinds.Conv, own: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    options = {"strides": layer.strides, "padding": layer.padding, "dilation": layer.dilation}
    return ops.conv(x, own["kernel"], groups=layer.groups, **options)


def _add_bias(y: jax.Array, own: dict[str, jax.Array]) -> jax.Array:
    return y + own["bias"].astype(y.dtype).reshape(1, 1, 1, -1) if "bias" in own else y


def _normalise(
    layer: kinds.BatchNorm, own: dict[str, jax.Array], x: jax.Array, mean: jax.Array, var: jax.Array
) -> jax.Array:
    """In float32: in bfloat16 the difference of two large numbers would be lost."""
    slope = own["scale"] * jax.lax.rsqrt(var + layer.eps)
    shift = own["bias"] - mean * slope
    y = x.astype(jnp.float32) * slope.reshape(1, 1, 1, -1) + shift.reshape(1, 1, 1, -1)
    return y.astype(x.dtype)


def _normalise_batch(layer: kinds.BatchNorm, own: dict[str, jax.Array], x: jax.Array):
    """By the mean and variance over batch and places; and the running statistics, which take the unbiased variance."""
    wide = x.astype(jnp.float32)
    mean = wide.mean(axis=(0, 1, 2))
    var = jnp.square(wide - mean.reshape(1, 1, 1, -1)).mean(axis=(0, 1, 2))
    y = _normalise(layer, own, x, mean, var)
    count = math.prod(x.shape[:3])
    seen = {"mean": mean, "var": var * (count / max(1, count - 1))}
    running = {name: layer.momentum * own[name] + (1 - layer.momentum) * seen[name] for name in STATISTICS}
    return nn.relu(y) if layer.relu else y, jax.lax.stop_gradient(running)


def _initializers(arch: Arch, row: Row, first: bool) -> dict[str, initializers.Initializer]:
    """Of each parameter. Biases of 1 go with weights of 0.01, which hardly pass a signal on; He's and Glorot's rules
    take biases of 0: with 1, alexnet began at a loss of 5 in place of 2.3 and stayed behind for epochs."""
    zeros, ones = initializers.zeros, initializers.ones
    if not isinstance(row.layer, kinds.Conv | kinds.Dense):
        return {"scale": ones, "bias": zeros, "mean": zeros, "var": ones}
    match arch.recipe.init:
        case "paper":
            return {"kernel": initializers.normal(0.01), "bias": initializers.constant(row.layer.bias or 0.0)}
        case "glorot":
            return {"kernel": initializers.glorot_uniform(), "bias": zeros}
        case "he":
            rms = max(1.0, PIXEL_RMS * arch.input_scale) if first else 1.0
            return {"kernel": initializers.variance_scaling(2.0 / rms**2, "fan_in", "normal"), "bias": zeros}
    raise InputError(f"init is 'paper', 'he' or 'glorot', not {arch.recipe.init!r}")


def seed_key(seed: jax.Array | int) -> jax.Array:
    """The key that a seed stands for, of the same kind whatever JAX_DEFAULT_PRNG_IMPL says: a run goes on elsewhere."""
    return jax.random.key(seed, impl="threefry2x32")


def init_params(key: jax.Array, arch: Arch) -> dict:
    """Random parameters {layer: {"kernel", "bias", ...}}, float32, by the architecture's recipe (section 3).

    Raises InputError for what is no key or no Arch.
    """
    check_arch(arch)
    check_key(key)
    variables: Any = _Weights(arch).init(key)
    return jax.tree.map(jnp.asarray, dict(variables.get("params", {})))  # a network of pools has none


def forward(arch: Arch, params: dict, images: jax.Array, *, given: Mapping[str, jax.Array] | None = None) -> Forward:
    """Runs the network as in evaluation: no dropout, running statistics. images: float32 [N, size, size, channels], as
    `Preprocess` makes them. given: {layer: activation [N, h, w, C]}, taken in place of what the layers would compute
    (a pool among them has no switches): gradients to it, and what follows when it is changed. Raises InputError for
    other images, for the parameters of another network, and for an activation of no layer or of another shape."""
    check_arch(arch)
    check_params(arch, params)
    out = ConvNet(arch).apply({"params": params}, images, given=given)
    assert isinstance(out, Forward)  # and no pair with state, which the network has none of
    return out
