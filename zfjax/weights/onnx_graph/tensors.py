"""The numbers of a file: tensors within it, and those in files beside it, which never lie outside its folder."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.errors import InputError
from zfjax.runtime.files import open_to_read

if TYPE_CHECKING:
    import onnx

MOST_NUMBERS = 2**29  # of all parameters of a network: vgg19 has 2**27
MOST_AXES = 8
_FLOATS = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")
_OTHERS = ("INT64", "INT32", "BOOL")  # shapes, axes, indices


class Unreadable(InputError):
    """The file itself is damaged or incomplete, whatever network it holds."""


class Budget:
    """Counts numbers, for a few bytes can ask for terabytes, and for hours."""

    def __init__(self, most: int):
        self.most = self.left = most

    def spend(self, *shape: int) -> None:
        """Raises InputError when the numbers of that shape are more than what is left."""
        self.left -= math.prod(shape)
        if self.left < 0:
            raise InputError(f"more than {self.most:,} numbers would be made")


def shown(text: str) -> str:
    """In quotes, with escapes for what cannot be printed, and not too long."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")


def as_array(tensor: onnx.TensorProto, folder: Path | None = None) -> np.ndarray:
    """The numbers of a tensor: float32 for any kind of floats, or int64, int32 or bool.

    folder: where files beside the model lie; None where a tensor may have none. Raises Unreadable for other types, for
    numbers that are not as many as claimed, and for files beside the model that are not whole or not in its folder.
    """
    from onnx import TensorProto, helper, numpy_helper

    allowed = {getattr(TensorProto, name): name in _FLOATS for name in (*_FLOATS, *_OTHERS)}
    shape, label = tuple(tensor.dims), f"the tensor {shown(tensor.name)}"
    if tensor.data_type not in allowed:
        raise Unreadable(f"{label} holds no numbers of a known type (its type is {tensor.data_type})")
    if len(shape) > MOST_AXES or min(shape, default=0) < 0 or math.prod(shape) > MOST_NUMBERS:
        raise Unreadable(f"{label} cannot have the shape {shown('x'.join(map(str, shape)))}")
    try:
        if tensor.data_location == TensorProto.EXTERNAL:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
            data = _beside(tensor, folder, math.prod(shape) * dtype.itemsize)
            array = np.frombuffer(data, dtype).reshape(shape)
        else:
            array = numpy_helper.to_array(tensor)
    except Unreadable as error:
        raise Unreadable(f"{label}: {error}") from None
    except (ValueError, TypeError, OverflowError):
        raise Unreadable(f"{label} should hold {'x'.join(map(str, shape))} numbers, and does not") from None
    if not allowed[tensor.data_type]:
        return array
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused where it is used
        return array.astype(np.float32, copy=False)


def _beside(tensor: onnx.TensorProto, folder: Path | None, size: int) -> bytes:
    """The bytes of a tensor that lie in a file beside the model's."""
    if folder is None:
        raise Unreadable("numbers within a node may not lie in another file")
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = location.removeprefix("./").split("/")
    if {"", ".", ".."} & {*parts} or "\\" in location or "\0" in location:
        raise Unreadable(f"its numbers may lie in a file in the model's folder alone, not in {shown(location)}")
    try:
        offset, length = (int(entries.get(key, default)) for key, default in (("offset", 0), ("length", size)))
    except ValueError:
        raise Unreadable(f"where its numbers begin and end in {shown(location)} is no number") from None
    if offset < 0 or length != size:
        raise Unreadable(f"it takes {size:,} bytes, not those from {offset} on, {length} of them")
    try:
        return _read(folder, parts, offset, size)
    except OSError as error:
        raise Unreadable(f"cannot read {shown(location)}, which belongs to the model ({error.strerror})") from None


def _read(folder: Path, parts: list[str], offset: int, size: int) -> bytes:
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise Unreadable(f"{shown('/'.join(parts))} is a link, which is not followed")
    with open_to_read(path) as file:
        if offset + size > (end := file.seek(0, os.SEEK_END)):
            name = shown("/".join(parts))
            raise Unreadable(f"its {size:,} bytes from {offset:,} on reach beyond the end of {name}, which has {end:,}")
        file.seek(offset)
        data = file.read(size)
    if len(data) != size:
        raise Unreadable(f"{shown('/'.join(parts))} became shorter while it was read")
    return data
