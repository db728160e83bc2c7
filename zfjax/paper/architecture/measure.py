"""What Fig. 3 says of a network: one block for the image and for each layer that changes its shape, with its labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never

from zfjax import layers as kinds
from zfjax.arch import Arch
from zfjax.layers import IMAGE, VALID, Layer, Padding, Pair, Shape, pair
from zfjax.rows import Row

NAMES_LISTED = 8  # in the caption; of more, their number


class Block(NamedTuple):
    """The image, or what one layer makes of it, with the lines of text that go above and below."""

    name: str
    kind: Literal["image", "conv", "pool", "dense", "join", "point"]
    shape: Shape
    above: tuple[str, ...]
    below: tuple[str, ...]
    params: int = 0
    window: tuple[int, int] | None = None  # of the filters or the pool, on the maps of the block that it reads
    inputs: tuple[int, ...] = ()  # numbers of the blocks that it reads
    relu: bool = False


def blocks(arch: Arch) -> list[Block]:
    """The network from the image up, in the order of the table.

    Normalisation, dropout and the identity are lines of the block that they change, or, where other layers read that
    block without them, blocks of their own.
    """
    shape = (arch.image_size, arch.image_size, arch.channels)
    colours = {1: "grey", 3: "RGB"}.get(arch.channels, f"{arch.channels} channels")
    found = [Block("image", "image", shape, (), (f"{arch.image_size}×{arch.image_size}", colours))]
    place = {IMAGE: 0}  # of each layer the number of the block that it is in
    readers = Counter(name for row in arch.rows for name in row.inputs)
    for row in arch.rows:
        lines, before = _change(row.layer), place[row.inputs[0]]
        if lines is not None and readers[row.inputs[0]] == 1:
            changed = found[before]
            params, relu = changed.params + row.params, changed.relu or row.layer.relu
            found[before] = changed._replace(above=(*changed.above, *lines), params=params, relu=relu)
            place[row.name] = before
        else:
            inputs = tuple(dict.fromkeys(place[name] for name in row.inputs))
            found.append(_block(row)._replace(params=row.params, inputs=inputs, relu=row.layer.relu))
            place[row.name] = len(found) - 1
    return found


def describe(arch: Arch) -> str:
    """The caption's part on how to read the drawing, and on what it leaves out."""
    layers, drawn = [row.layer for row in arch.rows], blocks(arch)
    plain = [block.name for block in drawn if block.kind in ("conv", "dense") and not block.relu]
    others = [block.name for block in drawn if block.kind not in ("conv", "dense") and block.relu]
    said = [
        "Above each block what the layer does, below it the size and number of its maps and, in grey, its parameters.",
        f"ReLUs are not drawn: every convolution and fully connected layer{' but ' * bool(plain)}{_listed(plain)} "
        "ends with one.",
    ]
    if others:
        said.append(f"So {'does' if len(others) == 1 else 'do'} {_listed(others)}.")
    if any(place - 1 not in block.inputs or len(block.inputs) > 1 for place, block in enumerate(drawn) if place):
        said.append("Lines lead from a block, at the dot, to those that read it, at the arrow.")
    if norm := next((layer for layer in layers if isinstance(layer, kinds.LRN)), None):
        said.append(f"Contrast normalisation works across {norm.n} neighbouring maps.")
    if any(before != after for layer in layers for before, after in getattr(layer, "padding", ())):
        said.append("Pad a+b: a rows or columns at the top and on the left, b at the bottom and on the right.")
    if any(isinstance(layer, kinds.Conv | kinds.MaxPool | kinds.AvgPool) for layer in layers):
        said.append(
            "Not to scale: sides, those of the windows in orange too, grow as the square root of the size, "
            "stacks and bars as the logarithm of the number."
        )
    return " ".join(said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMES_LISTED else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _change(layer: Layer) -> tuple[str, ...] | None:
    """What a layer that leaves shapes alone says above the block that it changes; None for all others."""
    match layer:
        case kinds.LRN():
            return ("contrast", "norm")
        case kinds.BatchNorm():
            return ("batch", "norm")
        case kinds.Dropout(rate=rate):
            return (f"dropout {rate:g}",)
        case kinds.Identity():
            return ()
        case (
            kinds.Conv()
            | kinds.MaxPool()
            | kinds.AvgPool()
            | kinds.GlobalAvgPool()
            | kinds.Dense()
            | kinds.Concat()
            | kinds.Add()
        ):
            return None
        case _:
            assert_never(layer)


def _block(row: Row) -> Block:
    layer, (height, width, maps) = row.layer, row.shape
    below = (f"{height}×{width}", _count(maps, "map"))
    match layer:
        case kinds.Conv(features=features, groups=groups):
            below = below if features else (below[0], f"{maps} classes")
            grouped = (f"{groups} groups",) if groups > 1 else ()
            above = (*_window(row), *grouped, _count(maps, "filter"))
            return Block(layer.name, "conv", row.shape, above, below, window=_extent(row))
        case kinds.MaxPool():
            return Block(layer.name, "pool", row.shape, _window(row, "max pool"), below, window=_extent(row))
        case kinds.AvgPool():
            return Block(layer.name, "pool", row.shape, _window(row, "mean pool"), below, window=_extent(row))
        case kinds.GlobalAvgPool():
            return Block(layer.name, "pool", row.shape, ("global", "mean pool"), below)
        case kinds.Dense(features=features):
            above = ("fully", "connected") if features else ("fully", "connected", "softmax")
            below = (f"{maps}", "units" if features else "classes")
            return Block(layer.name, "dense", row.shape, above, below)
        case kinds.Concat():
            return Block(layer.name, "join", row.shape, ("joined",), below)
        case kinds.Add():
            return Block(layer.name, "join", row.shape, ("sum",), below)
        case kinds.LRN() | kinds.BatchNorm() | kinds.Dropout() | kinds.Identity():
            return Block(layer.name, "point", row.shape, _change(layer) or ("identity",), below)
        case _:
            assert_never(layer)


def _window(row: Row, *does: str) -> tuple[str, ...]:
    """The size of a window, what is done in it, and how it moves."""
    geometry = row.geometry
    assert geometry is not None, f"{row.name} has no window"
    spaced = (f"dilation {_short(geometry.dilation)}",) if geometry.dilation != (1, 1) else ()
    size = "×".join(map(str, geometry.window))
    return (size, *does, f"stride {_short(geometry.strides)}", *_padded(geometry.padding), *spaced)


def _extent(row: Row) -> tuple[int, int] | None:
    return row.geometry.extent if row.geometry else None


def _padded(padding: Padding) -> tuple[str, ...]:
    sides = [f"{before}" if before == after else f"{before}+{after}" for before, after in padding]
    return (f"pad {', '.join(dict.fromkeys(sides))}",) if padding != VALID else ()


def _short(value: Pair) -> str:
    """One number where rows and columns agree."""
    return "×".join(map(str, dict.fromkeys(pair(value))))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
