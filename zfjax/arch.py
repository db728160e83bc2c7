"""What an architecture is: a table of layers, walked once for shapes, receptive fields and parameter counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from zfjax.errors import InputError
from zfjax.layers import KINDS, LRN, VALID, AvgPool, Conv, Dense, Dropout, Layer, MaxPool, Padding, Shape


@dataclass(frozen=True)
class Recipe:
    """How a network is trained unless flags say otherwise. The defaults are the paper's (section 3)."""

    optimizer: str = "sgd"  # "sgd" (momentum 0.9) or "adam"
    learning_rate: float = 0.01
    weight_decay: float = 5e-4  # not in the paper; Krizhevsky et al. 2012
    batch_size: int = 128
    epochs: int = 70
    init: str = "paper"  # "paper": N(0, 0.01^2); "he": N(0, 2 / fan_in)
    schedule: str = "plateau"  # "plateau": a tenth whenever validation stalls; "cosine": to zero; "constant"
    warmup_steps: int = 0
    crops: str = "ten"  # "ten": corners and centre, flipped or not; "random"; "whole": the image as it is
    subtract_mean: bool = True
    input_scale: float = 1.0  # multiplies pixels of 0..255 after the mean is removed
    filter_rms: float = 0.1  # radius that convolution filters are scaled back to; 0 turns it off


class ReceptiveField(NamedTuple):
    """Unit i of a layer sees rows i * stride + offset ... + size - 1 of the image (columns alike)."""

    size: int
    stride: int
    offset: int


class Row(NamedTuple):
    """One layer of a network with everything that follows from its place."""

    layer: Layer
    input_shape: Shape
    shape: Shape
    receptive_field: ReceptiveField
    params: int
    mult_adds: int


