"""The walk from the signal of one layer down to pixels, over a table of any shape (section 2.1).

A layer's signal is rectified where the layer is, taken through the layer's adjoint once for each input, and added to
what other readers send there. Signals are windows that follow the units, or whole maps where a window would be as
large.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

import jax
import jax.numpy as jnp

from zfjax import averages, ops
from zfjax import layers as kinds
from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import IMAGE, VALID, Padding, Shape, pair
from zfjax.rows import POINT, Row, Span, Spans
from zfjax.windows import Corner, cut, inside, put

if TYPE_CHECKING:  # the deconvnet takes any Forward-shaped value and never runs a convnet
    from zfjax.convnet import Forward

Norm = Literal["identity", "vjp"]
Rectify = Literal["signal", "activation", "both"]  # the deconvnet; the gradient; guided backpropagation


@dataclass(frozen=True)
class Descent:
    """What stays the same on the way down from the units of one layer."""

    arch: Arch
    params: dict
    forward: Forward
    spans: dict[str, Spans]  # what a unit reaches in each layer below; None: the whole map
    units: Corner | None  # places of the units in their own layer; None where it is whole maps that come down
    image: jax.Array  # int [U], whose switches are used
    overlap: ops.Overlap
    norm: Norm
    rectify: Rectify = "signal"

    @functools.cached_property
    def whole(self) -> frozenset[str]:
        """Layers of which the signal is a whole map: there a window is as large, or one above has outgrown its map."""
        found = {name for name, spans in self.spans.items() if spans is None}
        for row in reversed(self.arch.rows):
            if row.name in self.spans and self._outgrown(row.name, row.shape):
                found.add(row.name)
            if row.name in found:
                found |= set(row.inputs)
        return frozenset(found)

    def _outgrown(self, name: str, shape: Shape) -> bool:
        spans = self.spans[name]
        return spans is not None and any(span.size >= size for span, size in zip(spans, shape, strict=False))

    def is_whole(self, name: str) -> bool:
        return name in self.whole

    def shape(self, name: str) -> Shape:
        side = self.arch.image_size
        return (side, side, self.arch.channels) if name == IMAGE else self.arch.row(name).shape

    def window(self, name: str) -> tuple[Span, Span]:
        """What a unit reaches in a layer that is not whole."""
        spans = self.spans[name]
        assert spans is not None
        return spans

    def corner(self, name: str) -> Corner:
        """Where each unit's window lies in the map of a layer that is not whole."""
        assert self.units is not None
        return Corner(*(u * span.stride + span.low for u, span in zip(self.units, self.window(name), strict=True)))

    def inputs_of(self, row: Row) -> jax.Array:
        """The layer's input in the forward pass, as far as the signal reaches: [U, h, w, C]."""
        (name,) = row.inputs
        if name == IMAGE:
            raise InputError(f"norm='vjp' needs the input of {row.name}, and the image itself is not kept in Forward")
        return self.seen(self.forward.activations[name], row.name)

    def seen(self, maps: jax.Array, name: str) -> jax.Array:
        """What of maps [N, H, W, C] lies where the signal of a layer does."""
        if self.is_whole(name):
            return maps[self.image]
        rows, columns = self.window(name)
        return cut(maps, self.image, self.corner(name), (rows.size, columns.size))


def descend(walk: Descent, layer: str, signal: jax.Array) -> jax.Array:
    """Walks the table down from a signal in one layer to pixels; what several layers send to one is added up."""
    signals = {layer: signal}
    for row in reversed(walk.arch.rows):
        if row.name not in signals:
            continue
        signal = signals.pop(row.name)
        if walk.units is not None and walk.is_whole(row.name) and row.name == layer:
            signal = put(signal, walk.units, row.shape[:2])
        signal = _rectified(walk, row, signal) if row.layer.relu else signal
        for name, part in zip(row.inputs, adjoint(walk, row, signal), strict=True):
            part = _placed(walk, row, name, part)
            signals[name] = signals[name] + part if name in signals else part
    return signals[IMAGE]


def _rectified(walk: Descent, row: Row, signal: jax.Array) -> jax.Array:
    signal = signal if walk.rectify == "activation" else jax.nn.relu(signal)
    if walk.rectify == "signal":
        return signal
    return jnp.where(walk.seen(walk.forward.activations[row.name], row.name) > 0, signal, 0)


