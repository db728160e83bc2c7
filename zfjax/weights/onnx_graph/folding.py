"""What a file computes from constants alone, and how it rearranges numbers without a look at them, by NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zfjax.errors import InputError
from zfjax.weights.onnx_graph.graph import Node
from zfjax.weights.onnx_graph.tensors import MOST_AXES, Budget, as_array

Array = np.ndarray


def _whole(given: Array | None, node: Node, attribute: str) -> list[int] | None:
    """Whole numbers from an input or, as in older versions, from an attribute."""
    return node.wholes(attribute, None) if given is None else [int(each) for each in given.reshape(-1)]


def _reshape(node: Node, x: Array, shape: Array | None = None) -> Array:
    wanted = _whole(shape, node, "shape")
    if wanted is None or min(wanted, default=0) < -1:
        raise InputError(f"cannot make an array of shape {wanted}")
    keep = not node.whole("allowzero", 0)
    return x.reshape([x.shape[i] if size == 0 and keep else size for i, size in enumerate(wanted)])


def _flatten(node: Node, x: Array) -> Array:
    axis = node.whole("axis", 1)
    if not -x.ndim <= axis <= x.ndim:
        raise InputError(f"axis {axis} is none of {x.ndim}")
    return x.reshape(math.prod(x.shape[: axis if axis >= 0 else x.ndim + axis]), -1)


def _squeeze(node: Node, x: Array, axes: Array | None = None) -> Array:
    wanted = _whole(axes, node, "axes")
    return np.squeeze(x, None if wanted is None else tuple(wanted))


def _unsqueeze(node: Node, x: Array, axes: Array | None = None) -> Array:
    return np.expand_dims(x, tuple(_whole(axes, node, "axes") or ()))


def _transpose(node: Node, x: Array) -> Array:
    return np.transpose(x, node.wholes("perm", None))


def _slice(node: Node, x: Array, *given: Array | None) -> Array:
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        _whole(each, node, name) for each, name in zip((*given, *[None] * (4 - len(given))), names, strict=True)
    )
    if starts is None or ends is None:
        raise InputError("it does not say where to begin and end")
    places = [slice(None)] * x.ndim
    axes, steps = axes or list(range(len(starts))), steps or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            raise InputError(f"steps of {step} are not supported")
        places[axis] = slice(start, end, step)
    return x[tuple(places)]


def _gather(node: Node, x: Array, places: Array) -> Array:
    return np.take(x, places, axis=node.whole("axis", 0))


def _split(node: Node, x: Array, sizes: Array | None = None) -> list[Array]:
    axis, count = node.whole("axis", 0), len(node.outputs)
    wanted = _whole(sizes, node, "split") or [-(-x.shape[axis] // count)] * count
    return np.split(x, np.cumsum(wanted)[:-1], axis)


def _same(node: Node, x: Array) -> Array:
    return x


# Where numbers go, whatever they are: of constants, and of what a network computes.
REARRANGED: dict[str, Callable[..., Array | list[Array]]] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "Identity": _same,
}


def _constant(node: Node) -> Array:
    kinds = {"value_float": ("f", np.float32), "value_int": ("i", np.int64)}
    kinds |= {"value_floats": ("floats", np.float32), "value_ints": ("ints", np.int64)}
    for name, (field, dtype) in kinds.items():
        if name in node.attributes:
            return np.array(node.attribute(name, field, None), dtype)
    return _value(node)


def _value(node: Node, default: Any = None) -> Array:
    if (tensor := node.attribute("value", "t", default)) is None:
        raise InputError("it holds no numbers")
    return as_array(tensor)


def _constant_of_shape(node: Node, shape: Array) -> Array:
    value = _value(node) if "value" in node.attributes else np.zeros(1, np.float32)
    if shape.size > MOST_AXES:
        raise InputError(f"arrays of {shape.size} dimensions are not supported")
    return np.broadcast_to(value.reshape(()), [int(size) for size in shape.reshape(-1)])


def _concat(node: Node, *parts: Array) -> Array:
    return np.concatenate(parts, node.whole("axis", 1))


def _quotient(node: Node, a: Array, b: Array) -> Array:
    """Of whole numbers without what remains, towards zero."""
    whole = a.dtype.kind == "i" and b.dtype.kind == "i"
    return np.trunc(a / b).astype(a.dtype) if whole else a / b


def _cast(node: Node, x: Array) -> Array:
    from onnx import TensorProto

    whole: dict[int, Any] = {TensorProto.INT64: np.int64, TensorProto.INT32: np.int32, TensorProto.BOOL: np.bool_}
    return x.astype(whole.get(node.whole("to", TensorProto.FLOAT), np.float32))


COMPUTED: dict[str, Callable[..., Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Concat": _concat,
    "Shape": lambda node, x: np.array(x.shape, np.int64)[node.whole("start", 0) : node.whole("end", x.ndim)],
    "Cast": _cast,
    "Add": lambda node, a, b: a + b,
    "Sub": lambda node, a, b: a - b,
    "Mul": lambda node, a, b: a * b,
    "Div": _quotient,
    "Sqrt": lambda node, x: np.sqrt(x),
}


def folded(node: Node, given: list[Array | None], budget: Budget) -> Array | list[Array]:
    """What a node makes of constants. Raises InputError where it cannot."""
    budget.spend(*_made(node, [each for each in given if each is not None]))
    return attempted(node, {**REARRANGED, **COMPUTED}[node.op], given)


def _made(node: Node, arrays: list[Array]) -> tuple[int, ...]:
    """A shape of as many numbers as will be made or moved, or of more."""
    match node.op, arrays:
        case (("Add" | "Sub" | "Mul" | "Div"), [_, _]):
            return shape_of_both(*arrays)
        case "ConstantOfShape", [shape]:
            return tuple(max(0, int(size)) for size in shape.reshape(-1)[:MOST_AXES])
        case "Gather", [x, places]:
            return (x.size, places.size)
    return (sum(each.size for each in arrays),)


def shape_of_both(*arrays: Array) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(each.shape for each in arrays))
    except ValueError:
        raise InputError(f"{' and '.join(str(list(each.shape)) for each in arrays)} do not fit together") from None


def attempted(node: Node, function: Callable[..., Any], given: list[Array | None]) -> Any:
    """What NumPy makes of numbers from a file; all that it has against them is an InputError."""
    try:
        return function(node, *given)
    except InputError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        shapes = ", ".join("none" if each is None else str(list(each.shape)) for each in given)
        raise InputError(f"cannot be computed from arrays of shape {shapes} ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
