"""The network on copies of one image that differ from it in a small window: only what changed is computed again.

A window of 50 pixels reaches 28x28 of conv1's 110x110 places and 10x10 of conv2's 26x26: for ZFNet 0.45 instead of 1.17
billion multiply-adds an image.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zfjax.arch import Arch
from zfjax.convnet import Forward, apply_layer
from zfjax.layers import VALID, AvgPool, Conv, Dense, MaxPool
from zfjax.windows import Corner, cut, inside, put


class _Change(NamedTuple):
    """Maps that equal one base outside a window."""

    base: jax.Array  # [H, W, C]
    window: jax.Array  # [U, h, w, C]
    corner: Corner


def forward_changed(
    arch: Arch, params: dict, image: jax.Array, whole: Forward, window: jax.Array, corner: Corner
) -> Forward:
    """What `forward` computes for U copies of an image, each with one window of its own replaced; without switches.

    image: [size, size, channels], mean removed. whole: forward(arch, params, image[None]). window: [U, h, w, channels],
    what takes the place of the image at the corners; it must not stick out. Equal to the whole computation up to
    rounding.
    """
    maps: _Change | jax.Array = _Change(image, window, corner)
    activations = {}
    for row in arch.rows:
        layer = row.layer
        if isinstance(maps, _Change):
            maps = _step(layer, params, maps, whole.activations[layer.name][0])
        else:
            maps = apply_layer(layer, params, maps)
        activations[layer.name] = _complete(maps) if isinstance(maps, _Change) else maps
    logits = activations[arch.layer_names[-1]]
    return Forward(logits.reshape(len(window), -1).astype(jnp.float32), activations, {})


def _step(layer, params, change: _Change, base: jax.Array) -> _Change | jax.Array:
    """One layer on the window alone, or on whole maps where the window would be as large."""
    if isinstance(layer, Dense):
        return apply_layer(layer, params, _complete(change))
    if not isinstance(layer, Conv | MaxPool | AvgPool):  # each place by itself
        return _Change(base, apply_layer(layer, params, change.window), change.corner)
    reach = layer.kernel if isinstance(layer, Conv) else layer.window
    # Of places `strides` apart this many can see a cell of the window, whatever its position.
    size = tuple((length + reach - 2) // layer.strides + 1 for length in change.window.shape[1:3])
    if any(ours >= theirs for ours, theirs in zip(size, base.shape[:2], strict=True)):
        return apply_layer(layer, params, _complete(change))
    padding = VALID if isinstance(layer, AvgPool) else layer.padding
    corner = Corner(
        *(  # the first place that sees the window, or one before it where the last would lie outside
            jnp.clip(-(-(start + before - reach + 1) // layer.strides), 0, end - length)
            for start, (before, _), end, length in zip(change.corner, padding, base.shape[:2], size, strict=True)
        )
    )
    seen = Corner(*(start * layer.strides - before for start, (before, _) in zip(corner, padding, strict=True)))
    extent = tuple((length - 1) * layer.strides + reach for length in size)
    unpadded = layer if isinstance(layer, AvgPool) else dataclasses.replace(layer, padding=VALID)
    outside = -jnp.inf if isinstance(layer, MaxPool) else 0
    return _Change(base, apply_layer(unpadded, params, _look(change, seen, extent, outside)), corner)


def _look(change: _Change, seen: Corner, extent: tuple[int, int], outside: float) -> jax.Array:
    """What lies at the corners `seen`: the window where it is, the base around it, `outside` beyond the map."""
    images = jnp.arange(len(change.window))
    unchanged = cut(change.base[None], jnp.zeros_like(images), seen, extent, outside)
    place = Corner(*(there - here for there, here in zip(seen, change.corner, strict=True)))
    changed = inside(place, extent, change.window.shape[1:3])
    return jnp.where(changed, cut(change.window, images, place, extent), unchanged)


def _complete(change: _Change) -> jax.Array:
    """Whole maps, [U, H, W, C]."""
    size = change.base.shape[:2]
    place = Corner(-change.corner.top, -change.corner.left)
    changed = inside(place, size, change.window.shape[1:3])
    return jnp.where(changed, put(change.window, change.corner, size), change.base)
