"""Crops on the device against plain numpy."""

import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from zfjax.canvas import ten_crop_offsets as offsets
from zfjax.errors import InputError
from zfjax.preprocess import Preprocess

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
    expected = [crop_by_hand(image, *row, size, scale) for image, row in zip(IMAGES, crop, strict=True)]
    result = jax.jit(Preprocess.crops)(Preprocess(12, size, MEAN, scale=scale), IMAGES, crop)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("size", [12, 9, 8])
def test_ten_crops_and_the_centre(size):
    preprocess = Preprocess(12, size, MEAN, scale=2.0)
    result = preprocess.ten(IMAGES)
    for part, offset in zip(result, offsets(12, size), strict=True):
        expected = [crop_by_hand(image, *offset, size, 2.0) for image in IMAGES]
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-4)
        crop = np.tile(np.array(offset, np.int32), (7, 1))
        np.testing.assert_array_equal(part, preprocess.crops(IMAGES, crop))
    np.testing.assert_array_equal(result[4], preprocess.centre(IMAGES))


def test_one_channel():
    grey = Preprocess(12, 8, MEAN[..., :1], colours="grey")
    assert grey.centre(IMAGES[..., :1]).shape == (7, 8, 8, 1)


def test_means_and_deviations_of_channels_in_the_order_of_the_network():
    """As networks of other people take pixels: (x / 255 - mean) / std is (x - 255 mean) / 255 / std."""
    mean, std = np.float32([124, 116, 104]), np.float32([0.229, 0.224, 0.225])
    preprocess = Preprocess(12, 8, mean, std, 1 / 255, "BGR")
    expected = ((IMAGES[:, 2:10, 2:10].astype(np.float64) - mean) / 255 / std)[..., ::-1]
    np.testing.assert_allclose(preprocess.centre(IMAGES), expected, rtol=1e-5, atol=1e-5)
    places = np.tile(np.int32([2, 2, 0]), (7, 1))
    np.testing.assert_array_equal(preprocess.crops(IMAGES, places), preprocess.centre(IMAGES))
    again = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    np.testing.assert_array_equal(again.centre(IMAGES), preprocess.centre(IMAGES))


def test_pictures_of_any_kind_and_size():
    preprocess = Preprocess(12, 8, MEAN)
    np.testing.assert_array_equal(preprocess(IMAGES), preprocess.centre(IMAGES))
    np.testing.assert_array_equal(preprocess(IMAGES[0]), preprocess.centre(IMAGES[:1]))
    file = io.BytesIO()
    Image.fromarray(IMAGES[1]).save(file, "PNG")
    several = [file.getvalue(), Image.fromarray(IMAGES[1]), IMAGES[1]]
    for seen in preprocess(several):
        np.testing.assert_array_equal(seen, preprocess.centre(IMAGES[1:2])[0])
    assert preprocess(np.zeros((50, 80), np.uint8)).shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(preprocess.visible_mean(), MEAN[2:10, 2:10])


