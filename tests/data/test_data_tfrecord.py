"""TFRecord shards read at random: what TensorFlow writes, the index that is kept, and damaged disks."""

import os
import shutil
import struct

import numpy as np
import pytest
from tensorflow_datasets.proto import tf_example_pb2
from tfrecords import (
    Dots,
    as_tfrecord,
    counts,
    cut,
    edit_info,
    empty,
    framed,
    lost,
    open_dots,
    patch,
    prepare,
    raw_records,
    shard,
    zero,
)

from zfjax.data import eval_batches, open_dataset
from zfjax.data.formats import tfrecord
from zfjax.data.formats.records import Shard
from zfjax.errors import BadImage, InputError

# What TensorFlow 2.21 writes for the records b"abc", b"" and bytes(range(200)) twice, up to the last one's data.
WRITTEN_BY_TENSORFLOW = bytes.fromhex(
    "0300000000000000b099490e6162636e57f121000000000000000029039807d8ea82a290010000000000009093a7a5"
)


@pytest.fixture(scope="module")
def array_record(tmp_path_factory):
    return prepare(Dots, tmp_path_factory.mktemp("array_record"), num_shards=3)


@pytest.fixture(scope="module")
def tfrecord_build(array_record, tmp_path_factory):
    return as_tfrecord(array_record, tmp_path_factory.mktemp("tfrecord"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "zfjax" / "tfrecord"


@pytest.fixture
def build(tfrecord_build, tmp_path):
    """A TFRecord build to be damaged."""
    return shutil.copytree(tfrecord_build, tmp_path / "tfds" / "dots" / "1.2.0")


def test_frames_are_those_of_tensorflow(tmp_path):
    written = b"".join(map(framed, (b"abc", b"", bytes(range(200)) * 2)))
    assert written.startswith(WRITTEN_BY_TENSORFLOW)
    (tmp_path / "a").write_bytes(written)
    offsets, damage = tfrecord.scan(Shard(str(tmp_path / "a"), 3))
    assert offsets.tolist() == [0, 19, 35, 451] and damage is None


def test_the_checksum_is_crc_32c():
    crc = 0xE3069283  # the check value in every catalogue of CRCs
    assert tfrecord.masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def test_both_formats_hold_the_same(array_record, tfrecord_build):
    for ours, theirs in zip(open_dots(tfrecord_build), open_dots(array_record), strict=True):
        assert len(ours) == len(theirs) == sum(counts(array_record, "train" if len(ours) == 12 else "test"))
        for one, other in zip(eval_batches(ours, batch_size=5), eval_batches(theirs, batch_size=5), strict=True):
            for key in one:
                np.testing.assert_array_equal(one[key], other[key])


def test_the_origin_and_a_split_without_records(build):
    dataset = open_dataset("dots", canvas_size=8, data_dir=build.parents[1])
    assert dataset.origin == "12 + 4 images in 2 classes from TFDS dots"
    edit_info(build, lambda info: [split.update(shardLengths=[]) for split in info["splits"]])
    with pytest.raises(InputError, match="dots/1.2.0/train has no records in .*prepare the data set again"):
        open_dots(build)


def test_the_index_is_kept_and_made_anew_when_files_change(build, cache, monkeypatch):
    first = [record["label"] for record in map(open_dots(build)[0].__getitem__, range(12))]
    assert len(list(cache.iterdir())) == 2 and not list(cache.glob("*.part"))
    scanned = []
    scan = tfrecord.scan
    monkeypatch.setattr(tfrecord, "scan", lambda shard: scanned.append(shard.path) or scan(shard))
    again = [record["label"] for record in map(open_dots(build)[0].__getitem__, range(12))]
    assert again == first and not scanned
    stat = shard(build).stat()
    os.utime(shard(build), ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    open_dots(build)
    assert len(scanned) == 3  # train's shards, not test's
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:50])
    open_dots(build)
    assert len(scanned) == 3 + 6


def change(what):
    def damage(file):
        with np.load(file) as arrays:
            stored = {name: arrays[name] for name in arrays}
        what(stored)
        with file.open("wb") as opened:
            np.savez(opened, **stored)

    return damage


def add(name, place, number):
    return lambda stored: np.add.at(stored[name], place, number)


WRONG_INDICES = {
    "a start far away": change(add("offsets", 1, 2**40)),
    "a start before the file": change(add("offsets", 0, -16)),
    "an end too early": change(add("offsets", -1, -16)),
    "other counts": change(lambda stored: stored.update(counts=stored["counts"][::-1] + np.arange(3))),
    "too few": change(lambda stored: stored.update(offsets=stored["offsets"][:-1])),
    "text": change(lambda stored: stored.update(offsets=stored["offsets"].astype(str))),
    "floats": change(lambda stored: stored.update(offsets=stored["offsets"].astype(float))),
    "other names": change(lambda stored: stored.update(starts=stored.pop("offsets"))),
    "no archive": lambda file: file.write_bytes(b"\x93NUMPY" + bytes(200)),
    "a flipped bit": lambda file: patch(file, 200, bytes([file.read_bytes()[200] ^ 4])),
    "nothing": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("case", WRONG_INDICES)
def test_an_index_that_cannot_be_is_made_again(build, cache, case):
    expected = [record["label"] for record in map(open_dots(build)[0].__getitem__, range(12))]
    for file in cache.iterdir():
        WRONG_INDICES[case](file)
    train, _ = open_dots(build)
    assert [record["label"] for record in map(train.__getitem__, range(12))] == expected


def test_an_index_that_cannot_be_kept_costs_a_line_only(build, cache, capsys):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file in the folder's place")
    assert len(open_dots(build)[0]) == 12
    assert "the index of the records cannot be kept" in capsys.readouterr().err


def second_record(path):
    return 16 + struct.unpack("<Q", path.read_bytes()[:8])[0]


# Damage of the middle TFRecord shard -> the message, and how many of its records stay readable.
DAMAGE = {
    "cut in a record": (
        lambda path: cut(path, second_record(path) + 40),
        r"byte {second}, record 1 of .*cut off",
        1,
    ),
    "cut in a header": (
        lambda path: cut(path, second_record(path) + 5),
        r"byte {second}, .*cut off: 5 of the 12 bytes",
        1,
    ),
    "cut between": (lambda path: cut(path, second_record(path)), r"byte {second}, record 1: the file has 1 records", 1),
    "a wrong length": (
        lambda path: patch(path, second_record(path), b"\x07"),
        r"byte {second}, record 1 .*checksum",
        1,
    ),
    "zeros": (zero, r"byte 0, record 0 of .*checksum", 0),
    "empty": (empty, r"the file is empty where dataset_info.json says", 0),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_shard_is_refused_or_left_out(array_record, build, cache, case):
    damage, message, kept = DAMAGE[case]
    before, count, path = counts(array_record)[0], counts(array_record)[1], shard(build)
    message = message.replace("{second}", str(second_record(path)))
    damage(path)
    with pytest.raises(InputError, match=f"train.tfrecord-00001-of-00003: {message}") as error:
        open_dots(build)
    assert f"damaged files: 1 of 3, lost records: {count - kept} of 12" in str(error.value)
    assert "--bad_images=skip" in str(error.value) and "\n" not in str(error.value)
    train, _ = open_dots(build, "skip")
    assert len(train) == 12 and lost(train) == list(range(before + kept, before + count))
    with pytest.raises(BadImage, match=f"dots train record {before + kept} .*00001-of-00003 record {kept}.: lost: "):
        train[before + kept]
    assert not list(cache.glob("*train*"))  # a good copy with the same size and time would still be called damaged


def test_more_records_than_declared_are_named(build):
    path = shard(build)
    path.write_bytes(path.read_bytes() + framed(b"one more"))
    with pytest.raises(InputError, match=r"00001-of-00003: record \d+: the file has (\d+) records where .* says \d+;"):
        open_dots(build)
    assert not lost(open_dots(build, "skip")[0])


@pytest.mark.parametrize("bad_images", ["stop", "skip"])
def test_missing_shards_are_named_and_counted(build, bad_images):
    shard(build, 1).unlink()
    shard(build, 2).unlink()
    with pytest.raises(InputError, match="00001-of-00003: cannot be read .No such file.*missing or closed: 2 of 3"):
        open_dots(build, bad_images)


def test_a_shard_that_vanishes_or_shrinks_later_is_named(build):
    train, _ = open_dots(build)
    cut(shard(build, 0), 20)
    with pytest.raises(BadImage, match="00000-of-00003 record 0.: cannot be read: the file ends .* bytes too soon"):
        train[0]
    shard(build, 0).unlink()
    with pytest.raises(InputError, match="00000-of-00003: cannot be read .No such file") as error:
        train[0]
    assert not isinstance(error.value, BadImage)  # a disk that went away is no reason to skip all it held


@pytest.mark.parametrize("place", ["in the picture", "in the checksum"])
def test_a_flipped_bit_of_the_data_is_found(array_record, build, place):
    path = shard(build)
    before, second = counts(array_record)[0], second_record(path)
    where = second - 2 if place == "in the checksum" else 60
    flipped = path.read_bytes()[where] ^ 4
    patch(path, where, bytes([flipped]))
    train, _ = open_dots(build)
    assert lost(train) == [before]
    with pytest.raises(BadImage, match="00001-of-00003 record 0.: is damaged: its data do not agree"):
        train[before]


def without(key):
    def damage(record):
        example = tf_example_pb2.Example.FromString(record)
        del example.features.feature[key]
        return example.SerializeToString()

    return damage


def labelled(kind, *values):
    def damage(record):
        example = tf_example_pb2.Example.FromString(record)
        feature = example.features.feature["label"]
        feature.Clear()
        getattr(feature, kind).SetInParent()
        getattr(feature, kind).value.extend(values)
        return example.SerializeToString()

    return damage


NO_EXAMPLES = {
    "label 2 of 2": (labelled("int64_list", 2), "label 2 is none of the 2 classes"),
    "label -1": (labelled("int64_list", -1), "label -1 is none of the 2 classes"),
    "label 2**40": (labelled("int64_list", 2**40), "label 1099511627776 is none of the 2 classes"),
    "two labels": (labelled("int64_list", 0, 1), r"label \[0 1\] is no class number|not an example of this set"),
    "no number": (labelled("int64_list"), "an example without label|not an example of this set"),
    "a word": (labelled("bytes_list", b"dog"), "label b'dog' is no class number|not an example of this set"),
    "no protobuf": (lambda record: b"\xff" * 20, "not an example of this set: ."),
    "cut": (lambda record: record[:-5], "not an example of this set: ."),
    "nothing in it": (lambda record: b"", "an example without image and label"),
    "no image": (without("image"), "an example without image$"),
    "no label": (without("label"), "an example without label$"),
    "no picture": (lambda record: record.replace(b"\x89PNG", b"XXXX"), "not an image"),
}


@pytest.mark.parametrize("case", NO_EXAMPLES)
def test_records_that_are_no_examples_are_named(array_record, build, case):
    damage, message = NO_EXAMPLES[case]
    first, *others = raw_records(shard(array_record, 0))
    shard(build, 0).write_bytes(b"".join(map(framed, [damage(first), *others])))
    train, _ = open_dots(build)
    with pytest.raises(BadImage, match=rf"dots train record 0 .*00000-of-00003 record 0\): {message}"):
        train[0]
    assert lost(train) == [0] and len(others)


@pytest.mark.parametrize("name", ["features.json", "dataset_info.json", "label.labels.txt", "train"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_waited_for(build, name, kind):
    path = shard(build) if name == "train" else build / name
    path.unlink()
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{path.name} is a pipe or a device, not a file"):
        open_dots(build)


def test_a_name_for_files_that_cannot_be(build):
    edit_info(build, lambda info: [split.update(filepathTemplate="{WHAT}") for split in info["splits"]])
    with pytest.raises(InputError, match="TFDS cannot "):
        open_dots(build)
