"""Operators that work place by place, join maps, or take all of them at once."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from zfjax.errors import InputError
from zfjax.layers import LRN, Add, BatchNorm, Concat, Dense, GlobalAvgPool
from zfjax.weights.onnx_graph.graph import Node
from zfjax.weights.onnx_graph.table import Map, Table, as_flat, refuse_ended

Value = Map | np.ndarray


def relu(table: Table, node: Node, x: Map) -> Map:
    return table.rectify(node, x)


def lrn(table: Table, node: Node, x: Map) -> Map:
    """The file's alpha is divided by the number of neighbours, ours is not."""
    n = node.whole("size", 0)
    if n < 1 or n % 2 == 0:
        raise InputError(f"it normalises over {n} neighbours; only odd numbers have a middle")
    alpha, beta, k = (
        node.attribute(name, "f", default) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    return table.add(LRN, node, table.maps(x), n=n, k=k, alpha=alpha / n, beta=beta)


def batch_norm(table: Table, node: Node, x: Map, *given: np.ndarray) -> Map:
    flat, x = _is_flat(x), table.maps(x)
    if node.whole("training_mode", 0) or not node.whole("spatial", 1):
        raise InputError("only normalisation by stored statistics, of whole channels, is supported")
    if len(given) != 4 or any(each.shape != (x.shape[2],) for each in given):
        raise InputError(f"its four arrays should have {x.shape[2]} numbers, not {[list(a.shape) for a in given]}")
    eps, momentum = node.attribute("epsilon", "f", 1e-5), node.attribute("momentum", "f", 0.9)
    if (given[3] + eps <= 0).any():
        raise InputError("its variance has a number below zero")
    y = table.add(BatchNorm, node, x, eps=eps, momentum=min(1.0, max(0.0, momentum)))
    table.store(y.layer, **dict(zip(("scale", "bias", "mean", "var"), given, strict=True)))
    return as_flat(y) if flat else y


def add(table: Table, node: Node, *values: Value) -> Map:
    """Of maps, and of constants for each channel."""
    maps = [each for each in values if isinstance(each, Map)]
    total = _joined(table, node, Add, maps)
    for constant in (each for each in values if not isinstance(each, Map)):
        shift = _per_channel(node, constant, total)
        total = table.scale(node, total, np.ones_like(shift), shift)
    return total


def subtract(table: Table, node: Node, a: Value, b: Value) -> Map:
    x, constant, sign = _one_map(node, a, b)
    shift = sign * _per_channel(node, constant, x)
    return table.scale(node, x, np.full_like(shift, sign), -shift)


def multiply(table: Table, node: Node, a: Value, b: Value) -> Map:
    x, constant, _ = _one_map(node, a, b)
    scale = _per_channel(node, constant, x)
    return table.scale(node, x, scale, np.zeros_like(scale))


def divide(table: Table, node: Node, a: Value, b: Value) -> Map:
    x, constant, sign = _one_map(node, a, b)
    if sign < 0:
        raise InputError("it divides by maps")
    scale = 1 / _per_channel(node, constant, x)
    return table.scale(node, x, scale, np.zeros_like(scale))


def concat(table: Table, node: Node, *values: Value) -> Map:
    if not all(isinstance(each, Map) for each in values):
        raise InputError("it joins maps with constants")
    maps = [each for each in values if isinstance(each, Map)]
    rank, axis = len(maps[0].tensor_shape), node.whole("axis", 1)
    if axis not in (1, 1 - rank):
        raise InputError(f"it joins along axis {axis}; only channels, axis 1, are supported")
    return _joined(table, node, Concat, maps)


def _joined(table: Table, node: Node, make: type[Add | Concat], maps: list[Map]) -> Map:
    """Add or Concat of maps, or the one alone."""
    if len(maps) == 1:
        return maps[0]
    shapes = [each.tensor_shape for each in maps]
    parts = [shape if make is Add else (len(shape), *shape[2:]) for shape in shapes]
    if len({*parts}) > 1:
        raise InputError(f"it joins maps that do not fit together: {', '.join(str(list(each)) for each in shapes[:4])}")
    flat = all(map(_is_flat, maps))
    y = table.add(make, node, *map(table.maps, maps))
    return as_flat(y) if flat else y


def gemm(table: Table, node: Node, x: Map, matrix: np.ndarray, bias: np.ndarray | None = None) -> Map:
    """alpha * x @ matrix + beta * bias."""
    alpha, beta = (node.attribute(name, "f", 1.0) for name in ("alpha", "beta"))
    if node.whole("transA", 0):
        x = dataclasses.replace(x, places=table.places(x).T)
    matrix = matrix.T if node.whole("transB", 0) else matrix
    return _dense(table, node, x, matrix if alpha == 1 else matrix * alpha, None if bias is None else bias * beta)


def matmul(table: Table, node: Node, x: Map, matrix: np.ndarray) -> Map:
    return _dense(table, node, x, matrix, None)


def _dense(table: Table, node: Node, x: Map, matrix: np.ndarray, bias: np.ndarray | None) -> Map:
    """x: all numbers of a layer in any order, [1, M]. matrix: [M, N]. bias: what goes with [1, N]."""
    refuse_ended(x)
    count, places = math.prod(x.shape), x.places
    if places is None or places.ndim != 2 or matrix.ndim != 2:
        raise InputError(f"it multiplies {list(x.tensor_shape)} by {list(matrix.shape)}; only flattened maps can be")
    if places.shape != (1, count) or not np.array_equal(np.sort(places[0]), np.arange(count)):
        raise InputError(f"it takes {list(places.shape)} of the {count} numbers of {x.layer}; only all of them can be")
    if len(matrix) != count:
        raise InputError(f"its matrix {list(matrix.shape)} takes {len(matrix)} numbers, and there are {count}")
    features = matrix.shape[1]
    if bias is not None:
        if bias.ndim > 2 or bias.size not in (1, features) or (bias.ndim == 2 and len(bias) > 1):
            raise InputError(f"its bias is {list(bias.shape)} for {features} numbers")
        bias = np.broadcast_to(bias.reshape(-1), (features,))
    y = table.add(Dense, node, x, features=features, bias=None if bias is None else 0.0, relu=False)
    if not np.array_equal(places[0], np.arange(count)):
        given, matrix = matrix, np.empty(matrix.shape, np.float32)
        matrix[places[0]] = given  # rows in the order that the layer has its numbers in
    table.store(y.layer, kernel=matrix, **({} if bias is None else {"bias": bias}))
    return as_flat(y)


def global_average_pool(table: Table, node: Node, x: Map) -> Map:
    return table.add(GlobalAvgPool, node, table.maps(x))


def reduce_mean(table: Table, node: Node, x: Map, axes: np.ndarray | None = None) -> Map:
    x = table.maps(x)
    given = node.wholes("axes", ()) if axes is None else [int(axis) for axis in axes.flat]
    if sorted(axis % 4 for axis in given or ()) != [2, 3]:
        raise InputError(f"it takes the mean over the axes {given}; only that over places, axes 2 and 3, is supported")
    y = table.add(GlobalAvgPool, node, x)
    return y if node.whole("keepdims", 1) else as_flat(y)


def dropout(
    table: Table, node: Node, x: Map, rate: np.ndarray | None = None, training: np.ndarray | None = None
) -> Map:
    """Nothing, when a network is not trained."""
    if training is not None and training.any():
        raise InputError("it drops numbers when the network is used, too")
    return x


def softmax(table: Table, node: Node, x: Map) -> Map:
    """Left out: only the end of a network may have it, and what is shown there are the numbers before it."""
    shape, axis = x.tensor_shape, node.whole("axis", 1 if node.version < 13 else -1)
    axis += len(shape) if axis < 0 else 0
    over = math.prod(shape[axis:]) if node.version < 13 else math.prod(shape[axis : axis + 1])
    if over != math.prod(shape):
        raise InputError(f"it works along axis {axis} of {list(shape)}; only that over all classes is supported")
    return dataclasses.replace(x, ended=True)


def cast(table: Table, node: Node, x: Map) -> Map:
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
    if node.whole("to", 0) not in floats:
        raise InputError("it turns what the network computes into whole numbers")
    return x


def shape(table: Table, node: Node, x: Map) -> np.ndarray:
    sizes = x.tensor_shape
    return np.array(sizes, np.int64)[node.whole("start", 0) : node.whole("end", len(sizes))]


def _one_map(node: Node, a: Value, b: Value) -> tuple[Map, np.ndarray, int]:
    """The map and the constant of the two, and 1 where the map comes first, or -1."""
    if isinstance(a, Map) and not isinstance(b, Map):
        return a, b, 1
    if isinstance(b, Map) and not isinstance(a, Map):
        return b, a, -1
    raise InputError("it computes maps from each other; only their sum can be")


def _is_flat(x: Map) -> bool:
    return x.places is not None and x.places.ndim == 2


def _per_channel(node: Node, constant: np.ndarray, x: Map) -> np.ndarray:
    """A constant that goes with maps as one number for each channel [C]."""
    tensor = x.tensor_shape
    if node.version < 7 and "axis" in node.attributes:  # where its axes begin; later versions count from the end
        axis = node.whole("axis", 0)
        after = len(tensor) - axis - constant.ndim if 0 <= axis < len(tensor) else -1
        if after < 0:
            raise InputError(f"its axis {axis} is not one of {list(tensor)} for constants {list(constant.shape)}")
        constant = constant.reshape(*constant.shape, *[1] * after)
    full = (1,) * (len(tensor) - constant.ndim) + constant.shape
    if len(tensor) < 2 or len(full) != len(tensor) or math.prod(full) != full[1] or full[1] not in (1, tensor[1]):
        raise InputError(
            f"it combines maps {list(tensor)} with constants {list(constant.shape)}; one for each channel can be"
        )
    return np.broadcast_to(constant.reshape(-1), (tensor[1],)).astype(np.float32)
