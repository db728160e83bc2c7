"""Boxes of cells: joining, cutting off, and what windows and new shapes make of them.

A box may reach beyond its array, into the padding that a window there would see, so that all units of a map have
windows of one size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

Range = tuple[int, int]  # the first cell and the last
Box = tuple[Range, ...] | None  # along each axis; None: no cell at all


class Slide(NamedTuple):
    """How windows lie along one axis, as `jax.lax.conv_general_dilated` has it."""

    window: int = 1
    stride: int = 1
    before: int = 0  # padding
    base_dilation: int = 1
    window_dilation: int = 1


def whole(shape: Sequence[int]) -> Box:
    """All cells; none of an array that has none."""
    return tuple((0, size - 1) for size in shape) if all(shape) else None


def hull(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    if one is None or other is None:
        return other if one is None else one
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))


def clipped(part: Range, size: int) -> Range | None:
    """What of a range lies within 0..size-1."""
    first, last = max(part[0], 0), min(part[1], size - 1)
    return (first, last) if first <= last else None


def box(ranges: Sequence[Range | None]) -> Box:
    """Of a range for each axis; none where one axis has none."""
    found = [part for part in ranges if part is not None]
    return tuple(found) if len(found) == len(ranges) else None


def seen(part: Range, slide: Slide) -> Range | None:
    """The cells that a range of windows sees; None where dilation leaves them between the cells."""
    extent = (slide.window - 1) * slide.window_dilation
    first, last = part[0] * slide.stride - slide.before, part[1] * slide.stride - slide.before + extent
    if slide.base_dilation == 1:
        return first, last
    starts = range(first, part[1] * slide.stride - slide.before + 1, slide.stride)
    places = {start + step for start in starts for step in range(0, extent + 1, slide.window_dilation)}
    cells = [place // slide.base_dilation for place in places if place % slide.base_dilation == 0]
    return (min(cells), max(cells)) if cells else None


def seeing(part: Range, slide: Slide, count: int) -> Range | None:
    """Which of `count` windows see one of a range of cells; without dilation."""
    first = -((slide.window - 1 - slide.before - part[0]) // slide.stride)
    return clipped((first, (part[1] + slide.before) // slide.stride), count)


def reshaped(part: Box, shape: Sequence[int], below: Sequence[int]) -> Box:
    """The cells of an array of shape `below` that become those of a box after reshaping it to `shape`.

    Exact where axes are kept, and where a box's cells follow each other as they lie in memory; else the smallest box
    that holds all between the first and the last.
    """
    if part is None or not all(shape):
        return None
    found: list[Range] = []
    for above, under in _groups(shape, below):
        ranges, sizes = [part[axis] for axis in above], [shape[axis] for axis in above]
        kept = [each for each, size in zip(ranges, sizes, strict=True) if size != 1]
        under_sizes = [below[axis] for axis in under]
        if [size for size in sizes if size != 1] == (real := [size for size in under_sizes if size != 1]):
            found += [kept.pop(0) if size != 1 else (0, 0) for size in under_sizes]
            continue
        inside = [clipped(each, size) for each, size in zip(ranges, sizes, strict=True)]
        if (within := box(inside)) is None:
            return None
        first, last = (_flat([each[end] for each in within], sizes) for end in (0, 1))
        found += _unflat(first, last, under_sizes) if real else [(0, 0)] * len(under)
    return tuple(found)


def _groups(shape: Sequence[int], below: Sequence[int]) -> list[tuple[range, range]]:
    """The fewest neighbouring axes of either shape that hold as many cells as each other, in order."""
    groups, above, below_axes = [], range(0), range(0)
    while above.stop < len(shape) or below_axes.stop < len(below):
        above = range(above.stop, min(above.stop + 1, len(shape)))
        below_axes = range(below_axes.stop, min(below_axes.stop + 1, len(below)))
        while (more := _count(shape, above) - _count(below, below_axes)) != 0:
            if more < 0:
                above = range(above.start, above.stop + 1)
            else:
                below_axes = range(below_axes.start, below_axes.stop + 1)
        groups.append((above, below_axes))
    return groups


def _count(shape: Sequence[int], axes: range) -> int:
    return math.prod(shape[axis] for axis in axes)


def _flat(place: Sequence[int], shape: Sequence[int]) -> int:
    number = 0
    for index, size in zip(place, shape, strict=True):
        number = number * size + index
    return number


def _unflat(first: int, last: int, shape: Sequence[int]) -> list[Range]:
    """The smallest box around the cells from one to another as they lie in memory."""
    found: list[Range] = []
    for axis, size in enumerate(shape):
        inner = math.prod(shape[axis + 1 :])
        start, end = first // inner, last // inner
        # In different rows of what lies further out: from one's middle to the other's, by way of both ends.
        found.append((start % size, end % size) if start // size == end // size else (0, size - 1))
    return found
