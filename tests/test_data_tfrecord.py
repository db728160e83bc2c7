"""Records of TFDS builds on damaged disks: TFRecord and ArrayRecord shards, read at random."""

import io
import os
import shutil
import struct

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2
from tfrecords import as_tfrecord, edit_info, framed, prepare, raw_records

from zfjax.data import eval_batches, open_dataset, tfrecord
from zfjax.data.array_record import ArrayRecordReader
from zfjax.data.records import Shard, ShardedRecords
from zfjax.data.tfds_source import open_tfds
from zfjax.errors import BadImage, InputError

# What TensorFlow 2.21 writes for the records b"abc", b"" and bytes(range(200)) twice, up to the last one's data.
WRITTEN_BY_TENSORFLOW = bytes.fromhex(
    "0300000000000000b099490e6162636e57f121000000000000000029039807d8ea82a290010000000000009093a7a5"
)


class Dots(tfds.core.GeneratorBasedBuilder):
    """Twelve training and four test images."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(names=["ink", "oil"]),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples(12), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
        rng = np.random.default_rng(count)
        for i in range(count):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, "PNG")
            file.seek(0)
            yield i, {"image": file, "label": i % 2, "id": f"dot {i}"}


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


def shard(build, number=1, split="train"):
    return next(build.glob(f"*{split}.*-{number:05d}-of-*"))


def open_dots(build, bad_images="stop"):
    return open_tfds("dots", canvas_size=8, data_dir=build.parents[1], bad_images=bad_images)


def counts(build, split="train"):
    return [len(raw_records(path)) for path in sorted(build.glob(f"*{split}.array_record-*"))]


def lost(source) -> list[int]:
    """Numbers of the images that cannot be read."""
    numbers = []
    for i in range(len(source)):
        try:
            source[i]
        except BadImage:
            numbers.append(i)
    return numbers


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


def test_an_index_that_cannot_be_kept_costs_a_line_only(build, cache, capsys):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file in the folder's place")
    assert len(open_dots(build)[0]) == 12
    assert "the index of the records cannot be kept" in capsys.readouterr().err


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def patch(path, offset, data):
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(bytes(content))


def second_record(path):
    return 16 + struct.unpack("<Q", path.read_bytes()[:8])[0]


def empty(path):
    path.write_bytes(b"")


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


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
@pytest.mark.parametrize("kind", ["array_record", "tfrecord"])
def test_missing_shards_are_named_and_counted(array_record, tfrecord_build, tmp_path, kind, bad_images):
    source = tfrecord_build if kind == "tfrecord" else array_record
    build = shutil.copytree(source, tmp_path / "tfds" / "dots" / "1.2.0")
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


def without(key):
    def damage(record):
        example = tf_example_pb2.Example.FromString(record)
        del example.features.feature[key]
        return example.SerializeToString()

    return damage


NO_EXAMPLES = {
    "no protobuf": (lambda record: b"\xff" * 20, "not an example of this set: ."),
    "cut": (lambda record: record[:-5], "not an example of this set: ."),
    "nothing in it": (lambda record: b"", "an example without image and label"),
    "no image": (without("image"), "an example without image$"),
    "no label": (without("label"), "an example without label$"),
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


def test_an_image_that_does_not_decode_is_named(build):
    path = shard(build, 2)
    place = path.read_bytes().index(b"\x89PNG")
    patch(path, place, b"XXXX")
    train, _ = open_dots(build)
    (number,) = lost(train)
    with pytest.raises(BadImage, match=rf"dots train record {number} .*00002-of-00003 record 0\): not an image"):
        train[number]


# Damage of an ArrayRecord shard -> the message at open, or None where only reading can tell.
ARRAY_DAMAGE = {
    "cut": (lambda path: cut(path, path.stat().st_size // 2), r"none of the \d records can be read: no index"),
    "cut by a byte": (lambda path: cut(path, path.stat().st_size - 1), r"none of the \d records can be read: .*"),
    "empty": (empty, r"none of the \d records can be read: .*64KB"),
    "zeros": (
        zero,
        r"none of the \d records can be read: .*hash",
    ),
    "a flipped byte": (lambda path: patch(path, path.read_bytes().index(b"\x89PNG"), b"?"), None),
}


@pytest.mark.parametrize("case", ARRAY_DAMAGE)
def test_array_record_shards_with_damage(array_record, tmp_path, case):
    damage, message = ARRAY_DAMAGE[case]
    build = shutil.copytree(array_record, tmp_path / "tfds" / "dots" / "1.2.0")
    before, count = counts(array_record)[:2]
    damage(shard(build))
    if message:
        with pytest.raises(InputError, match=f"train.array_record-00001-of-00003: {message}.*damaged files: 1 of 3"):
            open_dots(build)
    train, _ = open_dots(build, "skip" if message else "stop")
    assert len(train) == 12 and lost(train) == list(range(before, before + (count if message else 1)))
    with pytest.raises(BadImage, match=f"dots train record {before} .*00001-of-00003 record 0.: "):
        train[before]


def test_array_record_counts_are_checked(array_record, tmp_path):
    build = shutil.copytree(array_record, tmp_path / "tfds" / "dots" / "1.2.0")
    wrong = [str(count + 1) for count in counts(array_record)]

    def change(info):
        next(split for split in info["splits"] if split["name"] == "train")["shardLengths"] = wrong

    edit_info(build, change)
    with pytest.raises(InputError, match=r"the file has \d records where dataset_info.json says \d; damaged files: 3"):
        open_dots(build)


@pytest.fixture
def few_files():
    """A process that may open 50 files more, and could ask for more."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = os.open(os.devnull, os.O_RDONLY)
    os.close(in_use)
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 50, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_array_record_shards_than_files_allowed(array_record, few_files):
    count = counts(array_record)[0]
    shards = [Shard(str(shard(array_record, 0)), count)] * 120
    records = ShardedRecords(shards, ArrayRecordReader(shards))
    assert len({records[i] for i in range(len(records))}) == count and not records.reader.damage


def test_a_limit_of_files_that_cannot_be_raised_is_named(array_record, monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda kind: (40, 40))
    with pytest.raises(InputError, match=r"3 shards must be open .* may open 40 files .*raise that limit to \d+"):
        open_dots(array_record)


def test_through_the_front_door(build):
    dataset = open_dataset("dots", canvas_size=8, data_dir=build.parents[1])
    assert dataset.origin == "12 + 4 images in 2 classes from TFDS dots"
