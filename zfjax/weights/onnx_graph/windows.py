"""Operators that slide a window over maps: convolution and pooling, with padding in all the ways that a file has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from zfjax.errors import InputError
from zfjax.layers import IMAGE, VALID, AvgPool, Conv, MaxPool, Padding
from zfjax.weights.onnx_graph.graph import Node
from zfjax.weights.onnx_graph.table import Map, Table
from zfjax.weights.onnx_graph.tensors import shown


def conv(table: Table, node: Node, x: Map, kernel: np.ndarray, bias: np.ndarray | None = None) -> Map:
    """kernel: [O, I / groups, height, width]."""
    x = table.maps(x, padded=False)
    if kernel.ndim != 4 or node.wholes("kernel_shape", kernel.shape[2:]) != [*kernel.shape[2:]]:
        raise InputError(f"it has a kernel of {list(kernel.shape)}; convolutions over two dimensions are supported")
    features, inputs, *window = kernel.shape
    groups, channels = node.whole("group", 1), x.shape[2]
    if inputs * groups != channels:
        raise InputError(f"its kernel takes {inputs} channels in {groups} groups, and there are {channels}")
    if bias is not None and bias.shape != (features,):
        raise InputError(f"its bias is {list(bias.shape)} for {features} channels")
    dilation = _pair(node, "dilations")
    strides, padding = _sliding(
        node, x.tensor_shape[2:], [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    )
    options = {"strides": strides, "padding": _sum(padding, x.pad), "groups": groups, "dilation": dilation}
    start = None if bias is None else 0.0
    y = table.add(Conv, node, x, features=features, kernel=tuple(window), bias=start, relu=False, **options)
    table.store(y.layer, kernel=kernel.transpose(2, 3, 1, 0), **({} if bias is None else {"bias": bias}))
    return y


def max_pool(table: Table, node: Node, x: Map) -> Map:
    """Padding never wins; zeros around the maps do, where they are not rectified."""
    x = table.maps(x, padded=False)
    window, strides, padding, beyond = _pooling(node, x)
    own = _sum(padding, beyond)
    rectified = x.layer != IMAGE and table.layers[x.layer].relu
    if x.pad != VALID and not (rectified and _fits(_sum(own, x.pad), window)):
        x = table.maps(x)
    return table.add(MaxPool, node, x, window=window, strides=strides, padding=_sum(own, x.pad))


def average_pool(table: Table, node: Node, x: Map) -> Map:
    """Zeros around the maps count, padding as `count_include_pad` says, and never what rounding up adds."""
    x = table.maps(x, padded=False)
    window, strides, padding, beyond = _pooling(node, x)
    counted, uncounted = x.pad, beyond
    if node.whole("count_include_pad", 0):
        counted = _sum(counted, padding)
    else:
        uncounted = _sum(uncounted, padding)
    every = uncounted == VALID and _fits(counted, window)
    if not every:
        x = table.maps(dataclasses.replace(x, pad=counted))
    options = {"padding": counted if every else uncounted, "count_include_pad": every}
    return table.add(AvgPool, node, x, window=window, strides=strides, **options)


def global_max_pool(table: Table, node: Node, x: Map) -> Map:
    x = table.maps(x)
    return table.add(MaxPool, node, x, window=x.shape[:2], strides=1, padding=VALID)


def pad(table: Table, node: Node, x: Map, *given: np.ndarray | None) -> Map:
    """Zeros around maps, which wait for the layer that reads them."""
    pads, value, axes = (*given, *[None] * (3 - len(given)))
    sides = node.wholes("pads", node.wholes("paddings", None)) if pads is None else [int(each) for each in pads.flat]
    number = node.attribute("value", "f", 0.0) if value is None else float(value.reshape(-1)[0]) if value.size else 0.0
    mode = node.attribute("mode", "s", "constant")
    if mode != "constant" or number != 0:
        raise InputError(f"it pads by {number} in the mode {shown(mode)}; only zeros are supported")
    x = table.maps(x, padded=False)
    at = [*range(4)] if axes is None else [int(axis) % 4 for axis in axes.flat]
    if sides is None or len(sides) != 2 * len(at) or len({*at}) < len(at):
        raise InputError(f"its pads are {sides} for {len(at)} axes")
    both = {axis: (sides[i], sides[i + len(at)]) for i, axis in enumerate(at)}
    if any(both.get(axis, (0, 0)) != (0, 0) for axis in (0, 1)) or min(sides, default=0) < 0:
        raise InputError(f"its pads are {sides}; only zeros around maps are supported")
    return dataclasses.replace(x, pad=_sum(x.pad, (both.get(2, (0, 0)), both.get(3, (0, 0)))))


def _pooling(node: Node, x: Map) -> tuple[tuple[int, int], tuple[int, int], Padding, Padding]:
    """Window, strides, the padding that is given, and what rounding up adds below and to the right."""
    window = _pair(node, "kernel_shape")
    if _pair(node, "dilations") != (1, 1):
        raise InputError("pooling with dilations is not supported")
    size = x.tensor_shape[2:]
    strides, padding = _sliding(node, size, window)
    if not node.whole("ceil_mode", 0) or node.attribute("auto_pad", "s", "NOTSET") != "NOTSET":
        return window, strides, padding, VALID
    rounded, beyond = [], []
    for length, extent, step, (before, after) in zip(size, window, strides, padding, strict=True):
        count = -(-(length + before + after - extent) // step) + 1
        if (count - 1) * step >= length + before:
            count -= 1  # a window must begin in the maps, or before them
        end = max(0, (count - 1) * step + extent - length - before)
        rounded.append((before, min(end, after)))
        beyond.append((0, max(0, end - after)))
    return window, strides, (rounded[0], rounded[1]), (beyond[0], beyond[1])


def _sliding(node: Node, size: Sequence[int], extent: Sequence[int]) -> tuple[tuple[int, int], Padding]:
    """Strides and padding. extent: of a window, with the cells that dilation skips."""
    strides, pads = _pair(node, "strides"), node.wholes("pads", (0, 0, 0, 0)) or []
    match auto := node.attribute("auto_pad", "s", "NOTSET"):
        case "NOTSET" if len(pads) == 4 and min(pads) >= 0:
            return strides, ((pads[0], pads[2]), (pads[1], pads[3]))
        case "VALID":
            return strides, VALID
        case "SAME_UPPER" | "SAME_LOWER":
            rest = [max(0, (-(-n // s) - 1) * s + k - n) for n, k, s in zip(size, extent, strides, strict=True)]
            few, many = [each // 2 for each in rest], [each - each // 2 for each in rest]
            before, after = (few, many) if auto == "SAME_UPPER" else (many, few)
            return strides, ((before[0], after[0]), (before[1], after[1]))
    raise InputError(
        f"its padding is {shown(auto)} {pads}; four numbers from 0 on, SAME_UPPER, SAME_LOWER or VALID are known"
    )


def _pair(node: Node, name: str) -> tuple[int, int]:
    """Two whole numbers from 1 on, for rows and columns; 1 where they are not given."""
    if len(found := node.wholes(name, (1, 1)) or []) != 2 or min(found) < 1:
        raise InputError(f"its {name} is {found}; two whole numbers from 1 on are supported")
    return found[0], found[1]


def _sum(one: Padding, other: Padding) -> Padding:
    (a, b), (c, d) = one
    (e, f), (g, h) = other
    return (a + e, b + f), (c + g, d + h)


def _fits(padding: Padding, window: tuple[int, int]) -> bool:
    return all(max(sides) < size for sides, size in zip(padding, window, strict=True))
