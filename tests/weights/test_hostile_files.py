"""A file that wants more than tensors, or claims more than it has, is refused in one line, and nothing of it is run."""

import json
import os
import pickle
import pickletools
import random
import struct
import zipfile

import numpy as np
import pytest
from torch_files import MAGIC, Call, Global, Raw, emit, pickled, state_dict, storage, tensor, write_legacy, write_zip

from zfjax.errors import InputError
from zfjax.weights.pickled import PICKLE_BYTES
from zfjax.weights.reader import read_tensors

FOUR = np.arange(4, dtype=np.float32)
SOUND = tensor(storage("float32", "0", 4), (2, 2), (2, 1))
NUMBERS = {"0": FOUR.tobytes()}


class Runs:
    """What Python's unpickler would run."""

    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def _of(value) -> dict:
    return {"w": SOUND, "x": value}


def _over(stored, *arguments, **options):
    return _of(tensor(stored, *arguments, **options))


FLOATS = storage("float32", "0", 4)
SET_ATTRIBUTE = emit((None, {"__code__": "x"})) + b"b"
PICKLES = {
    "another name": (_of(Call(Global("builtins eval"), ("1",))), "wants builtins.eval"),
    "a name of ours": (_of(Call(Global("zfjax.runtime.files write_text"), ("a", "b"))), "wants zfjax.runtime"),
    "a dotted name": (_of(Raw(b"\x8c\x05torch\x8c\x13FloatStorage.mro.ab\x93")), "wants torch.FloatStorage.mro.ab"),
    "a state of a function": (_of(Raw(emit(Global("torch._utils _rebuild_tensor_v2")) + SET_ATTRIBUTE)), "damaged"),
    "a state of a tensor": (_of(Raw(emit(SOUND) + SET_ATTRIBUTE)), None),
    "INST": (_of(Raw(b"(ios\nsystem\n")), "instruction INST"),
    "OBJ": (_of(Raw(b"(" + emit(Global("collections OrderedDict")) + b"o")), "instruction OBJ"),
    "EXT": (_of(Raw(b"\x82\x01")), "instruction EXT1"),
    "NEWOBJ_EX": (_of(Raw(emit(Global("collections OrderedDict")) + b")}\x92")), "instruction NEWOBJ_EX"),
    "a text identity": (_of(Raw(b"P0\n")), "instruction PERSID"),
    "a long text": (_of(Raw(b"X\xff\xff\xff\xff")), "expected 4294967295 bytes"),
    "a long number": (_of(Raw(b"\x8b\xff\xff\xff\x7f")), "not enough data"),
    "no number": (_of(Raw(b"Fx\n")), "could not convert"),
    "a call of no name": (_of(Raw(emit("os.system") + emit(("true",)) + b"R")), "damaged"),
    "another kind of storage": (_over(storage("int64", "0", 4), (2,), (1,)), "'0' in two ways"),
    "more numbers": ({"w": tensor(storage("float32", "0", 10**15), (10**15,), (1,))}, "claims 1,000,000,000,000,000"),
    "fewer numbers": ({"w": tensor(storage("float32", "0", 3), (3,), (1,))}, "where 16 bytes are"),
    "a storage below 0": (_over(storage("float32", "1", -4), (2,), (1,)), "storage has -4 numbers"),
    "a view of a storage": (_over(storage("float32", "1", 4, ("2", 0, 2)), (2,), (1,)), "before 0.4"),
    "a member missing": (_over(storage("float32", "../../etc/passwd", 4), (4,), (1,)), "where 0 bytes are"),
    "beyond its numbers": (_over(FLOATS, (2, 2), (4, 1)), "reaches beyond its 4"),
    "an offset beyond": (_over(FLOATS, (2, 2), (2, 1), offset=1), "reaches beyond its 4"),
    "an offset below 0": (_over(FLOATS, (2, 2), (2, 1), offset=-1), "offset -1"),
    "strides below 0": (_over(FLOATS, (2, 2), (-2, 1)), r"strides \(-2, 1\)"),
    "one number again and again": (_over(FLOATS, (10**6, 10**6), (0, 0)), "reaches beyond its 4"),
    "a size of 600 digits": (_over(FLOATS, (10**600, 1), (0, 0)), "reaches beyond its 4"),
    "sizes of text": (_over(FLOATS, ("2", 2), (2, 1)), "damaged"),
    "40 axes": (_over(FLOATS, (1,) * 40, (1,) * 40), "40 sizes"),
    "a key that holds tuples": (Raw(b"}" + b")" + b"\x85" * 20_000 + b"Ns"), "damaged"),
    "itself as its weights": (Raw(b"}q\0" + emit("model") + b"h\0s"), "holds no tensors"),
    "deep lists": (Raw(b"]" * 20_000 + b"a" * 19_999), "no dict of tensors"),
    "deep tuples": (_of(Raw(b")" + b"\x85" * 50_000)), None),
    "a pair of pairs, doubled 60 times": (_of(Raw(b"]q\0" + b"h\0\x86q\0" * 60)), None),
    "marks without end": (Raw(b"(" * 20_000), "damaged"),
    "more than can be taken": (Raw(b"0" * 10), "instruction POP"),
    "nothing": (Raw(b""), "damaged"),
}


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("name", PICKLES)
def test_pickles(tmp_path, write, name):
    tree, message = PICKLES[name]
    write(tmp_path / "w", tree, {} if isinstance(tree, Raw) else NUMBERS)
    if message is None:  # what is no tensor was left where it was
        np.testing.assert_array_equal(read_tensors(tmp_path / "w")["w"], FOUR.reshape(2, 2))
        return
    if write is write_legacy and ("bytes are" in message or "claims" in message):
        message = "another count of numbers|does not list the numbers"
    with pytest.raises(InputError, match=message) as error:
        read_tensors(tmp_path / "w")
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 600


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("legacy", [False, True])
def test_what_would_run_is_named_and_does_not(tmp_path, protocol, legacy):
    canary = tmp_path / "canary"
    hostile = pickle.dumps({"w": Runs(f"touch {canary}")}, protocol=protocol)
    pickle.loads(hostile)
    assert canary.exists(), "it would run"
    canary.unlink()
    if legacy:
        (tmp_path / "w").write_bytes(
            b"".join(map(pickled, (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))) + hostile
        )
    else:
        write_zip(tmp_path / "w", hostile, {})
    with pytest.raises(InputError, match="wants posix.system|the instruction"):
        read_tensors(tmp_path / "w")
    (tmp_path / "plain").write_bytes(hostile)
    with pytest.raises(InputError):
        read_tensors(tmp_path / "plain")
    assert not canary.exists()


