"""ArrayRecord shards of TFDS builds on damaged disks, and more of them than a process may open."""

import os
import shutil

import pytest
from tfrecords import Dots, counts, cut, edit_info, empty, lost, open_dots, patch, prepare, shard, zero

from zfjax.data.formats.array_record import ArrayRecordReader
from zfjax.data.formats.records import Shard, ShardedRecords
from zfjax.errors import BadImage, InputError


@pytest.fixture(scope="module")
def array_record(tmp_path_factory):
    return prepare(Dots, tmp_path_factory.mktemp("array_record"), num_shards=3)


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


@pytest.mark.parametrize("bad_images", ["stop", "skip"])
def test_missing_shards_are_named_and_counted(array_record, tmp_path, bad_images):
    build = shutil.copytree(array_record, tmp_path / "tfds" / "dots" / "1.2.0")
    shard(build, 1).unlink()
    shard(build, 2).unlink()
    with pytest.raises(InputError, match="00001-of-00003: cannot be read .No such file.*missing or closed: 2 of 3"):
        open_dots(build, bad_images)


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