def adjoint(walk: Descent, row: Row, signal: jax.Array) -> Sequence[jax.Array]:
    """What a layer's signal says of each of its inputs: whole maps, or windows as large as the layer's own reach."""
    layer, own = row.layer, walk.params.get(row.name, {})
    match layer:
        case kinds.Conv():
            shape, padding = _below(walk, row, signal)
            options = {"strides": layer.strides, "groups": layer.groups, "dilation": layer.dilation}
            return [ops.conv_transpose(signal, own["kernel"].astype(signal.dtype), shape, padding=padding, **options)]
        case kinds.MaxPool():
            return [_unpooled(walk, row, layer, signal)]
        case kinds.AvgPool():
            shape, padding = _below(walk, row, signal)
            return [
                averages.spread(
                    signal / _cells(walk, row, layer, signal.dtype), shape, layer.window, layer.strides, padding
                )
            ]
        case kinds.GlobalAvgPool():
            height, width, _ = row.input_shape
            return [jnp.broadcast_to(signal / (height * width), (len(signal), *row.input_shape))]
        case kinds.Dense():
            flat = signal.reshape(len(signal), -1)
            # not @ kernel.T, which XLA writes out on a CPU: fc6 of ZFNet, one unit, 220 ms in place of 24
            pixels = jax.lax.dot_general(flat, own["kernel"].astype(signal.dtype), (((1,), (1,)), ((), ())))
            return [pixels.reshape(-1, *row.input_shape)]
        case kinds.LRN() if walk.norm == "vjp":
            normalise = functools.partial(
                ops.local_response_norm, n=layer.n, k=layer.k, alpha=layer.alpha, beta=layer.beta
            )
            _, vjp = jax.vjp(lambda x: normalise(x), walk.inputs_of(row))
            return vjp(signal)
        case kinds.BatchNorm():
            slope = own["scale"] * jax.lax.rsqrt(own["var"] + layer.eps)
            return [signal * slope.astype(signal.dtype).reshape(1, 1, 1, -1)]
        case kinds.Concat():
            ends = list(itertools.accumulate(shape[2] for shape in row.input_shapes))
            return jnp.split(signal, ends[:-1], axis=-1)
        case kinds.LRN() | kinds.Dropout() | kinds.Identity() | kinds.Add():
            return [signal] * len(row.inputs)
        case _:
            assert_never(layer)


def _unpooled(walk: Descent, row: Row, pool: kinds.MaxPool, signal: jax.Array) -> jax.Array:
    switches = walk.forward.switches[row.name]
    options = {"window": pool.window, "strides": pool.strides, "overlap": walk.overlap}
    if walk.overlap != "last" or walk.is_whole(row.name):
        shape, padding = _below(walk, row, signal)
        return ops.max_unpool(signal, walk.seen(switches, row.name), shape, padding=padding, **options)
    # Later windows overwrite with their zeros too, those just outside of the units' reach as well. A switch of -1, of
    # windows beyond the map, is no place.
    more = [-(-k // s) - 1 for k, s in zip(pair(pool.window), pair(pool.strides), strict=True)]
    edges = [(0, 0, 0), *((n, n, 0) for n in more), (0, 0, 0)]
    wide = jax.lax.pad(signal, jnp.zeros((), signal.dtype), edges)
    corner = Corner(*(start - n for start, n in zip(walk.corner(row.name), more, strict=True)))
    switches = cut(switches.astype(jnp.int16), walk.image, corner, wide.shape[1:3], fill=-1)
    pixels = ops.max_unpool(wide, switches, _below(walk, row, wide)[0], **options)
    top, left = (n * s for n, s in zip(more, pair(pool.strides), strict=True))
    _, height, width, _ = _below(walk, row, signal)[0]
    return pixels[:, top : top + height, left : left + width]


def _cells(walk: Descent, row: Row, pool: kinds.AvgPool, dtype) -> jax.Array | float:
    """Of how many values each place of an average pool is the mean."""
    size, strides = pair(pool.window), pair(pool.strides)
    if pool.count_include_pad or pool.padding == VALID:
        return float(math.prod(size))
    counts = jnp.asarray(averages.avg_counts(row.input_shape[:2], size, strides, pool.padding), dtype)
    if walk.is_whole(row.name):
        return counts
    rows, columns = walk.window(row.name)
    nowhere = jnp.zeros_like(walk.image)
    return cut(counts, nowhere, walk.corner(row.name), (rows.size, columns.size), fill=1)


def _below(walk: Descent, row: Row, signal: jax.Array) -> tuple[tuple[int, ...], Padding]:
    """The shape and padding of what a sliding layer reads: its whole input, or what its places of a window reach."""
    geometry = row.geometry or POINT
    if walk.is_whole(row.name):
        return (len(signal), *row.input_shape), geometry.padding
    rows, columns = (
        (length - 1) * step + extent
        for length, step, extent in zip(signal.shape[1:3], geometry.strides, geometry.extent, strict=True)
    )
    return (len(signal), rows, columns, row.input_shape[2]), VALID


def _placed(walk: Descent, row: Row, name: str, part: jax.Array) -> jax.Array:
    """What one layer sends to another, in the window that all its readers share, or in the whole map."""
    if walk.is_whole(row.name):
        return part
    geometry, shape = row.geometry or POINT, walk.shape(name)
    assert walk.units is not None
    own = [
        Span(span.stride * step, span.low * step - before, span.low * step - before + length - 1)
        for span, step, (before, _), length in zip(
            walk.window(row.name), geometry.strides, geometry.padding, part.shape[1:3], strict=True
        )
    ]
    corner = Corner(*(unit * span.stride + span.low for unit, span in zip(walk.units, own, strict=True)))
    if walk.is_whole(name):
        return put(part, corner, shape[:2])
    if geometry.padding != VALID:  # padding is no place that a signal could come from
        part = jnp.where(inside(corner, part.shape[1:3], shape[:2]), part, 0)
    # corners are a stride times the unit plus a constant: the windows of all readers differ by constants
    edges = [(mine.low - all_.low, all_.high - mine.high, 0) for mine, all_ in zip(own, walk.window(name), strict=True)]
    return jax.lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
