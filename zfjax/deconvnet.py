"""The deconvnet: from chosen activations back to pixels by unpooling, rectifying and filtering (section 2.1).

One activation depends on nothing outside its receptive field, so it is projected in a window of that size: for a conv2
unit of ZFNet 27x27 instead of 224x224 pixels, about 350 times fewer multiply-adds than the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer

from zfjax import ops
from zfjax.arch import Arch
from zfjax.descent import Descent, Norm, descend
from zfjax.errors import InputError
from zfjax.layers import IMAGE
from zfjax.windows import Corner, cut, put

if TYPE_CHECKING:  # the deconvnet takes any Forward-shaped value and never runs a convnet
    from zfjax.convnet import Forward

Seed = Literal["activation", "one"]


class Units(NamedTuple):
    """Which activation of which image: four int arrays [U]. Fully connected layers: row = col = 0."""

    image: jax.Array
    channel: jax.Array
    row: jax.Array
    col: jax.Array


class Projection(NamedTuple):
    """Units in pixel space; windows may stick out over the image's border, where they are zero."""

    pixels: jax.Array  # [U, h, w, channels], h = w = receptive field; the whole image for fully connected layers
    top: jax.Array  # int [U], the image row of pixels[:, 0], negative above the image
    left: jax.Array  # int [U]


def strongest(forward: Forward, layer: str, channels: Sequence[int] | jax.Array) -> Units:
    """The strongest place of each of the channels in each image: units [N * len(channels)], image by image.

    Of equal activations the first in row-major order counts. Raises InputError for an unknown layer.
    """
    maps = _activation(forward, layer)
    channels = jnp.asarray(channels)
    _, row, col = ops.peaks(maps[..., channels])  # [N, channels]
    image, channel = jnp.meshgrid(jnp.arange(len(maps)), channels, indexing="ij")
    return Units(*map(jnp.ravel, (image, channel, row, col)))


def project(
    arch: Arch,
    params: dict,
    forward: Forward,
    layer: str,
    units: Units,
    *,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    seed: Seed = "activation",
) -> Projection:
    """Projects single activations down to pixels, each alone: all others of its layer are zero (section 2.1).

    units: [U] of any images of `forward`, repeated as you like; `forward` must come from these `params`.
    overlap: what happens where pooling windows share a maximum, see `ops.max_unpool`. norm: "identity" leaves contrast
    normalisation out on the way down (the paper), "vjp" takes its true gradient. seed: the unit starts from its
    activation or from one; for a rectified layer this changes the picture by a positive factor only.
    Raises InputError for an unknown layer or option, and for units outside the layer where their values are known.
    """
    _check_options(norm, seed)
    spans, units = arch.spans(layer), Units(*map(jnp.asarray, units))
    maps = _activation(forward, layer)
    _check_units(units, maps.shape, layer)
    value = maps[units.image, units.row, units.col, units.channel] if seed == "activation" else 1.0
    lone = jax.nn.one_hot(units.channel, maps.shape[3], dtype=maps.dtype) * jnp.reshape(value, (-1, 1))
    walk = Descent(arch, params, forward, spans, Corner(units.row, units.col), units.image, overlap, norm)
    pixels = descend(walk, layer, lone[:, None, None, :])
    if (seen := spans.get(IMAGE)) is None:
        nowhere = jnp.zeros_like(units.row)
        return Projection(pixels, nowhere, nowhere)
    place = walk.corner(IMAGE)
    if walk.is_whole(IMAGE):
        pixels = cut(pixels, jnp.arange(len(pixels)), place, (seen[0].size, seen[1].size))
    return Projection(pixels, *place)


def project_map(
    arch: Arch,
    params: dict,
    forward: Forward,
    layer: str,
    signal: jax.Array,
    *,
    image: jax.Array | None = None,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
) -> jax.Array:
    """Projects many activations of one layer at once: [U, h, w, C] -> pixels [U, image_size, image_size, channels].

    signal: the layer's activations with the unwanted ones set to zero. image: int [U], whose switches each row of the
    signal uses; None for one row an image, in order. The rest as in `project`.
    """
    _check_options(norm)
    whole, maps = dict.fromkeys(arch.spans(layer)), _activation(forward, layer)
    image = jnp.arange(maps.shape[0]) if image is None else jnp.asarray(image)
    if signal.shape != (*image.shape, *maps.shape[1:]):
        raise InputError(f"the signal for {layer} should be {[*image.shape, *maps.shape[1:]]}, not {[*signal.shape]}")
    return descend(Descent(arch, params, forward, whole, None, image, overlap, norm), layer, signal)


def paste(projection: Projection, image_size: int) -> jax.Array:
    """Puts windows back at their place in the image: [U, image_size, image_size, channels], zero elsewhere."""
    return put(projection.pixels, Corner(projection.top, projection.left), (image_size, image_size))


def _activation(forward: Forward, layer: str) -> jax.Array:
    if layer not in forward.activations:
        raise InputError(f"unknown layer {layer!r}; this network has {', '.join(forward.activations)}")
    return forward.activations[layer]


def _check_options(norm: str, seed: str = "one") -> None:
    if norm not in ("identity", "vjp"):
        raise InputError(f"norm is 'identity' or 'vjp', not {norm!r}")
    if seed not in ("activation", "one"):
        raise InputError(f"seed is 'activation' or 'one', not {seed!r}")


def _check_units(units: Units, shape: tuple[int, ...], layer: str) -> None:
    if any(isinstance(index, Tracer) for index in units):
        return  # values are unknown while tracing; indices out of range are then clamped by JAX
    images, height, width, channels = shape
    for name, size in {"image": images, "channel": channels, "row": height, "col": width}.items():
        index = getattr(units, name)
        if index.size and not 0 <= index.min() <= index.max() < size:
            raise InputError(f"{layer} has {name} 0 to {size - 1}; asked for {int(index.min())} to {int(index.max())}")