@dataclass(frozen=True)
class Arch:
    """A convnet for square images as a table of layers.

    Without a `Dense` of `features=None` at the end there is no classifier, and the logits are the last layer, flat.
    Raises InputError when the image is too small for a layer, or when two layers share a name.
    """

    layers: tuple[Layer, ...]
    image_size: int
    num_classes: int = 1000
    channels: int = 3
    name: str = "custom"
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self):
        names = [layer.name for layer in self.layers]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"layer names must differ; {', '.join(repeated)} occurs more than once")
        _ = self.rows  # walks the table once, so that a bad one fails here

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The table, walked from the image up."""
        return tuple(_walk(self))

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    @property
    def canvas_size(self) -> int:
        """Side of the stored image that crops are cut from: 256 for 224 (section 3); the image itself without crops."""
        return self.image_size if self.recipe.crops == "whole" else round(self.image_size * 8 / 7)

    def row(self, layer: str) -> Row:
        """The row of one layer; raises InputError for a name that the network lacks."""
        for row in self.rows:
            if row.layer.name == layer:
                return row
        raise InputError(f"unknown layer {layer!r}; {self.name} has {', '.join(self.layer_names)}")

    def shapes(self) -> dict[str, Shape]:
        """(height, width, channels) of every layer; (1, 1, features) for fully connected ones."""
        return {row.layer.name: row.shape for row in self.rows}

    def receptive_field(self, layer: str) -> ReceptiveField:
        """What one unit of a layer sees; the whole image from the first fully connected layer on."""
        return self.row(layer).receptive_field

    def param_count(self) -> int:
        return sum(row.params for row in self.rows)

    def to_dict(self) -> dict:
        """Plain data for JSON; `Arch.from_dict` is its inverse."""
        layers = [{"kind": type(layer).__name__, **dataclasses.asdict(layer)} for layer in self.layers]
        return {**dataclasses.asdict(self), "layers": layers}

    @classmethod
    def from_dict(cls, data: dict) -> Arch:
        """Rebuilds an architecture from `to_dict`, also after JSON has turned its tuples into lists."""
        layers = []
        for entry in data["layers"]:
            values = {key: value for key, value in entry.items() if key != "kind"}
            if "padding" in values:
                values["padding"] = tuple(map(tuple, values["padding"]))
            layers.append(KINDS[entry["kind"]](**values))
        return cls(**{**data, "layers": tuple(layers), "recipe": Recipe(**data["recipe"])})

    def summary(self) -> str:
        """The network as a table: output shape, kernel, receptive field, parameters, multiply-adds."""
        cells = [("layer", "kind", "output", "kernel", "stride", "receptive field", "parameters", "mult-adds")]
        cells += [_cells(row) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        total = f"{self.param_count():,} parameters, {sum(row.mult_adds for row in self.rows):,} multiply-adds an image"
        head = f"{self.name}: {self.image_size}x{self.image_size}x{self.channels} -> {self.num_classes} classes"
        return "\n".join([head, lines[0], "-" * len(lines[0]), *lines[1:], total])


def _walk(arch: Arch) -> Iterator[Row]:
    shape: Shape = (arch.image_size, arch.image_size, arch.channels)
    seen = ReceptiveField(1, 1, 0)
    for layer in arch.layers:
        height, width, channels = shape
        params = mult_adds = 0
        match layer:
            case Conv(features=features, kernel=kernel, groups=groups):
                if channels % groups or features % groups:
                    raise InputError(f"{layer.name}: {groups} groups do not divide {channels} -> {features} maps")
                out = (*_slide(arch, layer, shape, kernel, layer.padding), features)
                params = features * (kernel**2 * channels // groups + 1)
                mult_adds = out[0] * out[1] * (params - features)
                seen = _widen(seen, layer, kernel, layer.padding)
            case MaxPool(window=window):
                out = (*_slide(arch, layer, shape, window, layer.padding), channels)
                seen = _widen(seen, layer, window, layer.padding)
            case AvgPool(window=window):
                out = (*_slide(arch, layer, shape, window, VALID), channels)
                seen = _widen(seen, layer, window, VALID)
            case Dense(features=features):
                out = (1, 1, features or arch.num_classes)
                mult_adds = height * width * channels * out[2]
                params = mult_adds + out[2]
                seen = ReceptiveField(arch.image_size, arch.image_size, 0)
            case LRN() | Dropout():
                out = shape
        yield Row(layer, shape, out, seen, params, mult_adds)
        shape = out


def _slide(arch: Arch, layer: Conv | MaxPool | AvgPool, shape: Shape, window: int, padding: Padding) -> tuple[int, int]:
    sizes = tuple(
        (size + sum(sides) - window) // layer.strides + 1 for size, sides in zip(shape[:2], padding, strict=True)
    )
    if min(sizes) < 1:
        raise InputError(
            f"{arch.name}: an image of {arch.image_size}x{arch.image_size} is too small; "
            f"{layer.name} needs a window of {window}x{window} and gets {shape[0]}x{shape[1]}"
        )
    return sizes


def _widen(seen: ReceptiveField, layer: Layer, window: int, padding: Padding) -> ReceptiveField:
    (before, _), (left, _) = padding
    if before != left:  # one offset serves rows and columns
        raise InputError(f"{layer.name}: padding {padding} must be the same at the top and on the left")
    return ReceptiveField(
        size=seen.size + (window - 1) * seen.stride,
        stride=seen.stride * layer.strides,
        offset=seen.offset - before * seen.stride,
    )


def _cells(row: Row) -> tuple[str, ...]:
    layer = row.layer
    window = getattr(layer, "kernel", getattr(layer, "window", None))
    return (
        layer.name,
        type(layer).__name__,
        "x".join(map(str, row.shape)),
        f"{window}x{window}" if window else "",
        str(getattr(layer, "strides", "")),
        str(row.receptive_field.size),
        f"{row.params:,}" if row.params else "",
        f"{row.mult_adds:,}" if row.mult_adds else "",
    )


if __name__ == "__main__":  # a door: the networks by name stand one room further
    from zfjax.zoo import main

    main()
