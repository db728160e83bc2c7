"""A batch is its records, one a row: whichever way the source reads them, and what is damaged is refused by name."""

import shutil

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.lib import recfunctions
from test_data_prepare import make_photos, run_prepare
from test_prepared_damage import resealed

from zfjax.data.pipeline.batches import eval_batches
from zfjax.data.pipeline.rows import read_rows
from zfjax.data.prepared.reader import open_prepared
from zfjax.data.relabelled import Relabelled
from zfjax.data.sources.broken import Broken, SoundSource
from zfjax.errors import BadImage

FORMATS = ("raw", "jpeg")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("rows")
    photos = make_photos(root / "photos", train=12, val=4)
    return {format: run_prepare(photos, root / format, format=format) for format in FORMATS}


@pytest.fixture(params=FORMATS)
def copied(sets, request, tmp_path):
    """A prepared set that a test may damage."""
    return shutil.copytree(sets[request.param], tmp_path / request.param)


def opened(out):
    return open_prepared(out, canvas_size=20)[0]


def stacked(source, indices):
    records = [source[index] for index in indices]
    return {key: np.stack([record[key] for record in records]) for key in records[0]}


def assert_same(batch, other):
    assert batch.keys() == other.keys()
    for key in batch:
        assert batch[key].dtype == other[key].dtype
        np.testing.assert_array_equal(batch[key], other[key])


@settings(deadline=None, max_examples=30)
@given(indices=st.lists(st.integers(0, 11), min_size=1, max_size=9), format=st.sampled_from(FORMATS))
def test_rows_are_the_records(indices, format, sets):
    source = opened(sets[format])
    assert_same(read_rows(source, indices), stacked(source, indices))


def test_a_source_around_another_keeps_its_say(sets):
    source = opened(sets["raw"])
    for around in (Relabelled(source, [7, 5], tuple("abcdefgh")), SoundSource(source, Broken())):
        assert_same(read_rows(around, range(6)), stacked(around, range(6)))


def flip(out, record):
    """One bit in the middle of a record; the file keeps its size."""
    index = np.load(out / "train-index.npy")[record]
    path = out / f"train-{index['shard']:05}.{out.name}"
    data = bytearray(path.read_bytes())
    data[index["offset"] + index["size"] // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("indices", [[5], [5, 1], [0, 1, 5, 2]])
def test_a_damaged_record_is_refused_in_any_row(indices, copied):
    flip(copied, 5)
    source = opened(copied)
    with pytest.raises(BadImage, match=r"record 5 \(.*png\) is damaged: it does not agree with its checksum"):
        read_rows(source, indices)
    sound = [0, 1, 4, 6, 11]
    assert_same(read_rows(source, sound), stacked(source, sound))
    with pytest.raises(BadImage, match="record 5 "):
        list(eval_batches(source, batch_size=4))


def test_a_stand_in_fills_the_whole_row(copied):
    flip(copied, 5)
    source = opened(copied)
    rows = read_rows(SoundSource(source, Broken()), [4, 5])
    np.testing.assert_array_equal(rows["image"][1], source[6]["image"])
    assert rows["sound"].tolist() == [True, False]


def test_a_set_of_before_has_no_checksums_of_records(copied, sets):
    index = np.load(copied / "train-index.npy")
    np.save(copied / "train-index.npy", recfunctions.repack_fields(recfunctions.drop_fields(index, "crc32c")))
    resealed(copied, "train-index.npy")
    assert_same(read_rows(opened(copied), range(12)), read_rows(opened(sets[copied.name]), range(12)))


def test_a_shard_that_ends_too_soon_is_named(copied):
    source = opened(copied)
    path = max(copied.glob("train-0*"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadImage, match=rf"{path.name}: record 11 .* has \d+ of its \d+ bytes"):
        read_rows(source, [3, 11])
