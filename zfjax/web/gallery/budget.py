"""How large a gallery will be, before anything of it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zfjax.web.gallery.cells import is_exact
from zfjax.web.gallery.formats import Format
from zfjax.web.gallery.layer_pictures import Place
from zfjax.web.gallery.statistics import ROW

# Bytes of a cell of 96x96 pixels, mean of SqueezeNet's layers fire4 to fire9 on photos; smaller ones take as much less
# as their side to the power 1.45. A file has a head of its own.
_LOSSY = {"avif": (1600, 1750), "webp": (1743, 1645), "jpeg": (2700, 2670)}  # of a patch, of a projection
_POWER = 1.45
_HEAD = {"avif": 380, "webp": 50, "jpeg": 620, "png": 60}
_EXACT = 0.75  # of the bytes of the pixels


class Amount(NamedTuple):
    """How many pictures there are of a layer's unit."""

    units: int
    top: int
    lower: int
    moments: int
    methods: int
    occlusion: bool


def expected_bytes(layers: Sequence[tuple[Place, Amount]], images: int, format: Format) -> int:
    """Bytes of a gallery. images: small pictures of the data set."""
    return round(sum(_layer(*each, format) for each in layers) + images * _cell((64, 64), format, 0) + 150_000)


def _layer(place: Place, amount: Amount, format: Format) -> float:
    patch, projection = (_cell(place.cell, format, kind) for kind in (0, 1))
    both = projection + (patch if place.patches else 0)
    pictures = (amount.top + ROW * amount.lower) * both + (amount.moments + amount.methods) * projection
    pictures += amount.occlusion * (patch + projection / 4)
    files = 1 + bool(amount.lower) + bool(amount.moments) + bool(amount.methods) + amount.occlusion
    covers = _cell(place.cover, format, 0) + _cell(place.cover, format, 1)
    numbers = 40 * (amount.top + ROW * amount.lower) + 350
    return amount.units * (pictures + files * _HEAD[place.suffix] + covers + numbers)


def _cell(cell: tuple[int, int], format: Format, kind: int) -> float:
    height, width = cell
    if is_exact(cell):
        return _EXACT * 3 * height * width
    return _LOSSY[format][kind] * ((height * width) ** 0.5 / 96) ** _POWER
