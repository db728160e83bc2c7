"""Crops on the device against plain numpy."""

import jax
import numpy as np
import pytest

from zfjax.canvas import ten_crop_offsets as offsets
from zfjax.preprocess import centre_crop, crop_images, ten_crops

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (7, 12, 12, 3), dtype=np.uint8)
MEAN = RNG.uniform(0, 255, (12, 12, 3)).astype(np.float32)


def crop_by_hand(image, top, left, flip, size, scale):
    window = (image.astype(np.float64) - MEAN)[top : top + size, left : left + size] * scale
    return window[:, ::-1] if flip else window


@pytest.mark.parametrize("size, scale", [(8, 1.0), (12, 1 / 255), (5, 0.5)])
def test_each_image_gets_its_own_crop(size, scale):
    places = RNG.integers(0, 12 - size + 1, (7, 2))
    crop = np.concatenate([places, np.arange(7)[:, None] % 2], axis=1).astype(np.int32)
    cut = jax.jit(crop_images, static_argnames=("image_size", "scale"))
    expected = [crop_by_hand(image, *row, size, scale) for image, row in zip(IMAGES, crop, strict=True)]
    result = cut(IMAGES, crop, MEAN, image_size=size, scale=scale)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [12, 9, 8])
def test_ten_crops_and_the_centre(size):
    result = ten_crops(IMAGES, MEAN, image_size=size, scale=2.0)
    for part, offset in zip(result, offsets(12, size), strict=True):
        expected = [crop_by_hand(image, *offset, size, 2.0) for image in IMAGES]
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-4)
        crop = np.tile(np.array(offset, np.int32), (7, 1))
        np.testing.assert_array_equal(part, crop_images(IMAGES, crop, MEAN, image_size=size, scale=2.0))
    np.testing.assert_array_equal(result[4], centre_crop(IMAGES, MEAN, image_size=size, scale=2.0))


def test_one_channel():
    assert centre_crop(IMAGES[..., :1], MEAN[..., :1], image_size=8, scale=1.0).shape == (7, 8, 8, 1)