def _zip(path, names: dict[str, bytes], **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in names.items():
            archive.writestr(name, data)


def _bomb(path):
    write_zip(path, *state_dict({"w": np.zeros(1_000_000, np.float32)}), compression=zipfile.ZIP_DEFLATED)


def _npz_bomb(path):
    np.savez_compressed(path, w=np.zeros(10_000_000, np.float32))
    path.with_suffix(".npz").rename(path)


def _objects(path):
    with path.open("wb") as file:
        np.savez(file, w=np.array([{}], object))


def _twice(path):
    with pytest.warns(UserWarning, match="Duplicate"):
        write_zip(path, _of(SOUND), NUMBERS, more={"archive/data/0": bytes(16)})


def _flipped(path):
    write_zip(path, _of(SOUND), NUMBERS)
    data = path.read_bytes()
    path.write_bytes(data.replace(FOUR.tobytes(), bytes(16)))


def _truncated(write):
    def on(path):
        write(path, _of(SOUND), NUMBERS)
        path.write_bytes(path.read_bytes()[:-9])

    return on


def _header(array_header: bytes, data: bytes = bytes(16)):
    def on(path):
        text = array_header.ljust(117) + b"\n"
        _zip(path, {"w.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data})

    return on


def _safetensors(header, data: bytes = bytes(16), length: int | None = None):
    def on(path):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)

    return on


def _tensor(**changes):
    return {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}


FILES = {
    "a member above": (lambda path: write_zip(path, _of(SOUND), NUMBERS, more={"../../up": b"x"}), "lay outside"),
    "a compressed bomb": (_bomb, "is compressed"),
    "an npz bomb": (_npz_bomb, "its members claim"),
    "two members of one name": (_twice, "one name"),
    "changed numbers": (_flipped, "Bad CRC-32"),
    "a large pickle": (lambda path: write_zip(path, bytes(PICKLE_BYTES + 1), {}), "the most that is read"),
    "big-endian": (lambda path: _zip(path, {"a/data.pkl": b"", "a/byteorder": b"big"}), "big-endian"),
    "a zip of something else": (lambda path: _zip(path, {"word/document.xml": b"x"}), "document.xml is no array"),
    "a zip cut": (_truncated(write_zip), "not a zip file"),
    "an old file of a doubled version": (
        lambda path: path.write_bytes(
            pickled(MAGIC) + b"\x80\x02" + b"K\x01" + b"q\x00h\x00\x86" * 60 + b"." + bytes(40)
        ),
        "its version is tuple, not 1001",
    ),
    "an old file cut": (_truncated(write_legacy), "where 7 bytes are"),
    "an old file longer": (lambda path: write_legacy(path, {"w": SOUND}, {"0": bytes(20)}), "another count"),
    "objects in npz": (_objects, "w: Object arrays"),
    "an npz that claims much": (_header(b"{'descr':'<f4','fortran_order':False,'shape':(10000000000,)}"), "w: "),
    "an npz of code": (_header(b"__import__('os').system('touch canary')"), "w: "),
    "an npz nested": (_header(b"(" * 10_000), "w: "),
    "a long header": (_safetensors(_tensor(), length=2**60), "header claims 1,152,921,504,606,846,976 bytes"),
    "a nested header": (_safetensors(b'{"a":' * 50_000), "nested too deeply"),
    "another type": (_safetensors(_tensor(dtype="F8_E4M3")), "is described as .*F8_E4M3"),
    "no entry": (_safetensors({"w": 3}), "is described as 3"),
    "a header of another kind": (_safetensors({"w": []}), r"is described as \[\]"),
    "other bytes": (_safetensors(_tensor(shape=[3, 2])), "claims the bytes 0 to 16"),
    "bytes beyond": (_safetensors(_tensor(shape=[8], data_offsets=[0, 32])), "claims the bytes 0 to 32"),
    "bytes between": (_safetensors(_tensor(shape=[1], data_offsets=[12, 16])), "claims the bytes 12 to 16"),
    "bytes behind": (_safetensors(_tensor(), bytes(20)), "4 bytes that belong to no tensor"),
    "a size below 0": (_safetensors(_tensor(shape=[-2, -2])), "is described as"),
    "a page of the web": (lambda path: path.write_text("<!DOCTYPE html><html>"), "begins with b'<!DOCTYPE html>"),
    "nothing": (lambda path: path.write_bytes(b""), "begins with b''"),
    "a pipe": (os.mkfifo, "a pipe or a device"),
    "a folder": (os.mkdir, "Is a directory"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "no file": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make, message = FILES[name]
    make(tmp_path / "w")
    with pytest.raises(InputError, match=message) as error:
        read_tensors(tmp_path / "w")
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 600
    assert set(os.listdir(tmp_path)) <= {"w"}


def test_numbers_are_shared_by_a_few_tensors_and_not_by_thousands(tmp_path):
    for count in (2, 3000):
        tied = {f"w{number}": tensor(storage("float32", "0", 500), (500,), (1,)) for number in range(count)}
        write_zip(tmp_path / str(count), tied, {"0": np.ones(500, np.float32).tobytes()})
    assert len(read_tensors(tmp_path / "2")) == 2
    with pytest.raises(InputError, match="take more than 8 times the"):
        read_tensors(tmp_path / "3000")


def _mutated(data: bytes, rng: random.Random) -> bytes:
    """One or a few changes to a pickle: a bit, another instruction, a piece moved or left out."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place, other = rng.randrange(len(changed)), rng.randrange(len(changed))
        match rng.randrange(4):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + rng.randrange(2)] = rng.choice(pickletools.opcodes).code.encode("latin-1")
            case 2:
                changed[place:place] = changed[other : other + rng.randrange(40)]
            case 3:
                del changed[place : place + rng.randrange(1, 20)]
    return bytes(changed)


def test_changed_pickles_are_refused_or_give_numbers_of_the_file(tmp_path):
    arrays = {"conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "conv1.bias": FOUR}
    tree, storages = state_dict(arrays)
    sound = pickled({"epoch": 3, "args": Call(Global("argparse Namespace"), (), {"lr": 0.1}), "state_dict": tree})
    refused = 0
    for seed in range(500):
        write_zip(tmp_path / "w", _mutated(sound, random.Random(seed)), storages)
        try:
            found = read_tensors(tmp_path / "w")
        except InputError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
        else:
            assert all(np.isin(array, arrays["conv1.weight"]).all() for array in found.values()), seed
    assert 300 < refused < 500
