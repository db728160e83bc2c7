"""The deconvnet: from chosen activations back to pixels by unpooling, rectifying and filtering (section 2.1).

One activation depends on nothing outside its receptive field, so it is projected in a window of that size: for a conv2
unit of ZFNet 27x27 instead of 224x224 pixels, about 350 times fewer multiply-adds than the whole image.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import jax
import jax.numpy as jnp

from zfjax import ops
from zfjax.arch import Arch, Row
from zfjax.errors import InputError
from zfjax.layers import LRN, AvgPool, Conv, Dense, Dropout, MaxPool
from zfjax.windows import Corner, cut, inside, put

if TYPE_CHECKING:  # the deconvnet takes any Forward-shaped value and never runs a convnet
    from zfjax.convnet import Forward

Norm = Literal["identity", "vjp"]
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
    field = arch.receptive_field(layer)
    units = Units(*map(jnp.asarray, units))
    maps = _activation(forward, layer)
    _check_units(units, maps.shape, layer)
    value = maps[units.image, units.row, units.col, units.channel] if seed == "activation" else 1.0
    lone = jax.nn.one_hot(units.channel, maps.shape[3], dtype=maps.dtype) * jnp.reshape(value, (-1, 1))
    walk = functools.partial(_descend, arch, params, forward, layer, image=units.image, overlap=overlap, norm=norm)
    pixels, corner = walk(lone[:, None, None, :], corner=Corner(units.row, units.col))
    place = Corner(units.row * field.stride + field.offset, units.col * field.stride + field.offset)
    if corner is None:  # the walk went over to whole maps
        pixels = cut(pixels, jnp.arange(len(pixels)), place, (field.size, field.size))
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
    maps = _activation(forward, layer)
    image = jnp.arange(maps.shape[0]) if image is None else jnp.asarray(image)
    if signal.shape != (*image.shape, *maps.shape[1:]):
        raise InputError(f"the signal for {layer} should be {[*image.shape, *maps.shape[1:]]}, not {[*signal.shape]}")
    walk = functools.partial(_descend, arch, params, forward, layer, image=image, overlap=overlap, norm=norm)
    return walk(signal, corner=None)[0]


def paste(projection: Projection, image_size: int) -> jax.Array:
    """Puts windows back at their place in the image: [U, image_size, image_size, channels], zero elsewhere."""
    return put(projection.pixels, Corner(projection.top, projection.left), (image_size, image_size))


def _descend(arch, params, forward, layer, signal, *, image, corner: Corner | None, overlap, norm):
    """Walks the table down: whole maps where corner is None, else windows whose corners are followed map by map."""
    names = arch.layer_names
    for depth in range(names.index(layer), -1, -1):
        row, below = arch.rows[depth], names[depth - 1] if depth else None
        if corner is not None and signal.shape[1] >= row.shape[0]:  # the window has outgrown the map
            signal, corner = put(signal, corner, row.shape[:2]), None
        match row.layer:
            case Conv() as conv:
                signal = _rectify(signal, conv.relu)
                kernel = params[conv.name]["kernel"].astype(signal.dtype)
                signal, corner = _filter(row, kernel, signal, corner)
            case Dense() as dense:
                kernel = params[dense.name]["kernel"].astype(signal.dtype)
                flat = _rectify(signal, dense.relu).reshape(len(signal), -1)
                signal = (flat @ kernel.T).reshape(-1, *row.input_shape)
            case MaxPool() as pool:
                signal, corner = _unpool(row, forward.switches[pool.name], signal, image, corner, overlap)
            case AvgPool():
                signal, corner = _spread(row, signal, corner)
            case LRN() as lrn if norm == "vjp":
                signal = _unnormalise(lrn, forward, below, signal, image, corner)
            case LRN() | Dropout():
                pass
    return signal, corner


def _rectify(signal, relu: bool):
    return jax.nn.relu(signal) if relu else signal


def _filter(row: Row, kernel, signal, corner):
    conv = row.layer
    options = {"strides": conv.strides, "groups": conv.groups}
    if corner is None:
        shape = (len(signal), *row.input_shape)
        return ops.conv_transpose(signal, kernel, shape, padding=conv.padding, **options), None
    shape = _grown(signal, conv.kernel, conv.strides, row.input_shape[2])
    signal = ops.conv_transpose(signal, kernel, shape, **options)
    return _clip(signal, _below(corner, conv.strides, conv.padding), row.input_shape)


def _unpool(row: Row, switches, signal, image, corner, overlap):
    pool = row.layer
    options = {"window": pool.window, "strides": pool.strides, "overlap": overlap}
    if corner is None:
        shape = (len(signal), *row.input_shape)
        return ops.max_unpool(signal, switches[image], shape, padding=pool.padding, **options), None
    shape = _grown(signal, pool.window, pool.strides, row.input_shape[2])
    signal = ops.max_unpool(signal, cut(switches, image, corner, signal.shape[1:3]), shape, **options)
    return _clip(signal, _below(corner, pool.strides, pool.padding), row.input_shape)


def _spread(row: Row, signal, corner):
    pool = row.layer
    if corner is None:
        return ops.avg_unpool(signal, (len(signal), *row.input_shape), pool.window, pool.strides), None
    shape = _grown(signal, pool.window, pool.strides, row.input_shape[2])
    return ops.avg_unpool(signal, shape, pool.window, pool.strides), _below(corner, pool.strides, ((0, 0), (0, 0)))


def _unnormalise(lrn: LRN, forward: Forward, below: str | None, signal, image, corner):
    if below is None:
        raise InputError(f"norm='vjp' needs the input of {lrn.name}, and the image itself is not kept in Forward")
    maps = forward.activations[below]
    inputs = maps[image] if corner is None else cut(maps, image, corner, signal.shape[1:3])
    _, vjp = jax.vjp(lambda x: ops.local_response_norm(x, lrn.n, lrn.k, lrn.alpha, lrn.beta), inputs)
    return vjp(signal)[0]


def _grown(signal, window: int, strides: int, channels: int) -> tuple[int, ...]:
    size = (signal.shape[1] - 1) * strides + window
    return (len(signal), size, size, channels)


def _below(corner: Corner, strides: int, padding) -> Corner:
    return Corner(corner.top * strides - padding[0][0], corner.left * strides - padding[1][0])


def _clip(signal, corner: Corner, shape):
    """Clears what lies outside the map: padding is no place that a signal could come from."""
    return jnp.where(inside(corner, signal.shape[1:3], shape[:2]), signal, 0), corner


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
    if any(isinstance(index, jax.core.Tracer) for index in units):
        return  # values are unknown while tracing; indices out of range are then clamped by JAX
    images, height, width, channels = shape
    for name, size in {"image": images, "channel": channels, "row": height, "col": width}.items():
        index = getattr(units, name)
        if index.size and not 0 <= index.min() <= index.max() < size:
            raise InputError(f"{layer} has {name} 0 to {size - 1}; asked for {int(index.min())} to {int(index.max())}")
