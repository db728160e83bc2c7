"""Which cells are read by what slides windows over its operand: padding, pools, convolutions and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend.core import JaxprEqn

from zfjax.attribution.reach.boxes import Box, Range, Slide, box, clipped, seeing, seen, whole
from zfjax.attribution.reach.equation import Look, Rule, along, shape_of


def _pad(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    padding = equation.params["padding_config"]
    wide = shape_of(equation.outvars[0])

    def change(axis: int, part: Range, size: int) -> Range | None:
        before, after, between = padding[axis]
        if min(before, after) < 0:  # cells are cut off here, and none beyond them is read
            part = clipped(part, wide[axis]) or (0, -1)
        return seen(part, Slide(before=before, base_dilation=between + 1)) if part[0] <= part[1] else None

    return along(equation, asked, change)


def _window(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    options = equation.params
    sizes = options["window_dimensions"]
    ones = (1,) * len(sizes)
    spread, apart = options.get("base_dilation", ones), options.get("window_dilation", ones)

    def change(axis: int, part: Range, size: int) -> Range | None:
        before, stride = options["padding"][axis][0], options["window_strides"][axis]
        return seen(part, Slide(sizes[axis], stride, before, spread[axis], apart[axis]))

    return along(equation, asked, change)


def _scatter_window(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    """The gradient of max pooling: a cell reads the windows that hold it, and all that those look at."""
    (part,), options = asked, equation.params
    assert part is not None
    slides = [
        Slide(size, stride, before)
        for size, stride, (before, _) in zip(
            options["window_dimensions"], options["window_strides"], options["padding"], strict=True
        )
    ]
    windows = box([seeing(*each) for each in zip(part, slides, shape_of(equation.invars[0]), strict=True)])
    if windows is None:
        return [None, None]
    return [windows, box([seen(*each) for each in zip(windows, slides, strict=True)])]


def _convolve(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), options = asked, equation.params
    assert part is not None
    left, right, out = options["dimension_numbers"]
    kernel = shape_of(equation.invars[1])
    shape, features = shape_of(equation.invars[0]), kernel[right[0]]
    found: list[Any] = [None] * len(shape)
    images, maps = part[out[0]], clipped(part[out[1]], features)
    if maps is None:
        return [None, None]
    blocks = options["batch_group_count"]
    share, count = features // blocks, shape[left[0]] // blocks
    found[left[0]] = images[0] + maps[0] // share * count, images[1] + maps[1] // share * count
    groups = options["feature_group_count"]
    share, count = features // groups, shape[left[1]] // groups
    found[left[1]] = maps[0] // share * count, (maps[1] // share + 1) * count - 1
    for number, (axis, over, above) in enumerate(zip(left[2:], right[2:], out[2:], strict=True)):
        slide = Slide(
            kernel[over],
            options["window_strides"][number],
            options["padding"][number][0],
            options["lhs_dilation"][number],
            options["rhs_dilation"][number],
        )
        found[axis] = seen(part[above], slide)
    return [box(found), whole(kernel)]


RULES: dict[str, Rule] = {
    "pad": _pad,
    "select_and_scatter_add": _scatter_window,
    "conv_general_dilated": _convolve,
    **dict.fromkeys(
        ("reduce_window", "reduce_window_sum", "reduce_window_max", "reduce_window_min", "select_and_gather_add"),
        _window,
    ),
}
