"""Tensors by name from the files that weights come in: PyTorch's, safetensors, and NumPy's .npz.

Files come from strangers: what is in them is data. Nothing of them is run, no name of a member is a path, and what they
claim is held against what they have.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from zfjax.checks import whole
from zfjax.errors import InputError
from zfjax.runtime.arrays import load_array
from zfjax.runtime.files import open_to_read, parse_json
from zfjax.runtime.places import memory
from zfjax.weights import torch_files
from zfjax.weights.rebuilt import SHOWN
from zfjax.weights.torch_files import Named

# Times a file's size that its tensors may take as float32. 8: a byte may become four, and some share their numbers.
_GROWTH, _COMPRESSED_GROWTH = 8, 100
_HEADER_BYTES = 16 << 20  # of safetensors; one tensor takes about 100
_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
# What zipfile and its parts raise for damaged archives, beside ValueError and OSError.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, MemoryError, OverflowError)
_SAFE_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_tensors(path: Path | str) -> dict[str, np.ndarray]:
    """The tensors of a file in its order, told by what is in it; floating point as float32, without counters.

    Those inside a checkpoint of a training are found, and prefixes of all names (`module.`) are dropped. Raises
    InputError for a file that cannot be read, that wants more than tensors, or whose numbers are not all finite.
    """
    path = Path(path)
    try:
        with open_to_read(path) as file:
            tensors = _checked(file)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror or error})") from None
    except (ValueError, *_DAMAGE) as error:
        raise InputError(f"cannot read {path}: {_first_line(error)}") from None
    if not tensors:
        raise InputError(f"{path} holds no tensors")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _checked(file: BinaryIO) -> dict[str, np.ndarray]:
    size = file.seek(0, 2)
    if size > (there := memory()):
        raise ValueError(f"it has {size:,} bytes, and this machine has {there:,} of memory")
    file.seek(0)
    growth, found = _open(file, size)
    tensors, total = {}, 0
    for name, tensor in found:
        total += 4 * tensor.size
        if total > growth * size:
            raise ValueError(f"its tensors take more than {growth} times the {size:,} bytes that it has")
        if tensor.dtype.kind in "iub" and tensor.size <= 1:
            continue  # how many batches or steps there were
        if tensor.dtype.kind not in "iub":
            with np.errstate(over="ignore"):
                tensor = np.asarray(tensor, np.float32, order="C")
            if not np.isfinite(tensor).all():
                raise ValueError(f"{name[:SHOWN]} has numbers that are not finite")
        tensors[name] = tensor
    return tensors


def _open(file: BinaryIO, size: int) -> tuple[int, Named]:
    """How many times its size a file's tensors may take, and the tensors."""
    start = file.read(20)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        archive = zipfile.ZipFile(file)
        if torch_files.pickle_of(archive):
            _check_members(archive, {zipfile.ZIP_STORED}, size)
            return _GROWTH, torch_files.read_zip(archive)
        _check_members(archive, {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}, _COMPRESSED_GROWTH * size)
        return _COMPRESSED_GROWTH, _npz(archive)
    if start.startswith(b"\x80"):
        return _GROWTH, torch_files.read_legacy(file)
    if start[8:9] == b"{":
        return _GROWTH, _safetensors(file, size)
    raise ValueError(f"it is no .pth, .safetensors or .npz file; it begins with {start!r}")


def _check_members(archive: zipfile.ZipFile, compressions: set[int], most: int) -> None:
    """Raises ValueError for members that are compressed otherwise, that share a name, or that claim too many bytes."""
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise ValueError("two of its members have one name")
    for info in archive.infolist():
        if info.compress_type not in compressions:
            raise ValueError(f"its member {info.filename[:SHOWN]} is compressed, as no such file's are")
        if info.filename.startswith("/") or ".." in info.filename.split("/"):
            raise ValueError(f"its member {info.filename[:SHOWN]} is called as if it lay outside")
    if (total := sum(info.file_size for info in archive.infolist())) > most:
        raise ValueError(f"its members claim {total:,} bytes; {most:,} are the most that would be read")


def _npz(archive: zipfile.ZipFile) -> Named:
    """(name, array) of those that hold numbers, no texts and the like."""
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            raise ValueError(f"its member {info.filename[:SHOWN]} is no array")
        name = info.filename.removesuffix(".npy")
        data = BytesIO(archive.read(info))
        try:
            array = load_array(data)
        except ValueError as error:
            raise ValueError(f"{name[:SHOWN]}: {error}") from None
        if array.dtype == "V2":
            array = array.view(ml_dtypes.bfloat16)  # NumPy writes this type without its name
        if array.dtype.kind in "fiub" or array.dtype == ml_dtypes.bfloat16:
            yield name, array


def _safetensors(file: BinaryIO, size: int) -> Named:
    """(name, tensor) by their places: a header in JSON with its length before it, then the numbers without a gap.

    Its own package knows no bfloat16 in NumPy. Source: the format's description in its README, version 0.8.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > min(_HEADER_BYTES, size - 8):
        raise ValueError(f"its header claims {length:,} bytes")
    header = parse_json(file.read(length))
    header.pop("__metadata__", None)
    entries = [(*_entry(name, entry), name) for name, entry in header.items()]
    place = 0
    for begin, end, dtype, shape, name in sorted(entries, key=lambda entry: entry[:2]):
        if begin != place or end - begin != math.prod(shape) * dtype.itemsize or end > size - 8 - length:
            raise ValueError(f"{name[:SHOWN]} claims the bytes {begin:,} to {end:,} for {shape} numbers of {dtype}")
        place = end
        yield name, np.frombuffer(file.read(end - begin), dtype).reshape(shape)
    if place != size - 8 - length:
        raise ValueError(f"it has {size - 8 - length - place:,} bytes that belong to no tensor")


def _entry(name: str, entry: Any) -> tuple[int, int, np.dtype, tuple[int, ...]]:
    """(begin, end, dtype, shape) of one tensor, whole numbers from 0 on; raises ValueError for others."""
    try:
        begin, end = map(whole(0), entry["data_offsets"])
        return begin, end, np.dtype(_SAFE_DTYPES[entry["dtype"]]), tuple(map(whole(0), entry["shape"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name[:SHOWN]} is described as {str(entry)[:SHOWN]}") from None
