"""Prepared sets that are damaged or a stranger's: named when they are opened, never taken, never a traceback."""

import json
import os
import random
import zlib

import numpy as np
import pytest
from test_data_prepare import make_photos, run_prepare

from zfjax.data import prepare
from zfjax.data.prepared.reader import open_prepared, read_manifest
from zfjax.errors import InputError
from zfjax.runs.checksums import sealed, unsealed

SMALL = ("manifest.json", "train-index.npy", "val-index.npy", "mean.npy")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "SHARD_BYTES", 4 * 20 * 20 * 3)
        root = tmp_path_factory.mktemp("prepared")
        return run_prepare(make_photos(root / "photos"), root / "set")


@pytest.fixture(autouse=True)
def mended(out):
    """Each test may damage the set; it is as it was for the next."""
    before = {name: (out / name).read_bytes() for name in SMALL}
    yield
    for name, data in before.items():
        (out / name).unlink(missing_ok=True)
        (out / name).write_bytes(data)


def what_is_read(out):
    train, val, mean = open_prepared(out, canvas_size=20)
    records = [
        (source[i]["image"].tobytes(), int(source[i]["label"]), source.describe(i))
        for source in (train, val)
        for i in range(0, len(source), 5)
    ]
    return unsealed(read_manifest(out)), records, mean.tobytes(), train.class_names


def rewrite(out, **values):
    """A manifest whose checksum is right."""
    manifest = {**unsealed(json.loads((out / "manifest.json").read_text())), **values}
    (out / "manifest.json").write_text(json.dumps(sealed(manifest, "manifest.json", {})))


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    other = bytes([data[at] ^ 1 << rng.randrange(8)])
    return rng.choice([data[:at] + other + data[at + 1 :], data[:at] + other + data[at:], data[:at]])


@pytest.mark.parametrize("name", SMALL)
def test_what_is_read_is_what_was_written_or_refused(out, name):
    rng, there, good, refused = random.Random(name), what_is_read(out), (out / name).read_bytes(), 0
    for _ in range(60):
        (out / name).write_bytes(flipped(good, rng))
        try:
            assert what_is_read(out) == there
        except InputError as error:
            assert str(out) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 50


OTHER_KINDS = [None, "x", 5, [[]], {"a": {}}, float("nan"), True]
MANIFESTS = {
    "settings": [*OTHER_KINDS, {}],
    "class_names": [*OTHER_KINDS, [], ["ant", " "]],
    "files": [*OTHER_KINDS, [], {}, {"train-index.npy": {"bytes": 1.5, "crc32": 3}}],
    "origin": [each for each in OTHER_KINDS if each != "x"],
    "skipped": [each for each in OTHER_KINDS if each != 5],
}


@pytest.mark.parametrize("key", MANIFESTS)
def test_a_manifest_that_cannot_be(out, key):
    for value in MANIFESTS[key]:
        rewrite(out, **{key: value})
        with pytest.raises(InputError, match=r"manifest\.json is damaged"):
            open_prepared(out, canvas_size=20)


SETTINGS = [{"size": 0}, {"channels": 2}, {"format": "png"}, {"size": 20.0}, {"dataset": None}]


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_cannot_be(out, setting):
    rewrite(out, settings={**read_manifest(out)["settings"], **setting})
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        open_prepared(out, canvas_size=20)


@pytest.mark.parametrize(
    ("field", "value"),
    [("label", 2), ("label", 99), ("label", -1), ("shard", 8), ("shard", -1), ("offset", -1), ("offset", 2**62)]
    + [("size", 1199), ("size", -1), ("offset", 4 * 1200)],
)
def test_rows_of_an_index_that_cannot_be(out, field, value):
    """By somebody who writes the right checksums beside them."""
    index = np.load(out / "train-index.npy")
    index[field][3] = value
    np.save(out / "train-index.npy", index)
    resealed(out, "train-index.npy")
    with pytest.raises(InputError, match=rf"train-index\.npy is damaged \(record 3 .*{field} "):
        open_prepared(out, canvas_size=20)


def resealed(out, name):
    data = (out / name).read_bytes()
    files = read_manifest(out)["files"]
    rewrite(out, files={**files, name: {"bytes": len(data), "crc32": zlib.crc32(data)}})


@pytest.mark.parametrize("index", [np.zeros(3), np.zeros((2, 2), "i4"), np.zeros(3, [("name", "S3")])])
def test_an_index_of_another_kind(out, index):
    np.save(out / "val-index.npy", index)
    resealed(out, "val-index.npy")
    with pytest.raises(InputError, match=r"val-index\.npy is damaged \(it holds "):
        open_prepared(out, canvas_size=20)


def test_a_manifest_of_before_has_no_checksum(out):
    there = what_is_read(out)
    (out / "manifest.json").write_text(json.dumps(unsealed(json.loads((out / "manifest.json").read_text()))))
    assert what_is_read(out) == there


def test_a_pipe_for_a_manifest_is_not_waited_for(out):
    (out / "manifest.json").unlink()
    os.mkfifo(out / "manifest.json")
    with pytest.raises(InputError, match="cannot read .*manifest.json is a pipe or a device"):
        read_manifest(out)


@pytest.mark.parametrize("name", ["manifest.json", "train-index.npy"])
def test_files_with_holes_are_not_read_into_memory(out, name):
    os.truncate(out / name, 1 << 40)
    if name != "manifest.json":
        files = json.loads((out / "manifest.json").read_text())["files"]
        rewrite(out, files={**files, name: {**files[name], "bytes": 1 << 40}})
    with pytest.raises(InputError, match=rf"{name}.* has 1,099,511,627,776 bytes, and may have"):
        open_prepared(out, canvas_size=20)