def test_what_does_not_fit_is_said():
    data = Preprocess(12, 8, scale=0.5).to_dict()
    with pytest.raises(InputError, match="a crop of 13 pixels does not fit into a canvas of 12"):
        Preprocess.from_dict({**data, "crop": 13})
    for changes, message in (
        ({"colours": "XYZ"}, "colours must be one of RGB, BGR, grey, not 'XYZ'"),
        ({"resampling": "evil"}, "resampling must be one of nearest, bilinear"),
        ({"smallest_side": 12.5}, "whole numbers of pixels, not 8 and 12.5"),
        ({"std": [1, 0, 1]}, "std must be above 0"),
        ({"std": [1, 1]}, r"the std must have the shape \(3,\), not \(2,\)"),
        ({"mean": [1, 1, float("nan")]}, "the mean holds values that are not finite"),
        ({"mean": "grey"}, "the mean must hold numbers, not grey"),
        ({"mean": [[1], [1, 2]]}, "the mean must hold numbers"),
        ({"scale": 0}, "scale must be a finite number other than 0, not 0"),
        ({"scale": float("inf")}, "scale must be a finite number"),
        ({"scale": "1"}, "scale must be a finite number"),
        ({"crop": True}, "whole numbers of pixels"),
        ({"crop": 0}, "a crop of 0 pixels"),
        ({"gamma": 2}, "a preprocessing has colours, crop, "),
    ):
        with pytest.raises(InputError, match=message):
            Preprocess.from_dict({**data, **changes})
    with pytest.raises(InputError, match=r"the mean must have the shape \(3,\) or \(12, 12, 3\), not \(5, 5, 3\)"):
        Preprocess.from_dict(data, np.zeros((5, 5, 3), np.float32))
    for damaged in (None, [], "preprocess", {}, {**data, "crop": None}):
        with pytest.raises(InputError):
            Preprocess.from_dict(damaged)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "picture",
    ["cat.jpg", None, 3, 2.5, {"image": b""}, np.zeros((0, 5, 3), np.uint8), np.zeros((5, 0), np.uint8)],
)
def test_no_picture_is_one_sentence(picture):
    preprocess = Preprocess(12, 8, MEAN)
    for given in (picture, [IMAGES[0], picture]):
        with pytest.raises(InputError, match="picture|image") as caught:
            preprocess(given)
        assert "\n" not in str(caught.value)


def test_pictures_as_other_types_hold_them():
    preprocess = Preprocess(12, 8, MEAN)
    file = io.BytesIO()
    Image.fromarray(IMAGES[1]).save(file, "PNG")
    for given in (bytearray(file.getvalue()), memoryview(file.getvalue()), jax.numpy.asarray(IMAGES[1]), (IMAGES[1],)):
        np.testing.assert_array_equal(preprocess(given), preprocess.centre(IMAGES[1:2]))
    with pytest.raises(InputError, match="no pictures: the list is empty"):
        preprocess([])


NO_CANVASES = {
    "of another size": IMAGES[:, :11, :11],
    "larger": np.zeros((2, 13, 13, 3), np.uint8),
    "wide": np.zeros((2, 12, 15, 3), np.uint8),
    "high": np.zeros((2, 15, 12, 3), np.uint8),
    "of 0..1": IMAGES.astype(np.float32) / 255,
    "float": IMAGES.astype(np.float64),
    "int": IMAGES.astype(np.int32),
    "bool": IMAGES > 127,
    "grey": IMAGES[..., :1],
    "with alpha": np.zeros((2, 12, 12, 4), np.uint8),
    "a list": IMAGES.tolist(),
    "none": None,
}


@pytest.mark.parametrize("kind", NO_CANVASES)
def test_what_is_no_canvas_is_refused_traced_or_not(kind):
    preprocess, places = Preprocess(12, 8, MEAN), np.zeros((7, 3), np.int32)
    ways = [preprocess.centre, preprocess.ten, preprocess.visible, lambda given: preprocess.crops(given, places)]
    for way in [*ways, *map(jax.jit, ways)]:
        with pytest.raises(
            InputError, match=r"canvases are uint8 \[N, 12, 12, 3\], not .*: whole pictures of 0\.\.255"
        ):
            way(NO_CANVASES[kind])


def test_moved_canvases_may_be_floats_and_are_of_the_right_size():
    preprocess = Preprocess(12, 8, MEAN)
    moved = IMAGES.astype(np.float32)
    np.testing.assert_array_equal(preprocess.centre(moved, moved=True), preprocess.centre(IMAGES))
    np.testing.assert_array_equal(preprocess.visible(moved, moved=True), preprocess.visible(IMAGES))
    for given in (moved[:, 1:], moved.astype(np.float64)):
        with pytest.raises(InputError, match="canvases are uint8"):
            preprocess.centre(given, moved=True)


def test_one_canvas_is_not_several():
    preprocess = Preprocess(12, 8, MEAN)
    np.testing.assert_array_equal(preprocess.visible(IMAGES[0]), IMAGES[0, 2:10, 2:10])
    for given in (IMAGES[0], IMAGES[None]):
        with pytest.raises(InputError, match=r"canvases are uint8 \[N, 12, 12, 3\], not uint8 \["):
            preprocess.centre(given)
