"""Batches are fixed for ever: read one by one, as runs of before did, they come out the same to the bit."""

import itertools
from typing import Any

import grain
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from zfjax.canvas import ten_crop_offsets
from zfjax.data.pipeline.batches import CROPS, train_batches

SIDE, CROP = 12, 8


class Plain:
    """Images of one value each, told by their number; as many as ImageNet's cost nothing."""

    class_names: tuple[str, ...] = ("even", "odd")

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = np.full((SIDE, SIDE, 3), index % 251, np.uint8)
        return {"image": image, "label": np.int32(index % 2), "index": np.int32(index)}

    def describe(self, index):
        return f"number {index}"


def one_by_one(count, *, batch_size, crops, seed, start_step, process_index, process_count):
    """Rows as a Grain pipeline of single records gives them: the form in which training began."""
    ten, room = np.array(ten_crop_offsets(SIDE, CROP), np.int32), SIDE - CROP
    draws = {
        "ten": lambda rng: ten[rng.integers(10)],
        "random": lambda rng: rng.integers(0, (room + 1, room + 1, 2), dtype=np.int32),
    }
    draw = draws.get(crops, lambda rng: ten[4])
    records: Any = grain.MapDataset.source(Plain(count)).seed(seed).shuffle().repeat()
    records = records.random_map(lambda record, rng: {**record, "crop": draw(rng)})
    size = batch_size // process_count
    for step in itertools.count(start_step):
        first = step * batch_size + process_index * size
        rows = [records[place] for place in range(first, first + size)]
        yield {key: np.stack([row[key] for row in rows]) for key in rows[0]}


@settings(deadline=None, max_examples=100)
@given(
    count=st.integers(12, 400) | st.sampled_from([65536, 1_281_167]),
    crops=st.sampled_from(CROPS),
    seed=st.integers(0, 2**32 - 1),
    start_step=st.integers(0, 60) | st.integers(0, 2**40),
    size=st.integers(1, 4),
    process_count=st.integers(1, 3),
    data=st.data(),
)
def test_batches_are_those_of_a_pipeline_of_single_records(count, crops, seed, start_step, size, process_count, data):
    process_index = data.draw(st.integers(0, process_count - 1))
    options = {"batch_size": size * process_count, "crops": crops, "seed": seed, "start_step": start_step}
    options |= {"process_index": process_index, "process_count": process_count}
    batches: Any = train_batches(Plain(count), image_size=CROP, num_threads=2, **options)
    for batch, reference in zip(itertools.islice(batches, 3), one_by_one(count, **options), strict=False):
        assert batch.keys() == reference.keys()
        for key in batch:
            assert batch[key].dtype == reference[key].dtype
            np.testing.assert_array_equal(batch[key], reference[key])
    batches.close()


PINNED = {
    (22, 3, 7, 6, "ten"): (
        [0, 13, 13, 16, 21, 14],
        [[4, 4, 1], [0, 4, 1], [4, 0, 0], [0, 0, 1], [2, 2, 1], [2, 2, 0]],
    ),
    (22, 1, 700_007, 4, "random"): ([19, 14, 7, 16], [[1, 3, 0], [0, 3, 0], [4, 3, 0], [1, 2, 0]]),
    (1_281_167, 3, 7, 6, "random"): (
        [1164297, 744228, 1071537, 582964, 50630, 941443],
        [[4, 4, 0], [3, 1, 1], [1, 0, 0], [2, 3, 0], [4, 0, 0], [2, 0, 1]],
    ),
    (1_281_167, 1, 700_007, 4, "ten"): (
        [705952, 913980, 534809, 1143188],
        [[4, 4, 0], [0, 0, 0], [2, 2, 1], [4, 4, 0]],
    ),
}


@pytest.mark.parametrize("case", PINNED)
def test_a_run_that_was_begun_long_ago_goes_on_exactly(case):
    """Numbers of the first release; they hold whatever Grain and NumPy come to be."""
    count, seed, start_step, batch_size, crops = case
    options = {"batch_size": batch_size, "image_size": CROP, "crops": crops, "seed": seed, "start_step": start_step}
    batch = next(train_batches(Plain(count), **options))
    assert (batch["index"].tolist(), batch["crop"].tolist()) == PINNED[case]
