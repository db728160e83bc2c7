"""What an architecture is: a table of named layers, walked up once for shapes and sizes, and down for what units see.

A network is its layers in topological order and an edge is a name, so that every walk is a loop over the table.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from zfjax.errors import InputError
from zfjax.layers import (
    IMAGE,
    KINDS,
    LRN,
    VALID,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool,
    Padding,
    Pair,
    Shape,
    pair,
)
from zfjax.recipe import Recipe

STATISTICS = ("mean", "var")  # of a BatchNorm: they lie beside what is trained, and are measured


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


@dataclass(frozen=True)
class Arch:
    """A convnet for square images as a table of layers, each after those that it reads.

    Without a `Dense` of `features=None` at the end there is no classifier, and the logits are the last layer, flat.
    input_scale: of the pixels that the network is trained on, whose mean is removed: 1 for 0..255.
    Raises InputError when the image is too small for a layer, when two layers share a name, and for inputs that are not
    there or do not fit together.
    """

    layers: tuple[Layer, ...]
    image_size: int
    num_classes: int = 1000
    channels: int = 3
    name: str = "custom"
    recipe: Recipe = field(default_factory=Recipe)
    input_scale: float = 1.0

    def __post_init__(self):
        names = [layer.name for layer in self.layers]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"layer names must differ; {', '.join(repeated)} occurs more than once")
        _ = self.rows  # walks the table once, so that a bad one fails here

    @functools.cached_property
    def rows(self) -> tuple[Row, ...]:
        """The table, walked from the image up."""
        return tuple(_walk(self))

    @functools.cached_property
    def _by_name(self) -> dict[str, Row]:
        return {row.name: row for row in self.rows}

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    def row(self, layer: str) -> Row:
        """The row of one layer; raises InputError for a name that the network lacks."""
        if layer not in self._by_name:
            raise InputError(f"unknown layer {layer!r}; {self.name} has {', '.join(self.layer_names)}")
        return self._by_name[layer]

    def shapes(self) -> dict[str, Shape]:
        """(height, width, channels) of every layer; (1, 1, features) for fully connected ones."""
        return {row.name: row.shape for row in self.rows}

    def spans(self, target: str) -> dict[str, Spans]:
        """What a unit of the target reaches in every layer below it and in "image", the table walked down.

        Where a layer feeds several, their spans join (the smallest that holds all); the whole map where their strides
        differ, and from a layer that sees all of its input down. Raises InputError for an unknown layer.
        """
        found: dict[str, Spans] = {self.row(target).name: (Span(1, 0, 0), Span(1, 0, 0))}
        for row in reversed(self.rows):
            if row.name in found:
                below = _widened(found[row.name], row.geometry)
                for name in row.inputs:
                    found[name] = _joined(found[name], below) if name in found else below
        return found

    def receptive_field(self, layer: str, axis: int = 0) -> ReceptiveField:
        """What one unit of a layer sees; the whole image from the first fully connected layer on.

        axis: 0 for rows, 1 for columns, which differ in networks with rectangular windows alone.
        """
        if (spans := self.spans(layer).get(IMAGE)) is None:
            return ReceptiveField(self.image_size, self.image_size, 0)
        return ReceptiveField(spans[axis].size, spans[axis].stride, spans[axis].low)

    def param_count(self) -> int:
        """How many numbers are trained; the running statistics of BatchNorm are none of them."""
        return sum(row.params for row in self.rows)

    def to_dict(self) -> dict:
        """Plain data for JSON; `Arch.from_dict` is its inverse."""
        layers = [{"kind": type(layer).__name__, **dataclasses.asdict(layer)} for layer in self.layers]
        return {**dataclasses.asdict(self), "layers": layers}

    @classmethod
    def from_dict(cls, data: dict) -> Arch:
        """Rebuilds an architecture from `to_dict`, also after JSON has turned its tuples into lists, and from what
        earlier versions wrote, which had the scale of the input in the recipe."""
        layers = []
        for entry in data["layers"]:
            values = {key: _tupled(value) for key, value in entry.items() if key != "kind"}
            layers.append(KINDS[entry["kind"]](**values))
        recipe = dict(data["recipe"])
        scale = recipe.pop("input_scale", data.get("input_scale", 1.0))
        return cls(**{**data, "layers": tuple(layers), "recipe": Recipe(**recipe), "input_scale": scale})

    def summary(self) -> str:
        """The network as a table: output shape, kernel, receptive field, parameters, multiply-adds."""
        branches = any(layer.inputs for layer in self.layers)
        head = ("layer", "kind", "output", "kernel", "stride", "receptive field", "parameters", "mult-adds", "reads")
        cells = [row[: 8 + branches] for row in (head, *(self._cells(row) for row in self.rows))]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        total = f"{self.param_count():,} parameters, {sum(row.mult_adds for row in self.rows):,} multiply-adds an image"
        title = f"{self.name}: {self.image_size}x{self.image_size}x{self.channels} -> {self.num_classes} classes"
        return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:], total])

    def _cells(self, row: Row) -> tuple[str, ...]:
        layer = row.layer
        window, strides = getattr(layer, "kernel", getattr(layer, "window", None)), getattr(layer, "strides", "")
        seen = [self.receptive_field(row.name, axis).size for axis in (0, 1)]
        return (
            row.name,
            type(layer).__name__,
            "x".join(map(str, row.shape)),
            "x".join(map(str, pair(window))) if window else "",
            _short(strides) if strides else "",
            _short((seen[0], seen[1])),
            f"{row.params:,}" if row.params else "",
            f"{row.mult_adds:,}" if row.mult_adds else "",
            ", ".join(row.inputs),
        )


def _walk(arch: Arch) -> Iterator[Row]:
    shapes: dict[str, Shape] = {IMAGE: (arch.image_size, arch.image_size, arch.channels)}
    before = IMAGE
    for layer in arch.layers:
        inputs = layer.inputs or (before,)
        if missing := [name for name in inputs if name not in shapes]:
            raise InputError(
                f"{layer.name} reads {missing[0]!r}, and no layer before it is called so; there are {', '.join(shapes)}"
            )
        if layer.name in shapes:  # repeated names are refused before
            raise InputError(f"no layer can be called {IMAGE!r}: that is what the first one reads")
        if len(inputs) > 1 and not isinstance(layer, Concat | Add):
            raise InputError(f"{layer.name} reads one layer, not {', '.join(inputs)}; join them by Concat or Add")
        row = _row(arch, layer, inputs, tuple(shapes[name] for name in inputs))
        shapes[layer.name], before = row.shape, layer.name
        yield row


def _row(arch: Arch, layer: Layer, inputs: tuple[str, ...], below: tuple[Shape, ...]) -> Row:
    """What a layer makes of its inputs."""
    height, width, channels = shape = below[0]
    geometry: Geometry | None = POINT
    params: dict[str, tuple[int, ...]] = {}
    match layer:
        case Conv(features=features, groups=groups):
            if channels % groups or features % groups:
                raise InputError(f"{layer.name}: {groups} groups do not divide {channels} -> {features} maps")
            geometry = Geometry(pair(layer.kernel), pair(layer.strides), layer.padding, pair(layer.dilation))
            out = (*_slide(arch, layer.name, shape, geometry), features)
            params = {"kernel": (*geometry.window, channels // groups, features)}
        case MaxPool() | AvgPool():
            geometry = Geometry(pair(layer.window), pair(layer.strides), layer.padding)
            out = (*_slide(arch, layer.name, shape, geometry), channels)
        case GlobalAvgPool():
            geometry, out = None, (1, 1, channels)
        case Dense():
            geometry, out = None, (1, 1, layer.features or arch.num_classes)
            params = {"kernel": (height * width * channels, out[2])}
        case BatchNorm():
            out, params = shape, dict.fromkeys(("scale", "bias", *STATISTICS), (channels,))
        case Concat():
            if len({each[:2] for each in below}) > 1:
                raise InputError(f"{layer.name} cannot join maps of different sizes: {_shown(inputs, below)}")
            out = (height, width, sum(each[2] for each in below))
        case Add():
            if len(set(below)) > 1:
                raise InputError(f"{layer.name} cannot add maps of different shapes: {_shown(inputs, below)}")
            out = shape
        case LRN() | Dropout() | Identity():
            out = shape
        case _:
            assert_never(layer)
    mult_adds = out[0] * out[1] * math.prod(params["kernel"]) if "kernel" in params else 0
    if isinstance(layer, Conv | Dense) and layer.bias is not None:
        params["bias"] = (out[2],)
    return Row(layer, inputs, below, out, geometry, params, mult_adds)


def _slide(arch: Arch, name: str, shape: Shape, geometry: Geometry) -> tuple[int, int]:
    rows, columns = (
        (size + sum(sides) - extent) // step + 1
        for size, extent, step, sides in zip(shape, geometry.extent, geometry.strides, geometry.padding, strict=False)
    )
    if min(rows, columns) < 1:
        raise InputError(
            f"{arch.name}: an image of {arch.image_size}x{arch.image_size} is too small; "
            f"{name} needs a window of {geometry.extent[0]}x{geometry.extent[1]} and gets {shape[0]}x{shape[1]}"
        )
    return rows, columns


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


def _short(value: Pair) -> str:
    """One number where rows and columns agree."""
    rows, columns = pair(value)
    return str(rows) if rows == columns else f"{rows}x{columns}"


def _tupled(value):
    return tuple(map(_tupled, value)) if isinstance(value, list | tuple) else value


if __name__ == "__main__":  # a door: the networks by name stand one room further
    from zfjax.zoo import main

    main()
