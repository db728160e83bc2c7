"""What Fig. 3 says of a network: one block for the image and for each layer that changes its shape, with its labels."""

from __future__ import annotations

from typing import Literal, NamedTuple

from zfjax.arch import Arch
from zfjax.layers import LRN, VALID, AvgPool, Conv, Dense, Dropout, MaxPool, Padding, Shape
from zfjax.rows import Row


class Block(NamedTuple):
    """The image, or what one layer makes of it, with the lines of text that go above and below."""

    name: str
    kind: Literal["image", "conv", "pool", "dense"]
    shape: Shape
    above: tuple[str, ...]
    below: tuple[str, ...]
    params: int = 0
    window: int = 0  # of the filters or the pool, on the maps of the block before


def blocks(arch: Arch) -> list[Block]:
    """The network from the image up; contrast normalisation and dropout are lines of the block that they change."""
    shape = (arch.image_size, arch.image_size, arch.channels)
    colours = {1: "grey", 3: "RGB"}.get(arch.channels, f"{arch.channels} channels")
    found = [Block("image", "image", shape, (), (f"{arch.image_size}×{arch.image_size}", colours))]
    for row in arch.rows:
        match row.layer:
            case LRN():
                found[-1] = _also(found[-1], "contrast", "norm")
            case Dropout(rate=rate):
                found[-1] = _also(found[-1], f"dropout {rate:g}")
            case _:
                found.append(_block(row))
    return found


def describe(arch: Arch) -> str:
    """The caption's part on how to read the drawing, and on what it leaves out."""
    layers = [row.layer for row in arch.rows]
    plain = [layer.name for layer in layers if isinstance(layer, Conv | Dense) and not layer.relu]
    said = [
        "Above each block what the layer does, below it the size and number of its maps and, in grey, its parameters.",
        f"ReLUs are not drawn: every convolution and fully connected layer{' but ' * bool(plain)}{', '.join(plain)} "
        "ends with one.",
    ]
    if norm := next((layer for layer in layers if isinstance(layer, LRN)), None):
        said.append(f"Contrast normalisation works across {norm.n} neighbouring maps.")
    if any(before != after for layer in layers for before, after in getattr(layer, "padding", ())):
        said.append("Pad a+b: a rows or columns at the top and on the left, b at the bottom and on the right.")
    if any(isinstance(layer, Conv | MaxPool | AvgPool) for layer in layers):
        said.append(
            "Not to scale: sides, those of the windows in orange too, grow as the square root of the size, "
            "stacks and bars as the logarithm of the number."
        )
    return " ".join(said)


def _also(block: Block, *lines: str) -> Block:
    return block._replace(above=(*block.above, *lines))


def _block(row: Row) -> Block:
    layer, (height, width, maps) = row.layer, row.shape
    below = (f"{height}×{width}", _count(maps, "map"))
    match layer:
        case Conv(kernel=kernel, groups=groups):
            grouped = (f"{groups} groups",) if groups > 1 else ()
            above = (f"{kernel}×{kernel}", *_steps(layer.strides, layer.padding), *grouped, _count(maps, "filter"))
            return Block(layer.name, "conv", row.shape, above, below, row.params, kernel)
        case MaxPool(window=window):
            above = (f"{window}×{window}", "max pool", *_steps(layer.strides, layer.padding))
            return Block(layer.name, "pool", row.shape, above, below, window=window)
        case AvgPool(window=window):
            above = (f"{window}×{window}", "mean pool", *_steps(layer.strides, VALID))
            return Block(layer.name, "pool", row.shape, above, below, window=window)
        case Dense(features=features):
            above = ("fully", "connected") if features else ("fully", "connected", "softmax")
            below = (f"{maps}", "units" if features else "classes")
            return Block(layer.name, "dense", row.shape, above, below, row.params)
    raise TypeError(f"no block for {layer!r}")


def _steps(strides: int, padding: Padding) -> tuple[str, ...]:
    sides = [f"{before}" if before == after else f"{before}+{after}" for before, after in padding]
    return (f"stride {strides}", *((f"pad {', '.join(dict.fromkeys(sides))}",) if padding != VALID else ()))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
