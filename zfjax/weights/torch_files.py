"""Files of torch.save, without PyTorch: zip archives as it writes them since 1.6, and the form before that.

Source of both forms: torch/serialization.py of PyTorch 2.13 (`_save`, `_legacy_save`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from zfjax.weights.pickled import PICKLE_BYTES, unpickle
from zfjax.weights.rebuilt import SHOWN, Storage, Tensor

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys of the weights in a checkpoint of a training
_DEEPEST = 4  # wrappers around each other; a dict may also hold itself
_COUNT_BYTES = 8  # before the numbers of each storage, in the old form

Named = Iterator[tuple[str, np.ndarray]]


def read_zip(archive: zipfile.ZipFile) -> Named:
    """(name, tensor) in the file's order. Names of members are keys, never paths.

    Raises ValueError, and what zipfile raises, for whatever is wrong with it.
    """
    members = {info.filename: info for info in archive.infolist()}
    prefix = pickle_of(archive).removesuffix("data.pkl")
    order = members.get(f"{prefix}byteorder")
    if order and archive.read(order) != b"little":
        raise ValueError(_BIG_ENDIAN)
    pickled = members[f"{prefix}data.pkl"]
    if pickled.file_size > PICKLE_BYTES:
        raise ValueError(f"its pickle has {pickled.file_size:,} bytes; {PICKLE_BYTES:,} are the most that is read")
    tree, _ = unpickle(BytesIO(archive.read(pickled)))

    def fetch(storage: Storage) -> bytes:
        member = members.get(f"{prefix}data/{storage.key}")
        _check_size(storage, member.file_size if member else 0)
        assert member
        return archive.read(member)

    return _tensors(tree, fetch)


def pickle_of(archive: zipfile.ZipFile) -> str:
    """The name of the member that says what the others are; "" in archives that torch.save did not write."""
    return next((name for name in archive.namelist() if name.endswith("/data.pkl")), "")


def read_legacy(file: BinaryIO) -> Named:
    """(name, tensor) in the file's order: three small pickles, that of the state dict, one of keys, then the numbers.

    Raises ValueError for whatever is wrong with it.
    """
    magic = _next_pickle(file)[0]
    if not isinstance(magic, int) or magic != _MAGIC:
        raise ValueError("it is a pickle, but not one of torch.save")
    version = _next_pickle(file)[0]
    if not isinstance(version, int) or version != _LEGACY_VERSION:
        # of nested tuples, which share their parts, even the text would take all memory
        there = version if isinstance(version, int) else type(version).__name__
        raise ValueError(f"its version is {there}, not {_LEGACY_VERSION}")
    machine = _next_pickle(file)[0]
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError(_BIG_ENDIAN)
    tree, storages = _next_pickle(file)
    places = _places(file, _next_pickle(file)[0], storages)

    def fetch(storage: Storage) -> bytes:
        file.seek(places[storage.key])
        return file.read(storage.numel * storage.dtype.itemsize)

    return _tensors(tree, fetch)


_BIG_ENDIAN = "it was written on a big-endian machine, and such files are not read"


def _next_pickle(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    start = file.tell()
    stream = BytesIO(file.read(PICKLE_BYTES))
    found = unpickle(stream)
    file.seek(start + stream.tell())
    return found


def _places(file: BinaryIO, keys: Any, storages: dict[str, Storage]) -> dict[str, int]:
    """Where the numbers of each storage begin; every byte to the end of the file is one's."""
    if not isinstance(keys, list) or sorted(storages) != sorted(key for key in keys if isinstance(key, str)):
        raise ValueError("it does not list the numbers that its tensors need")
    places = {}
    place, end = file.tell(), file.seek(0, 2)
    for storage in (storages[key] for key in keys):
        size = storage.numel * storage.dtype.itemsize
        file.seek(place)
        if int.from_bytes(file.read(_COUNT_BYTES), "little") != storage.numel:
            raise ValueError(f"it has another count of numbers in {storage.key[:SHOWN]!r} than it claims")
        places[storage.key] = place + _COUNT_BYTES
        place += _COUNT_BYTES + size
        _check_size(storage, size - max(0, place - end))
    if place != end:
        raise ValueError(f"it has {end - place:,} bytes that belong to no tensor")
    return places


def _check_size(storage: Storage, size: int) -> None:
    """Raises ValueError where a storage has another number of bytes than it claims."""
    if size != storage.numel * storage.dtype.itemsize:
        claim = f"{storage.numel:,} numbers of {storage.dtype}"
        raise ValueError(f"it claims {claim} in {storage.key[:SHOWN]!r}, where {max(0, size):,} bytes are")


def _tensors(tree: Any, fetch: Callable[[Storage], bytes]) -> Named:
    """The tensors of a state dict, also inside a checkpoint; what is none is left out."""
    for _ in range(_DEEPEST):
        inner = next(
            (tree[key] for key in _WRAPPERS if isinstance(tree, dict) and isinstance(tree.get(key), dict)), None
        )
        tree = tree if inner is None else inner
    if not isinstance(tree, dict):
        raise ValueError("it holds no dict of tensors")
    numbers: dict[str, np.ndarray] = {}
    for name, tensor in tree.items():
        if isinstance(tensor, Tensor) and isinstance(name, str):
            storage = tensor.storage
            if storage.key not in numbers:
                numbers[storage.key] = np.frombuffer(fetch(storage), storage.dtype)
            yield name, tensor.view(numbers[storage.key])
