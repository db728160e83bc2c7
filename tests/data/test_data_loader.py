"""Batches: every image, the same on any number of processes, and where a stopped run would go on."""

import itertools

import numpy as np
import pytest

from zfjax.canvas import ten_crop_offsets
from zfjax.data.pipeline.batches import CROPS, eval_batches, left_over, train_batches
from zfjax.data.pipeline.mean import mean_image
from zfjax.errors import InputError


class Numbers:
    """Twenty-two images of 12x12 noise, the class in the number's last digit."""

    class_names = tuple("0123456789")
    images = np.random.default_rng(0).integers(0, 256, (22, 12, 12, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[int(index)], "label": np.int32(int(index) % 10), "index": np.int32(index)}

    def describe(self, index):
        return f"number {index}"


def take(count, *, batch_size=6, **options):
    options = {"image_size": 8, "crops": "random", "seed": 3, **options}
    return list(itertools.islice(train_batches(Numbers(), batch_size=batch_size, **options), count))


def assert_same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])


def test_batches_have_the_promised_shapes_and_rows():
    batch = take(1)[0]
    shapes = {key: (value.shape, value.dtype.name) for key, value in batch.items()}
    assert shapes["image"] == ((6, 12, 12, 3), "uint8") and shapes["crop"] == ((6, 3), "int32")
    assert shapes["label"] == shapes["index"] == ((6,), "int32")
    np.testing.assert_array_equal(batch["image"], Numbers.images[batch["index"]])
    np.testing.assert_array_equal(batch["label"], batch["index"] % 10)


def test_every_image_once_an_epoch_also_when_batches_do_not_divide_it():
    seen = np.concatenate([batch["index"] for batch in take(11)])  # 66 images: three epochs of 22
    epochs = seen.reshape(3, 22)
    assert (np.sort(epochs) == np.arange(22)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_images_that_an_epoch_leaves_over_are_said():
    said = "an epoch is 1 step of 64 images here; the other 62 of the 126 begin the next one, so that none is left out"
    assert left_over(126, 64) == said and "an epoch is 3 steps of 6 images" in left_over(22, 6)
    assert left_over(128, 64) == left_over(1_281_167, 128) == left_over(3, 4) == ""


def test_same_seed_same_batches_and_another_seed_others():
    assert_same(take(5), take(5, num_threads=1))
    assert any((a["index"] != b["index"]).any() for a, b in zip(take(5), take(5, seed=4), strict=True))


@pytest.mark.parametrize("start", [1, 3, 4, 9])
@pytest.mark.parametrize("crops", ["ten", "random"])
def test_going_on_from_a_step_equals_never_having_stopped(start, crops):
    assert_same(take(11, crops=crops)[start:], take(11 - start, crops=crops, start_step=start))


@pytest.mark.parametrize("start", [0, 4])
def test_processes_share_the_global_batch(start):
    whole = take(9, start_step=start)
    halves = [take(9, start_step=start, process_index=i, process_count=2) for i in (0, 1)]
    for batch, *parts in zip(whole, *halves, strict=True):
        for key in batch:
            np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), batch[key])


@pytest.mark.parametrize("size, count", [(6, 1), (6, 2), (6, 3), (24, 4), (1, 1)])
def test_evaluation_is_divided_among_processes_and_counts_each_image_once(size, count):
    whole = list(eval_batches(Numbers(), batch_size=size))
    shares = [eval_batches(Numbers(), batch_size=size, process_index=i, process_count=count) for i in range(count)]
    for batch, *parts in zip(whole, *shares, strict=True):
        for key in batch:
            np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), batch[key])
    assert sum(batch["mask"].sum() for batch in whole) == 22


@pytest.mark.parametrize("crops", CROPS)
def test_crops_lie_inside_and_are_of_their_kind(crops):
    drawn = {tuple(crop) for batch in take(40, crops=crops) for crop in batch["crop"].tolist()}
    expected = {"ten": set(ten_crop_offsets(12, 8)), "random": set(itertools.product(range(5), range(5), range(2)))}
    assert drawn == expected.get(crops, {(2, 2, 0)})


def test_ten_crops_of_the_paper():
    places = [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    assert ten_crop_offsets(256, 224) == [(*place, flip) for flip in (0, 1) for place in places]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 23}, "batch_size 23 .*22 images"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"process_count": 4}, "batch_size 6 .* 4 processes"),
        ({"image_size": 13}, "image_size 13 .*12x12"),
        ({"crops": "eleven"}, "unknown crops 'eleven'.*ten, random"),
    ],
)
def test_what_does_not_fit_is_named(options, message):
    with pytest.raises(InputError, match=message):
        take(1, **options)


@pytest.mark.parametrize("batch_size", [1, 5, 11, 22, 50])
def test_evaluation_sees_every_image_once_in_order(batch_size):
    batches = list(eval_batches(Numbers(), batch_size=batch_size))
    assert {len(batch["image"]) for batch in batches} == {batch_size} and "crop" not in batches[0]
    assert np.concatenate([batch["index"][batch["mask"]] for batch in batches]).tolist() == list(range(22))
    np.testing.assert_array_equal(batches[-1]["image"][-1], Numbers.images[21])


def test_evaluation_of_chosen_images():
    batches = list(eval_batches(Numbers(), batch_size=2, indices=[7, 3, 7]))
    assert [batch["index"].tolist() for batch in batches] == [[7, 3], [7, 7]]
    assert [batch["mask"].tolist() for batch in batches] == [[True, True], [True, False]]
    assert list(eval_batches(Numbers(), batch_size=2, indices=[])) == []
    with pytest.raises(InputError, match=r"0\.\.21; got 3\.\.22"):
        eval_batches(Numbers(), batch_size=2, indices=[3, 22])


@pytest.mark.parametrize("batch_size", [4, 22, 256])
def test_mean_image_is_the_mean(batch_size):
    mean = mean_image(Numbers(), batch_size=batch_size)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, Numbers.images.mean(axis=0), rtol=1e-6)
