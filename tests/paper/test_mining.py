"""The nine strongest by sorting everything; and the pictures of Fig. 2 from a network whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of

from zfjax.arch import Arch
from zfjax.convnet import Forward, forward
from zfjax.deconvnet import project, strongest
from zfjax.layers import Conv, Dense, MaxPool, pad
from zfjax.paper.patches import cut_patch, cut_pictures, sees_all, window_of
from zfjax.paper.top_activations import (
    Winners,
    mine,
    no_winners,
    project_winners,
    responds,
    strongest_activations,
    update,
)


def batches_of(maps: np.ndarray, size: int):
    """Batches whose "images" are activations already; the last one is filled up."""
    for start in range(0, len(maps), size):
        rows = np.arange(start, start + size)
        yield {
            "image": maps[np.minimum(rows, len(maps) - 1)],
            "index": np.minimum(rows, len(maps) - 1).astype(np.int32),
            "mask": rows < len(maps),
        }


def read(_, images) -> Forward:
    return Forward(images, {"maps": images}, {})


@pytest.mark.parametrize("batch", [1, 4, 7, 30])
def test_winners_equal_sorting(batch):
    maps = np.random.default_rng(0).integers(0, 12, (23, 3, 4, 5)).astype(np.float32)  # many ties
    winners = mine(read, None, batches_of(maps, batch), {"maps": 5}, k=6)["maps"]
    per_image = maps.reshape(23, 12, 5).max(1)
    for channel in range(5):
        order = sorted(range(23), key=lambda image: (-per_image[image, channel], image))[:6]
        assert winners.image[channel].tolist() == order
        assert winners.value[channel].tolist() == per_image[order, channel].tolist()
        for image, row, col in zip(order, winners.row[channel], winners.col[channel], strict=True):
            first = int(np.argmax(maps[image, :, :, channel]))
            assert (int(row), int(col)) == divmod(first, 4)


def test_fewer_images_than_places():
    winners = mine(read, None, batches_of(np.ones((2, 1, 1, 1), np.float32), 4), {"maps": 1}, k=5)["maps"]
    assert winners.image.tolist() == [[0, 1, -1, -1, -1]] and np.isneginf(winners.value[0, 2:]).all()


def test_negative_values_compete_too():
    winners = no_winners(1, 1)
    for value, index in ((-3.0, 0), (-1.0, 1), (-2.0, 2)):
        winners, maxima = update(winners, jnp.full((1, 1, 1, 1), value), jnp.array([index]), jnp.array([True]))
        assert maxima.tolist() == [[value]]
    assert winners.image.tolist() == [[1]] and winners.value.tolist() == [[-1.0]]


def test_a_map_is_silent_where_it_never_rose_above_zero_or_saw_no_image():
    values = np.array([[2.0, 0.0], [-1.0, -np.inf], [0.0, -np.inf]])
    assert responds(Winners(values, *[values] * 3)).tolist() == [[True, False], [True, False], [False, False]]


def test_the_maxima_of_every_image_can_be_watched_and_nothing_is_compiled_twice():
    maps, seen, traced = np.random.default_rng(0).normal(size=(9, 3, 4, 5)).astype(np.float32), [], []

    def traced_read(params, images) -> Forward:
        traced.append(images.shape)
        return read(params, images)

    def watch(batch, maxima):
        seen.append(np.asarray(maxima["maps"])[batch["mask"]])

    for _ in range(2):
        mine(traced_read, None, batches_of(maps, 4), {"maps": 5}, k=2, watch=watch)
    np.testing.assert_array_equal(np.concatenate(seen), np.tile(maps.max(axis=(1, 2)), (2, 1)))
    assert traced == [(4, 3, 4, 5)]


class Noise:
    """A source of seeded noise."""

    class_names = ("a",)

    def __init__(self, count: int, size: int):
        self.images = np.random.default_rng(5).integers(0, 256, (count, size, size, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        return {"image": self.images[index], "label": np.int32(0), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"noise {index}"


def test_features_are_the_projections_of_the_winners():
    params = jax.tree.map(jnp.asarray, random_params(TINY))
    params["conv2"]["bias"] = params["conv2"]["bias"].at[3].set(-1e6)  # a dead map
    source = Noise(11, canvas_side(TINY))
    mean = np.full((canvas_side(TINY), canvas_side(TINY), 3), 127.0, np.float32)
    run = run_of(TINY, params, mean, ("a",) * 5, {}, 0)
    winners = strongest_activations(run, source, ["conv2"], top=3, batch_size=4)
    assert winners["conv2"].value[3].max() == 0
    features = project_winners(run, source, winners, {"conv2": [3, 1]}, batch_size=4)["conv2"]
    assert features[0].index == 3 and features[0].projections.shape == (0, 19, 19, 3)

    crops = middle(source.images, mean, 40)
    fwd = jax.jit(forward, static_argnums=0)(TINY, params, crops)
    best = np.argsort(-np.asarray(fwd.activations["conv2"])[..., 1].max((1, 2)))[:3]
    units = strongest(fwd, "conv2", [1])
    units = jax.tree.map(lambda column: column[best], units)
    expected = project(TINY, params, fwd, "conv2", units)
    np.testing.assert_allclose(features[1].projections, expected.pixels, rtol=1e-4, atol=1e-6)
    for n, image in enumerate(best):
        patch, (top, left) = features[1].patches[n], (int(expected.top[n]), int(expected.left[n]))
        seen = ~np.isnan(patch[..., 0])
        offset = 3 + np.argwhere(seen)[0] + (top, left)  # the crop begins 3 pixels into the stored image
        assert patch[seen][0].tolist() == source.images[image, *offset].tolist()


def test_patches_at_the_border():
    image = np.arange(16.0).reshape(4, 4, 1)
    inside = cut_patch(image, 1, 1, 2)[..., 0]
    assert inside.tolist() == [[5, 6], [9, 10]]
    corner = cut_patch(image, -1, 3, 2)[..., 0]
    assert np.isnan(corner[0]).all() and corner[1, 0] == 3 and np.isnan(corner[1, 1])
    assert np.isnan(cut_patch(image, -5, -5, 2)).all() and np.isnan(cut_patch(image, 9, 0, 2)).all()
    assert cut_patch(image, 1, 0, (1, 3))[..., 0].tolist() == [[4, 5, 6]]


def test_where_every_unit_sees_all_of_the_image_the_image_is_shown():
    layers = (Conv("conv1", 2, kernel=3, padding=pad(1)), *(MaxPool(f"pool{i}", 2, 1, pad(0)) for i in range(5)))
    arch = Arch((*layers, Conv("conv2", 2, kernel=9, padding=pad(4)), Dense("fc3", 2)), image_size=8)
    assert [window_of(arch, name) for name in ("conv1", "pool4", "conv2", "fc3")] == [(3, 3), (8, 8), (8, 8), (8, 8)]
    assert [sees_all(arch, name) for name in ("conv1", "pool4", "conv2", "fc3")] == [False, False, True, True]
    image = np.arange(64.0).reshape(8, 8, 1)
    pixels = np.arange(1.0, 257).reshape(16, 16, 1)  # of a unit whose receptive field begins at (-3, -2)
    projection, patch = cut_pictures(pixels, image, -3, -2, (8, 8))
    assert np.array_equal(patch, image) and np.array_equal(projection, pixels[3:11, 2:10])
    projection, patch = cut_pictures(pixels[:6, :6], image, -3, 4, (8, 8))
    assert np.array_equal(projection[:3, 4:], pixels[3:6, :4]) and projection[3:].sum() == projection[:, :4].sum() == 0
    projection, patch = cut_pictures(pixels[:2, :2], image, -1, 3, (2, 2))
    assert np.array_equal(projection, pixels[:2, :2]) and np.isnan(patch[0]).all() and patch[1, :, 0].tolist() == [3, 4]
