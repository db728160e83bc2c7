"""What a PyTorch pickle may name, and what it gets: views of numbers in place of tensors, and nothing that runs.

A name is looked up in the tables below and nowhere else; any other ends the reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

SHOWN = 80  # characters of a name, or of a shape, in a message
_MOST_AXES = 16
_MOST_ARGUMENTS = 8  # a tuple can be given again by two bytes of a pickle: time would go with the square of its length
_MOST_KEY = 1 << 32  # whole numbers beyond can be chosen so that all have one hash


class Name(NamedTuple):
    """What stands for a class or a function; it is never looked up."""

    text: str


class Storage(NamedTuple):
    """Numbers that tensors are views of."""

    dtype: np.dtype
    key: str
    numel: int


class Tensor(NamedTuple):
    """A view of a storage: offset and strides count numbers. It lies inside, and has no more numbers than that."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, numbers: np.ndarray) -> np.ndarray:
        """numbers: [numel] of the storage."""
        strides = [each * numbers.itemsize for each in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)


LEFT_OUT = object()  # stands for an object that is no tensor and was not made
UNSET = object()  # a parameter whose tensor comes as its state, as PyTorch wrote them before 0.4
_PARAMETER = "torch.nn.parameter.Parameter"
_DTYPES = {
    "Float": np.float32,
    "Double": np.float64,
    "Half": np.float16,
    "BFloat16": ml_dtypes.bfloat16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Char": np.int8,
    "Byte": np.uint8,
    "Bool": np.bool_,
}
_STORAGES = {
    f"{module}.{kind}Storage": np.dtype(dtype) for kind, dtype in _DTYPES.items() for module in ("torch", "torch.cuda")
}
# What stands beside the weights in a checkpoint of a training.
_OTHERS = {
    "__builtin__.set",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.set",
    "collections.Counter",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "torch.Size",
    "torch.device",
    *(f"torch.{name}" for name in ("float16", "float32", "float64", "bfloat16", "int64", "int32", "uint8", "bool")),
}


def named(text: str) -> Name:
    """Raises ValueError for a name that is not in our tables."""
    if text in _CALLS or text in _STORAGES or text in _OTHERS:
        return Name(text)
    raise ValueError(f"it wants {text[:SHOWN]}, and nothing but tensors is read; save the state_dict() alone")


def made(name: Any, arguments: Any) -> Any:
    """What a call would give. Raises ValueError, TypeError or KeyError where it cannot be."""
    if not isinstance(name, Name) or type(arguments) is not tuple or len(arguments) > _MOST_ARGUMENTS:
        raise TypeError
    return LEFT_OUT if name.text in _OTHERS else _CALLS[name.text](*arguments)


def with_state(made: Any, state: Any) -> Any:
    """What has been given its attributes, which are dropped; but a parameter of old is its tensor."""
    if made is UNSET and type(state) is tuple and state:
        return _parameter(state[0])
    if made is LEFT_OUT or isinstance(made, dict | Tensor):
        return made
    raise TypeError


def checked_key(key: Any) -> str | int:
    """A key of a dict, a text or a number; the hash of a tuple would go through all that is in it."""
    if isinstance(key, str) or (isinstance(key, int) and abs(key) < _MOST_KEY):
        return key
    raise TypeError


def stored(identity: Any) -> Storage:
    """("storage", kind, key, device, numel), in old files with None. Raises ValueError, TypeError or KeyError."""
    if type(identity) is not tuple or len(identity) > _MOST_ARGUMENTS:
        raise TypeError
    kind, name, key, _, numel, *view = identity
    if kind != "storage" or not isinstance(name, Name) or not isinstance(key, str) or type(numel) is not int:
        raise TypeError
    if any(each is not None for each in view):
        raise ValueError("it has views of storages, as PyTorch wrote them before 0.4; save it again by a later one")
    if numel < 0:
        raise ValueError(f"a storage has {numel} numbers")
    return Storage(_STORAGES[name.text], key, numel)


def _dict(pairs: Any = None) -> dict:
    """Python 2 gives the pairs as a list, which is emptied: it cannot be copied again and again."""
    if pairs is not None and type(pairs) is not list:
        raise TypeError
    found = {checked_key(key): value for key, value in pairs or ()}
    if pairs:
        pairs.clear()
    return found


def _parameter(tensor: Any = UNSET, *_: Any) -> Any:
    if tensor is not UNSET and not isinstance(tensor, Tensor):
        raise TypeError
    return tensor


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """Raises ValueError or TypeError where its numbers are not all in the storage."""
    if not isinstance(storage, Storage) or type(shape) is not tuple or type(strides) is not tuple:
        raise TypeError
    if len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise ValueError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    numbers = (offset, *shape, *strides)
    if any(type(each) is not int for each in numbers):
        raise TypeError
    what = f"a tensor of shape {str(shape)[:SHOWN]}, strides {str(strides)[:SHOWN]} and offset {str(offset)[:SHOWN]}"
    if min(numbers) < 0 or 0 in shape:
        raise ValueError(f"it has {what}")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= storage.numel or math.prod(shape) > storage.numel:
        raise ValueError(f"{what} reaches beyond its {storage.numel:,} numbers")
    return Tensor(storage, offset, shape, tuple(s if n > 1 else 0 for n, s in zip(shape, strides, strict=True)))


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dict,
    _PARAMETER: _parameter,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
}
