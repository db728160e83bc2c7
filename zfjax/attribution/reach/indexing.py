"""Which cells are read by what cuts out, joins and looks up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from zfjax.attribution.reach.boxes import Box, Range, box, clipped, hull, whole
from zfjax.attribution.reach.equation import Look, Rule, shape_of


def _slice(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), starts = asked, equation.params["start_indices"]
    steps = equation.params["strides"] or (1,) * len(starts)
    return [_cut(part, shape_of(equation.outvars[0]), shape_of(equation.invars[0]), starts, steps)]


def _cut(part: Box, shape: Sequence[int], below: Sequence[int], starts: Sequence[int], steps: Sequence[int]) -> Box:
    """Cells of an array of shape `below`, of those of a box in what was cut out of it. Along an axis that is whole a
    box may reach into padding; from one that is cut it cannot, where the array itself would lie."""
    assert part is not None
    ranges: list[Range | None] = []
    for each, size, before, start, step in zip(part, shape, below, starts, steps, strict=True):
        if size == before and step == 1:
            ranges.append(each)
        elif (inside := clipped(each, size)) is None:
            ranges.append(None)
        else:
            ranges.append((start + inside[0] * step, start + inside[1] * step))
    return box(ranges)


def _starts(indices: Sequence[Any], room: Sequence[int], look: Look) -> list[int | None]:
    """Where a cut begins along each axis, None where that is not known. room: the last place that it can."""
    known = [look.known(index) for index in indices]
    return [
        0 if most == 0 else None if value is None else int(np.clip(int(value), 0, most))
        for value, most in zip(known, room, strict=True)
    ]


def _dynamic_slice(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    operand, *indices = equation.invars
    (part,), shape, below = asked, shape_of(equation.outvars[0]), shape_of(operand)
    starts = _starts(indices, [big - small for big, small in zip(below, shape, strict=True)], look)
    found = _cut(part, shape, below, [start or 0 for start in starts], (1,) * len(shape))
    if found is not None and None in starts:
        look.gave_up("where dynamic_slice cuts is not known: along that axis all is taken")
        ends = zip(found, starts, below, strict=True)
        found = tuple((0, size - 1) if start is None else each for each, start, size in ends)
    return [found, *(() for _ in indices)]


def _dynamic_update(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    operand, update, *indices = equation.invars
    (part,), big, small = asked, shape_of(operand), shape_of(update)
    assert part is not None
    starts = _starts(indices, [one - other for one, other in zip(big, small, strict=True)], look)
    if None in starts:
        look.gave_up("where dynamic_update_slice writes is not known: along that axis all is taken")
    put = [
        (0, size - 1) if start is None else each if size == room else clipped((each[0] - start, each[1] - start), size)
        for each, start, size, room in zip(part, starts, small, big, strict=True)
    ]
    return [part, box(put), *(() for _ in indices)]


def _concatenate(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), along = asked, equation.params["dimension"]
    assert part is not None
    found, start = [], 0
    for operand in equation.invars:
        size = shape_of(operand)[along]
        inside = part[along]
        if len(equation.invars) > 1:
            inside = clipped((inside[0] - start, inside[1] - start), size)
        found.append(box([*part[:along], inside, *part[along + 1 :]]))
        start += size
    return found


def _split(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    along, start, found = equation.params["axis"], 0, None
    for part, size in zip(asked, equation.params["sizes"], strict=True):
        if part is not None and (inside := clipped(part[along], int(size))) is not None:
            placed = (inside[0] + start, inside[1] + start)
            found = hull(found, (*part[:along], placed, *part[along + 1 :]))
        start += int(size)
    return [found]


def _stack(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), along = asked, equation.params["axis"]
    assert part is not None
    first, last = part[along]
    others = (*part[:along], *part[along + 1 :])
    return [others if first <= number <= last else None for number in range(len(equation.invars))]


def _unstack(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    along, found = equation.params["axis"], None
    for number, part in enumerate(asked):
        if part is not None:
            found = hull(found, (*part[:along], (number, number), *part[along:]))
    return [found]


def _tile(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), shape = asked, shape_of(equation.invars[0])
    assert part is not None
    return [
        tuple(
            (first % size, last % size) if first // size == last // size else (0, size - 1)
            for (first, last), size in zip(part, shape, strict=True)
        )
    ]


def _gather(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    """Where the indices are known, from the first to the last cell that they name; else all along those axes."""
    operand, indices = equation.invars
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    shape = shape_of(operand)
    inside = box([clipped(*each) for each in zip(asked[0] or (), shape_of(equation.outvars[0]), strict=True)])
    if inside is None:
        return [None, None]
    offsets = iter([inside[axis] for axis in numbers.offset_dims])
    batches = [part for axis, part in enumerate(inside) if axis not in numbers.offset_dims]
    plain = {*range(len(shape))} - {*numbers.collapsed_slice_dims, *numbers.operand_batching_dims}
    ranges = [next(offsets) if axis in plain else (0, 0) for axis in range(len(shape))]
    for axis, other in zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True):
        ranges[axis] = batches[other]
    value = look.known(indices)
    if value is None:
        look.gave_up("what gather looks up is not known: along those axes all is taken")
    for number, axis in enumerate(numbers.start_index_map):
        room = shape[axis] - sizes[axis]
        if room == 0:
            continue
        if value is None:
            ranges[axis] = (0, shape[axis] - 1)
            continue
        named = np.asarray(value)[(*(slice(first, last + 1) for first, last in batches), number)]
        starts = np.clip(named, 0, room)
        ranges[axis] = (int(starts.min()) + ranges[axis][0], int(starts.max()) + ranges[axis][1])
    return [tuple(ranges), whole(shape_of(indices))]


def _scatter(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    operand, indices, updates = equation.invars
    if look.moved(indices) or look.moved(updates):
        look.gave_up(f"where {equation.primitive.name} writes is not followed: all that it writes is taken")
    return [asked[0], whole(shape_of(indices)), whole(shape_of(updates))]


RULES: dict[str, Rule] = {
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    "concatenate": _concatenate,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "tile": _tile,
    "gather": _gather,
    **dict.fromkeys(("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"), _scatter),
}
