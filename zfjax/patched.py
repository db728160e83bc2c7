"""The network on copies of one image that differ from it in a small window: only what changed is computed again.

A window of 50 pixels reaches 28x28 of conv1's 110x110 places and 10x10 of conv2's 26x26: for ZFNet 0.45 instead of 1.17
billion multiply-adds an image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zfjax import averages
from zfjax.arch import Arch
from zfjax.convnet import Forward, apply_layer
from zfjax.layers import IMAGE, VALID, AvgPool, Conv, MaxPool
from zfjax.rows import POINT, Geometry, Row, Spans
from zfjax.windows import Corner, cut, inside, put


class _Change(NamedTuple):
    """Maps that equal one base outside a window."""

    base: jax.Array  # [H, W, C]
    window: jax.Array  # [U, h, w, C]
    corner: Corner


class _Place(NamedTuple):
    """A window of places of a map."""

    corner: Corner
    size: tuple[int, int]


_Maps = _Change | jax.Array  # or whole maps [U, H, W, C]


def forward_changed(
    arch: Arch, params: dict, image: jax.Array, whole: Forward, window: jax.Array, corner: Corner
) -> Forward:
    """What `forward` computes for U copies of an image, each with one window of its own replaced; without switches.

    image: [size, size, channels], mean removed. whole: forward(arch, params, image[None]). window: [U, h, w, channels],
    what takes the place of the image at the corners; it must not stick out. Equal to the whole computation up to
    rounding.
    """
    maps = _changed(arch, params, _Change(image, window, corner), whole, None)
    activations = {row.name: _complete(maps[row.name]) for row in arch.rows}
    logits = activations[arch.layer_names[-1]]
    return Forward(logits.reshape(len(window), -1).astype(jnp.float32), activations, {})


def place_changed(
    arch: Arch,
    params: dict,
    image: jax.Array,
    whole: Forward,
    window: jax.Array,
    corner: Corner,
    layer: str,
    place: Corner,
) -> jax.Array:
    """One place of one layer as `forward_changed` has it, [U, C], of which only what that place sees is computed.

    place: its row and column, the same for all, or int arrays [U].
    """
    place = Corner(*(jnp.broadcast_to(each, corner.top.shape) for each in place))
    change = _Change(image, window, corner)
    found = _changed(arch, params, change, whole, _Reach(arch.spans(layer), place))[layer]
    if isinstance(found, _Change):
        return _look(found, place, (1, 1), 0)[:, 0, 0]
    return cut(found, jnp.arange(len(window)), place, (1, 1))[:, 0, 0]


class _Reach(NamedTuple):
    """What is asked for: one place, and what it reaches of each layer below it."""

    spans: Mapping[str, Spans]
    place: Corner


def _changed(arch: Arch, params: dict, change: _Change, whole: Forward, reach: _Reach | None) -> dict[str, _Maps]:
    """The maps of all layers, or of those that are reached: there they are right as far as the place reaches."""
    maps: dict[str, _Maps] = {IMAGE: change}
    places: dict[tuple, _Place | None] = {}  # layers that see alike share their corners
    for row in arch.rows:
        if reach and row.name not in reach.spans:
            continue
        inputs = [maps[name] for name in row.inputs]
        kind = (arch.spans(row.name).get(IMAGE), row.shape[:2], reach and reach.spans[row.name])
        if kind not in places:
            places[kind] = _affected(*kind, change, reach)
        place, changes = places[kind], [each for each in inputs if isinstance(each, _Change)]
        if place is None or row.geometry is None or len(changes) < len(inputs):
            maps[row.name] = apply_layer(row.layer, params, [_complete(each) for each in inputs])
        else:
            changed = _on_window(row, row.geometry, params, changes, place)
            maps[row.name] = _Change(whole.activations[row.name][0], changed, place.corner)
    return maps


def _affected(
    spans: Spans, shape: tuple[int, int], reached: Spans, change: _Change, reach: _Reach | None
) -> _Place | None:
    """Which places of a map may see a window of the image; None: as many as there are.

    Unit i sees i * stride + low ... i * stride + high, so the first that sees the window is the quotient rounded up,
    and so many can see a cell of it, whatever its position. What would stick out is moved inwards. On an axis where
    what is asked for reaches fewer, it is these.
    """
    if spans is None:
        return None
    axes = []
    for axis, (span, extent) in enumerate(zip(spans, change.window.shape[1:3], strict=True)):
        first, length = (
            -(-(change.corner[axis] - span.high) // span.stride),
            (extent + span.size - 2) // span.stride + 1,
        )
        if reach and reached and reached[axis].size < length:
            own = reached[axis]
            first, length = reach.place[axis] * own.stride + own.low, own.size
        axes.append((first, length))
    if any(length >= end for (_, length), end in zip(axes, shape, strict=True)):
        return None
    first = (jnp.clip(first, 0, end - length) for (first, length), end in zip(axes, shape, strict=True))
    return _Place(Corner(*first), (axes[0][1], axes[1][1]))


def _on_window(row: Row, geometry: Geometry, params: dict, changes: Sequence[_Change], place: _Place) -> jax.Array:
    """One layer at these places alone: [U, *size, C]."""
    layer, seen, reach = row.layer, place.corner, place.size
    if geometry != POINT:
        steps = list(zip(place.corner, geometry.strides, geometry.padding, strict=True))
        seen = Corner(*(start * step - before for start, step, (before, _) in steps))
        sizes = zip(place.size, geometry.strides, geometry.extent, strict=True)
        rows, columns = ((length - 1) * step + extent for length, step, extent in sizes)
        reach = rows, columns
    outside = -jnp.inf if isinstance(layer, MaxPool) else 0
    if isinstance(layer, Conv | MaxPool | AvgPool):
        layer = dataclasses.replace(layer, padding=VALID)
    windows = apply_layer(layer, params, [_look(each, seen, reach, outside) for each in changes])
    if isinstance(row.layer, AvgPool) and not row.layer.count_include_pad:
        # the mean over a whole window is too small where the window sticks out
        counts = averages.avg_counts(row.input_shape[:2], geometry.window, geometry.strides, geometry.padding)
        there = cut(jnp.asarray(counts), jnp.zeros_like(place.corner.top), place.corner, place.size, fill=1)
        windows = windows * (geometry.window[0] * geometry.window[1] / there)
    return windows


def _look(change: _Change, seen: Corner, extent: tuple[int, int], outside: float) -> jax.Array:
    """What lies at the corners `seen`: the window where it is, the base around it, `outside` beyond the map."""
    images = jnp.arange(len(change.window))
    if seen is change.corner and extent == change.window.shape[1:3]:
        return change.window
    unchanged = cut(change.base[None], jnp.zeros_like(images), seen, extent, outside)
    place = Corner(*(there - here for there, here in zip(seen, change.corner, strict=True)))
    changed = inside(place, extent, change.window.shape[1:3])
    return jnp.where(changed, cut(change.window, images, place, extent), unchanged)


def _complete(maps: _Maps) -> jax.Array:
    """Whole maps, [U, H, W, C]."""
    if not isinstance(maps, _Change):
        return maps
    size = maps.base.shape[:2]
    place = Corner(-maps.corner.top, -maps.corner.left)
    changed = inside(place, size, maps.window.shape[1:3])
    return jnp.where(changed, put(maps.window, maps.corner, size), maps.base)
