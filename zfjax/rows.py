"""The two walks over a network's table: up for what each layer makes, down for what its units see.

A network is its layers in topological order and an edge is a name, so that both walks are loops over a tuple.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, assert_never

from zfjax import layers as kinds
from zfjax.errors import InputError, near
from zfjax.layers import IMAGE, VALID, Layer, Padding, Shape, pair

NO_NAMES = {IMAGE: "that is what the first one reads", "params": "flax calls the whole tree so"}
STATISTICS = ("mean", "var")  # of a BatchNorm: they lie beside what is trained, and are measured


class TooSmall(InputError):
    """An image leaves no room for a layer's window."""


class ReceptiveField(NamedTuple):
    """Unit i of a layer sees rows i * stride + offset ... + size - 1 of the image."""

    size: int
    stride: int
    offset: int


class Span(NamedTuple):
    """Along one axis unit i of a layer above reaches the cells i * stride + low ... i * stride + high of one below."""

    stride: int
    low: int
    high: int

    @property
    def size(self) -> int:
        return self.high - self.low + 1


Spans = tuple[Span, Span] | None  # along rows and columns; None: each unit reaches the whole map


class Geometry(NamedTuple):
    """How a layer's places lie over those of its inputs; rows and columns."""

    window: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    padding: Padding = VALID
    dilation: tuple[int, int] = (1, 1)

    @property
    def extent(self) -> tuple[int, int]:
        """Cells from the first to the last of a window, those included that dilation skips."""
        rows, columns = ((k - 1) * d + 1 for k, d in zip(self.window, self.dilation, strict=True))
        return rows, columns


POINT = Geometry()  # of layers that work place by place


class Row(NamedTuple):
    """One layer of a network with everything that follows from its place."""

    layer: Layer
    inputs: tuple[str, ...]  # the layers that it reads, or "image"
    input_shapes: tuple[Shape, ...]
    shape: Shape
    geometry: Geometry | None  # None: every place sees all of the input
    param_shapes: dict[str, tuple[int, ...]]
    mult_adds: int

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def input_shape(self) -> Shape:
        """Of the first, for layers that have but one."""
        return self.input_shapes[0]

    @property
    def params(self) -> int:
        """How many numbers are trained."""
        return sum(math.prod(shape) for name, shape in self.param_shapes.items() if name not in STATISTICS)


def walk_up(layers: Sequence[Layer], image: Shape, num_classes: int) -> Iterator[Row]:
    """The rows of a table, from the image up. Raises InputError for what cannot be, naming the layer."""
    shapes: dict[str, Shape] = {IMAGE: image}
    before = IMAGE
    for layer in layers:
        _check(layer)
        inputs = layer.inputs or (before,)
        if missing := [name for name in inputs if name not in shapes]:
            raise InputError(
                f"{layer.name} reads {missing[0]!r}, and no layer before it is called so; there are "
                f"{near(missing[0], [*shapes])}"
            )
        if len(inputs) > 1 and not isinstance(layer, kinds.Concat | kinds.Add):
            raise InputError(f"{layer.name} reads one layer, not {', '.join(inputs)}; join them by Concat or Add")
        row = _row(layer, inputs, tuple(shapes[name] for name in inputs), num_classes)
        shapes[layer.name], before = row.shape, layer.name
        yield row


def _check(layer: Layer) -> None:
    """Raises InputError for what is no layer, and for pools that cannot be."""
    if not isinstance(layer, Layer):
        raise InputError(f"layers are values such as zfjax.Conv(...), not {layer!r}")
    if layer.name in NO_NAMES:
        raise InputError(f"no layer can be called {layer.name!r}: {NO_NAMES[layer.name]}")
    if isinstance(layer, kinds.MaxPool | kinds.AvgPool):
        window = pair(layer.window)
        if any(side >= size for size, sides in zip(window, layer.padding, strict=True) for side in sides):
            raise InputError(f"{layer.name}: padding {layer.padding} must be smaller than the window {layer.window}")
        if isinstance(layer, kinds.MaxPool) and math.prod(window) > 256:
            raise InputError(
                f"{layer.name}: a window of {window[0]}x{window[1]} has more than 256 cells, too many for "
                "the 8 bits of a switch"
            )


