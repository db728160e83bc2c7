"""The convnet: images up to logits, with every activation and every switch on the way (section 2, Fig. 3)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn import initializers

from zfjax import ops
from zfjax.arch import Arch, Row
from zfjax.layers import LRN, AvgPool, Conv, Dense, Dropout, Layer, MaxPool

# Root mean square of photo pixels about their mean image. He's rule takes inputs of RMS 1, so the first layer's weights
# are divided by this; otherwise all that follows starts that many times too large.
PIXEL_RMS = 62.0


class Forward(NamedTuple):
    """What a convnet computed. XLA deletes whatever the caller ignores."""

    logits: jax.Array  # float32 [N, num_classes]
    activations: dict[str, jax.Array]  # "conv1" (after ReLU), "pool1", ...: [N, h, w, C]; fully connected: [N, 1, 1, C]
    switches: dict[str, jax.Array]  # "pool1", ...: uint8 [N, h, w, C], place of the maximum within its window


class ConvNet(nn.Module):
    """An architecture as a Flax module: `.apply({"params": params}, images, train=..., rngs=...)` -> Forward.

    images: float [N, size, size, channels], mean removed. `train=True` turns dropout on; rngs={"dropout": key}.
    dtype: type of the computation, float32 or bfloat16; parameters and logits stay float32.
    Raises ValueError when the images are not of the architecture's size.
    """

    arch: Arch
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> Forward:
        size, channels = self.arch.image_size, self.arch.channels
        if images.shape[1:] != (size, size, channels):
            raise ValueError(f"{self.arch.name} takes images [N, {size}, {size}, {channels}], not {list(images.shape)}")
        x = images.astype(self.dtype)
        activations, switches = {}, {}
        for row in self.arch.rows:
            name = row.layer.name
            match row.layer:
                case Conv() as layer:
                    x = _Conv(layer, row.input_shape[2], *_initializers(self.arch, row), name=name)(x)
                case Dense() as layer:
                    x = _Dense(layer, row.shape[2], *_initializers(self.arch, row), name=name)(x)
                case MaxPool() as layer:
                    x, switches[name] = ops.max_pool(x, layer.window, layer.strides, layer.padding)
                case Dropout() as layer:
                    x = nn.Dropout(layer.rate, name=name)(x, deterministic=not train)
                case layer:
                    x = apply_layer(layer, {}, x)
            activations[name] = x
        return Forward(x.reshape(len(x), -1).astype(jnp.float32), activations, switches)


class _Conv(nn.Module):
    layer: Conv
    inputs: int
    kernel_init: initializers.Initializer
    bias_init: initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        layer = self.layer
        shape = (layer.kernel, layer.kernel, self.inputs // layer.groups, layer.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", self.bias_init, (layer.features,))
        return apply_layer(layer, {layer.name: {"kernel": kernel, "bias": bias}}, x)


class _Dense(nn.Module):
    layer: Dense
    features: int
    kernel_init: initializers.Initializer
    bias_init: initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (math.prod(x.shape[1:]), self.features))
        bias = self.param("bias", self.bias_init, (self.features,))
        return apply_layer(self.layer, {self.layer.name: {"kernel": kernel, "bias": bias}}, x)


def apply_layer(layer: Layer, params: dict, x: jax.Array) -> jax.Array:
    """What one layer makes of [N, H, W, C] in evaluation: [N, h, w, C'], or [N, 1, 1, C'] of a fully connected one.

    params: {layer: {"kernel", "bias"}}, in which layers without parameters need no entry.
    """
    match layer:
        case Conv():
            options = {"strides": layer.strides, "padding": layer.padding, "groups": layer.groups}
            return _activate(
                ops.conv(x, params[layer.name]["kernel"], **options), params[layer.name]["bias"], layer.relu
            )
        case Dense():
            kernel = params[layer.name]["kernel"].astype(x.dtype)
            y = (x.reshape(len(x), -1) @ kernel).reshape(len(x), 1, 1, kernel.shape[1])
            return _activate(y, params[layer.name]["bias"], layer.relu)
        case MaxPool():
            # without switches; `ops.max_pool` would compute its input again for each of the windows that share it
            return nn.max_pool(x, (layer.window,) * 2, (layer.strides,) * 2, layer.padding)
        case AvgPool():
            return ops.avg_pool(x, layer.window, layer.strides)
        case LRN():
            return ops.local_response_norm(x, layer.n, layer.k, layer.alpha, layer.beta)
        case Dropout():
            return x


def _activate(y, bias, relu: bool):
    y = y + bias.astype(y.dtype).reshape(1, 1, 1, -1)
    return nn.relu(y) if relu else y


def _initializers(arch: Arch, row: Row) -> tuple[initializers.Initializer, initializers.Initializer]:
    """Of the kernel and the bias. Biases of 1 go with weights of 0.01, which hardly pass a signal on; He's and Glorot's
    rules take biases of 0: with 1, alexnet began at a loss of 5 in place of 2.3 and stayed behind for epochs."""
    first = next(other for other in arch.rows if other.params)
    match arch.recipe.init:
        case "paper":
            return initializers.normal(0.01), initializers.constant(row.layer.bias)
        case "glorot":
            return initializers.glorot_uniform(), initializers.zeros
        case "he":
            rms = max(1.0, PIXEL_RMS * arch.recipe.input_scale) if row == first else 1.0
            return initializers.variance_scaling(2.0 / rms**2, "fan_in", "normal"), initializers.zeros
    raise ValueError(f"init is 'paper', 'he' or 'glorot', not {arch.recipe.init!r}")


def init_params(key: jax.Array, arch: Arch) -> dict:
    """Random parameters {layer: {"kernel", "bias"}}, float32, by the architecture's recipe (section 3)."""
    images = jax.ShapeDtypeStruct((1, arch.image_size, arch.image_size, arch.channels), jnp.float32)
    return ConvNet(arch).lazy_init(key, images)["params"]


def forward(arch: Arch, params: dict, images: jax.Array) -> Forward:
    """Runs the network as in evaluation: no dropout. images: float32 [N, size, size, channels], mean removed."""
    return ConvNet(arch).apply({"params": params}, images)
