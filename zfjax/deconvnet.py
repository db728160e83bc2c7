"""The deconvnet: from chosen activations back to pixels by unpooling, rectifying and filtering (section 2.1).

One activation depends on nothing outside its receptive field, so it is projected in a window of that size: for a conv2
unit of ZFNet 27x27 instead of 224x224 pixels, about 350 times fewer multiply-adds than the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from zfjax import checks, ops
from zfjax.arch import Arch
from zfjax.arguments import check_arch, check_params
from zfjax.descent import Descent, Norm, Rectify, descend
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

    Of equal activations the first in row-major order counts. Raises InputError for an unknown layer, and for channels
    that it does not have where their numbers are known (not while JAX traces them: JAX clamps those).
    """
    maps = _activation(forward, layer)
    _check_indices({"channel": (channels, maps.shape[3])}, layer)
    channels = _flat("channels", channels)
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
    rectify: Rectify = "signal",
) -> Projection:
    """Projects single activations down to pixels, each alone: all others of its layer are zero (section 2.1).

    units: [U] of any images of `forward`, repeated as you like; `forward` must come from these `params`.
    overlap: what happens where pooling windows share a maximum, see `ops.max_unpool`. norm: "identity" leaves contrast
    normalisation out on the way down (the paper), "vjp" takes its true gradient. seed: the unit starts from its
    activation or from one; for a rectified layer this changes the picture by a positive factor only.
    rectify: what a ReLU lets through on the way down. "signal": what is positive of the signal (the paper);
    "activation": the signal where the ReLU let something through on the way up, which with "vjp" and "one" is the
    plain gradient; "both": guided backpropagation.
    A forward pass in bfloat16 has some switches other than float32's (`ops.max_pool`); with them and its rounding
    pictures differ by up to 24 % of their peak (median 3 %; conv5 of zf-mini, `python -m benchmarks.bfloat16`).
    Raises InputError for an unknown layer or option, and for units outside the layer where their values are known.
    """
    _check_options(overlap, norm, seed, rectify)
    spans, maps = _checked(arch, params, forward, layer)
    images, height, width, channels = maps.shape
    units = Units(*units)
    of = {"image": (units.image, images), "channel": (units.channel, channels)}
    _check_indices({**of, "row": (units.row, height), "col": (units.col, width)}, layer)
    units = Units(*map(_flat, Units._fields, units))
    if len({len(each) for each in units}) > 1:
        raise InputError(f"units are four arrays of one length, not of {', '.join(str(len(each)) for each in units)}")
    value = maps[units.image, units.row, units.col, units.channel] if seed == "activation" else 1.0
    lone = jax.nn.one_hot(units.channel, maps.shape[3], dtype=maps.dtype) * jnp.reshape(value, (-1, 1))
    walk = Descent(arch, params, forward, spans, Corner(units.row, units.col), units.image, overlap, norm, rectify)
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
    _check_options(overlap, norm)
    spans, maps = _checked(arch, params, forward, layer)
    if image is not None:
        _check_indices({"image": (image, maps.shape[0])}, layer)
    image = jnp.arange(maps.shape[0]) if image is None else _flat("image", image)
    if signal.shape != (*image.shape, *maps.shape[1:]):
        raise InputError(f"the signal for {layer} should be {[*image.shape, *maps.shape[1:]]}, not {[*signal.shape]}")
    return descend(Descent(arch, params, forward, dict.fromkeys(spans), None, image, overlap, norm), layer, signal)


def paste(projection: Projection, image_size: int) -> jax.Array:
    """Puts windows back at their place in the image: [U, image_size, image_size, channels], zero elsewhere.

    Raises InputError for an image_size that is no whole number.
    """
    image_size = checks.require(checks.whole(1), image_size, "image_size is the side of the image in pixels")
    return put(projection.pixels, Corner(projection.top, projection.left), (image_size, image_size))


def _activation(forward: Forward, layer: str) -> jax.Array:
    if not hasattr(forward, "activations"):
        raise InputError(f"forward must be what zfjax.forward returns, not a value of type {type(forward).__name__}")
    if layer not in forward.activations:
        raise InputError(f"unknown layer {layer!r}; this network has {', '.join(forward.activations)}")
    return forward.activations[layer]


def _check_options(overlap: str, norm: str, seed: str = "one", rectify: str = "signal") -> None:
    known = {"overlap": ("sum", "max", "last"), "norm": ("identity", "vjp"), "seed": ("activation", "one")}
    known["rectify"] = get_args(Rectify)
    for name, value in {"overlap": overlap, "norm": norm, "seed": seed, "rectify": rectify}.items():
        if value not in known[name]:
            raise InputError(f"{name} is {' or '.join(map(repr, known[name]))}, not {value!r}")


def _checked(arch: Arch, params: dict, forward: Forward, layer: str) -> tuple[dict, jax.Array]:
    """The layer's spans and activations; raises InputError where arguments are none, or of different networks."""
    check_arch(arch)
    spans, maps = arch.spans(layer), _activation(forward, layer)
    if maps.shape[1:] != arch.row(layer).shape:
        raise InputError(
            f"{layer} of this network is {list(arch.row(layer).shape)}, and the forward pass, of another network, has "
            f"{list(maps.shape[1:])}"
        )
    check_params(arch, params, [arch.row(name) for name in spans if name != IMAGE])
    return spans, maps


def _flat(name: str, given: Any) -> jax.Array:
    array = jnp.asarray(given, None if np.size(given) else int)  # an empty list is one of floats
    if array.ndim != 1:
        raise InputError(f"{name} must be a list of numbers, not an array of shape {list(array.shape)}")
    return array


def _check_indices(indices: dict[str, tuple[Any, int]], layer: str) -> None:
    """Each: numbers, and how many there are. What JAX traces has no values yet; JAX clamps numbers out of range."""
    for name, (given, size) in indices.items():
        if isinstance(given, Tracer):
            continue
        index = np.asarray(given)  # not jnp: inside jit that would trace the comparison too
        if index.size and not (index.dtype.kind in "iu" and 0 <= index.min() <= index.max() < size):
            least, most = index.min(), index.max()
            raise InputError(
                f"{layer} has {name} 0 to {size - 1}; asked for {least}" + f" to {most}" * bool(least != most)
            )