def _row(layer: Layer, inputs: tuple[str, ...], below: tuple[Shape, ...], num_classes: int) -> Row:
    """What a layer makes of its inputs."""
    height, width, channels = shape = below[0]
    geometry: Geometry | None = POINT
    params: dict[str, tuple[int, ...]] = {}
    match layer:
        case kinds.Conv(groups=groups):
            features = layer.features or num_classes
            if channels % groups or features % groups:
                raise InputError(f"{layer.name}: {groups} groups do not divide {channels} -> {features} maps")
            geometry = Geometry(pair(layer.kernel), pair(layer.strides), layer.padding, pair(layer.dilation))
            out = (*_slide(layer.name, shape, geometry), features)
            params = {"kernel": (*geometry.window, channels // groups, features)}
        case kinds.MaxPool() | kinds.AvgPool():
            geometry = Geometry(pair(layer.window), pair(layer.strides), layer.padding)
            out = (*_slide(layer.name, shape, geometry), channels)
        case kinds.GlobalAvgPool():
            geometry, out = None, (1, 1, channels)
        case kinds.Dense():
            geometry, out = None, (1, 1, layer.features or num_classes)
            params = {"kernel": (height * width * channels, out[2])}
        case kinds.BatchNorm():
            out, params = shape, {name: (channels,) for name in ("scale", "bias", *STATISTICS)}
        case kinds.Concat():
            if len({each[:2] for each in below}) > 1:
                raise InputError(f"{layer.name} cannot join maps of different sizes: {_shown(inputs, below)}")
            out = (height, width, sum(each[2] for each in below))
        case kinds.Add():
            if len(set(below)) > 1:
                raise InputError(f"{layer.name} cannot add maps of different shapes: {_shown(inputs, below)}")
            out = shape
        case kinds.LRN() | kinds.Dropout() | kinds.Identity():
            out = shape
        case _:
            assert_never(layer)
    mult_adds = out[0] * out[1] * math.prod(params["kernel"]) if "kernel" in params else 0
    if isinstance(layer, kinds.Conv | kinds.Dense) and layer.bias is not None:
        params["bias"] = (out[2],)
    return Row(layer, inputs, below, out, geometry, params, mult_adds)


def _slide(name: str, shape: Shape, geometry: Geometry) -> tuple[int, int]:
    rows, columns = (
        (size + sum(sides) - extent) // step + 1
        for size, extent, step, sides in zip(shape, geometry.extent, geometry.strides, geometry.padding, strict=False)
    )
    if min(rows, columns) < 1:
        raise TooSmall(
            f"{name} needs a window of {geometry.extent[0]}x{geometry.extent[1]} and gets {shape[0]}x{shape[1]}"
        )
    return rows, columns


def walk_down(rows: Sequence[Row], target: str) -> dict[str, Spans]:
    """What a unit of the target reaches in every layer below it and in "image".

    Where a layer feeds several, their spans join (the smallest that holds all); the whole map where their strides
    differ, and from a layer that sees all of its input down.
    """
    found: dict[str, Spans] = {target: (Span(1, 0, 0), Span(1, 0, 0))}
    for row in reversed(rows):
        if row.name in found:
            below = _widened(found[row.name], row.geometry)
            for name in row.inputs:
                found[name] = _joined(found[name], below) if name in found else below
    return found


def _widened(spans: Spans, geometry: Geometry | None) -> Spans:
    """What units reach one layer further down."""
    if spans is None or geometry is None:
        return None
    rows, columns = (
        Span(span.stride * step, span.low * step - before, span.high * step - before + extent - 1)
        for span, step, (before, _), extent in zip(
            spans, geometry.strides, geometry.padding, geometry.extent, strict=True
        )
    )
    return rows, columns


def _joined(one: Spans, other: Spans) -> Spans:
    if one is None or other is None or any(a.stride != b.stride for a, b in zip(one, other, strict=True)):
        return None
    rows, columns = (Span(a.stride, min(a.low, b.low), max(a.high, b.high)) for a, b in zip(one, other, strict=True))
    return rows, columns


def _shown(names: tuple[str, ...], shapes: tuple[Shape, ...]) -> str:
    return ", ".join(f"{name} is {'x'.join(map(str, shape))}" for name, shape in zip(names, shapes, strict=True))
