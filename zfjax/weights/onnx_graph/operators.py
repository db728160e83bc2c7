"""Which of ONNX's operators are read, and what each becomes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zfjax.errors import InputError
from zfjax.layers import VALID
from zfjax.weights.onnx_graph import pointwise, windows
from zfjax.weights.onnx_graph.folding import COMPUTED, REARRANGED, attempted, folded
from zfjax.weights.onnx_graph.graph import Node
from zfjax.weights.onnx_graph.table import Map, Table
from zfjax.weights.onnx_graph.tensors import shown

# The attributes that each operator may have; `consumed_inputs` is a hint of the first versions.
ATTRIBUTES = {
    "Add": "axis broadcast",
    "AveragePool": "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
    "BatchNormalization": "epsilon is_test momentum spatial training_mode",
    "Cast": "round_mode saturate to",
    "Concat": "axis",
    "Constant": "value value_float value_floats value_int value_ints",
    "ConstantOfShape": "value",
    "Conv": "auto_pad dilations group kernel_shape pads strides",
    "Div": "axis broadcast",
    "Dropout": "is_test ratio seed",
    "Flatten": "axis",
    "Gather": "axis",
    "Gemm": "alpha beta broadcast transA transB",
    "GlobalAveragePool": "",
    "GlobalMaxPool": "",
    "Identity": "",
    "LRN": "alpha beta bias size",
    "LogSoftmax": "axis",
    "MatMul": "",
    "MaxPool": "auto_pad ceil_mode dilations kernel_shape pads storage_order strides",
    "Mul": "axis broadcast",
    "Pad": "mode paddings pads value",
    "ReduceMean": "axes keepdims noop_with_empty_axes",
    "Relu": "",
    "Reshape": "allowzero shape",
    "Shape": "end start",
    "Slice": "axes ends starts",
    "Softmax": "axis",
    "Split": "axis num_outputs split",
    "Sqrt": "",
    "Squeeze": "axes",
    "Sub": "axis broadcast",
    "Sum": "",
    "Transpose": "perm",
    "Unsqueeze": "axes",
}
# What an operator makes of maps, and how many of its inputs may be maps; None: any.
NETWORK: dict[str, tuple[Callable[..., Any], int | None]] = {
    "Add": (pointwise.add, None),
    "AveragePool": (windows.average_pool, 1),
    "BatchNormalization": (pointwise.batch_norm, 1),
    "Cast": (pointwise.cast, 1),
    "Concat": (pointwise.concat, None),
    "Conv": (windows.conv, 1),
    "Div": (pointwise.divide, None),
    "Dropout": (pointwise.dropout, 1),
    "Gemm": (pointwise.gemm, 1),
    "GlobalAveragePool": (pointwise.global_average_pool, 1),
    "GlobalMaxPool": (windows.global_max_pool, 1),
    "LRN": (pointwise.lrn, 1),
    "LogSoftmax": (pointwise.softmax, 1),
    "MatMul": (pointwise.matmul, 1),
    "MaxPool": (windows.max_pool, 1),
    "Mul": (pointwise.multiply, None),
    "Pad": (windows.pad, 1),
    "ReduceMean": (pointwise.reduce_mean, 1),
    "Relu": (pointwise.relu, 1),
    "Shape": (pointwise.shape, 1),
    "Softmax": (pointwise.softmax, 1),
    "Sub": (pointwise.subtract, None),
    "Sum": (pointwise.add, None),
}

_NOT_COPIED = {*REARRANGED, "ConstantOfShape"} - {"Gather"}  # of constants: NumPy turns what it has, as a rule


def refuse_unknown(node: Node) -> None:
    """Raises InputError for operators and attributes that are not known."""
    if node.op not in ATTRIBUTES:
        raise InputError("no layer does this")
    if unknown := {*node.attributes} - {*ATTRIBUTES[node.op].split(), "consumed_inputs"}:
        raise InputError(f"its attribute {shown(min(unknown))} is not known")


def translated(table: Table, node: Node, given: list[Any]) -> list[Any]:
    """What a node makes of constants and maps, one for each of its outputs. Raises InputError where no layer can."""
    maps = [each for each in given if isinstance(each, Map)]
    if not maps and node.op in {**REARRANGED, **COMPUTED}:
        made = folded(node, given, table.stored if node.op in _NOT_COPIED else table.moved)
    elif node.op in REARRANGED and maps and maps[0] is given[0] and len(maps) == 1:
        made = _rearranged(table, node, maps[0], given[1:])
    elif node.op in NETWORK and maps:
        function, most = NETWORK[node.op]
        if most and (len(maps) > most or maps[0] is not given[0]):
            raise InputError("it computes with maps where only constants are supported")
        made = _called(function, table, node, given)
    else:
        raise InputError("it computes with constants what only maps can be given to, or the other way round")
    return made if isinstance(made, list) else [made]


def _called(function: Callable[..., Any], table: Table, node: Node, given: list[Any]) -> Any:
    while given and given[-1] is None:
        given = given[:-1]
    if any(each is None for each in given) and node.op not in ("Pad", "Dropout"):
        raise InputError("one of its inputs is left out")
    try:
        return function(table, node, *given)
    except TypeError as error:
        if error.__traceback__ and error.__traceback__.tb_next is None:  # the call itself: too few or too many
            raise InputError(f"it has {len(given)} inputs, as many as no {node.op} has") from None
        raise


def _rearranged(table: Table, node: Node, x: Map, rest: list[Any]) -> Map | list[Map]:
    if node.op == "Identity":
        return x
    x = table.maps(x) if x.pad != VALID else x
    found = attempted(node, REARRANGED[node.op], [table.places(x), *rest])
    count = math.prod(x.shape)

    def moved(places: np.ndarray) -> Map:
        table.moved.spend(*places.shape)
        return dataclasses.replace(x, places=places, sole=x.sole and places.size == count)

    return [moved(each) for each in found] if isinstance(found, list) else moved(found)
