"""Files as torch.save writes them, and such as nobody should write, made from instructions of a pickle alone."""

import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

KINDS = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long"}
MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Raw(bytes):
    """Instructions as they are."""


class Global(str):
    """A name in a module: "torch FloatStorage"."""


class Call(NamedTuple):
    name: Global
    arguments: tuple
    state: Any = None


class Persistent(NamedTuple):
    identity: tuple


def pickled(value: Any) -> bytes:
    return b"\x80\x02" + emit(value) + b"."


def emit(value: Any) -> bytes:
    match value:
        case None | True | False:
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case Raw():
            return bytes(value)
        case Global():
            return b"c" + value.replace(" ", "\n").encode() + b"\n"
        case Call(name, arguments, state):
            built = b"" if state is None else emit(state) + b"b"
            return emit(name) + emit(arguments) + b"R" + built
        case Persistent(identity):
            return emit(identity) + b"Q"
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case float():
            return b"G" + struct.pack(">d", value)
        case int():
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case tuple():
            return b"(" + b"".join(map(emit, value)) + b"t"
        case list():
            return b"](" + b"".join(map(emit, value)) + b"e"
        case dict():
            return b"}(" + b"".join(emit(key) + emit(item) for key, item in value.items()) + b"u"
    raise TypeError(value)


def storage(dtype: str, key: str, numel: int, *view: tuple | None) -> Persistent:
    return Persistent(("storage", Global(f"torch {KINDS[dtype]}Storage"), key, "cpu", numel, *view))


def tensor(stored: Any, shape: tuple, strides: tuple, offset: int = 0, **options: Any) -> Call:
    hooks = Call(Global("collections OrderedDict"), ())
    return Call(Global("torch._utils _rebuild_tensor_v2"), (stored, offset, shape, strides, False, hooks), **options)


def state_dict(arrays: dict[str, np.ndarray], *view: None) -> tuple[dict, dict[str, bytes]]:
    """The tree of a state dict and its storages by key; arrays may be in C's or in Fortran's order.

    view: None in the old form, which names the view of a storage there.
    """
    tree = {}
    for key, (name, array) in enumerate(arrays.items()):
        strides = tuple(each // array.itemsize for each in array.strides)
        tree[name] = tensor(storage(array.dtype.name, str(key), array.size, *view), array.shape, strides)
    return tree, {str(key): array.tobytes(order="A") for key, array in enumerate(arrays.values())}


def old_forms(arrays: dict[str, np.ndarray], *view: None) -> tuple[Any, dict[str, bytes]]:
    """A state dict as a list of pairs, as Python 2 pickled it, of tensors and parameters as they once were."""
    tree, storages = state_dict(arrays, *view)
    parameter = Global("torch.nn.parameter Parameter")
    pairs = []
    for number, (name, each) in enumerate(tree.items()):
        stored, offset, shape, strides, *_ = each.arguments
        plain = Call(Global("torch._utils _rebuild_tensor"), (stored, offset, shape, strides))
        hooks = Call(Global("collections OrderedDict"), ())
        empty = Raw(emit(parameter) + b")\x81" + emit((plain, None, {}, True, False)) + b"b")
        rebuilt = Call(Global("torch._utils _rebuild_parameter"), (plain, True, hooks))
        pairs.append([name, (plain, rebuilt, empty)[number % 3]])
    return Call(Global("collections OrderedDict"), (pairs,)), storages


def write_zip(path, tree: Any, storages: dict[str, bytes], *, more: dict[str, bytes] | None = None, **options) -> None:
    """more: members beside; options: of zipfile."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", tree if type(tree) is bytes else pickled(tree))
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        for name, data in (more or {}).items():
            archive.writestr(name, data)


def write_legacy(path, tree: Any, storages: dict[str, bytes], *, itemsize: int = 4) -> None:
    """With the count of numbers before those of each storage; itemsize: bytes of one."""
    parts = [pickled(part) for part in (MAGIC, 1001, MACHINE, tree, list(storages))]
    parts += [struct.pack("<q", len(data) // itemsize) + data for data in storages.values()]
    path.write_bytes(b"".join(parts))
