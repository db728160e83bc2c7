"""Sizes, fills, places and amounts that cannot be: one sentence, before anything is computed."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, random_params

from zfjax.attribution.correspondence import correspondence
from zfjax.attribution.invariance import responses
from zfjax.attribution.occlusion import network_occlusion_map, occlusion_map
from zfjax.errors import InputError

IMAGES = np.zeros((2, 40, 40, 3), np.float32)


def occluded(image=IMAGES[0], **options: Any):
    return occlusion_map(_never, jnp.asarray(image), **options)


def occluded_network(image=IMAGES[0], **options: Any):
    return network_occlusion_map(TINY, random_params(TINY), jnp.asarray(image), _never, **options)


def moved(transforms: Any, image=IMAGES[0], **options: Any):
    return responses(_never, jnp.asarray(image), transforms, **options)


def compared(places: Any = ((10, 10), (10, 10)), images=IMAGES, **options: Any):
    return correspondence(_never, {}, images, np.array([places]), **{"size": 5, **options})


def _never(*arguments):
    raise AssertionError("nothing should be computed")


@pytest.mark.parametrize("call", [occluded, occluded_network])
@pytest.mark.parametrize("name", ["size", "stride", "batch_size"])
@pytest.mark.parametrize("value", [0, -3, 1.5, "9", None, True])
def test_sizes_of_occlusion(call, name, value):
    with pytest.raises(InputError, match=f"^{name} must be a whole number from 1 on, not {value!r}$"):
        call(**{name: value})


@pytest.mark.parametrize("fill", ["mean", np.zeros((3, 3)), np.zeros(4), np.zeros((1, 40, 40, 3))])
def test_fills(fill):
    for call in (occluded, occluded_network, compared, lambda **options: moved({"shift": [1.0]}, **options)):
        with pytest.raises(InputError, match=r"^fill must be a number or broadcast to \[40, 40, 3\], not "):
            call(fill=fill)


@pytest.mark.parametrize("fill", [np.nan, np.inf, np.array([0, np.nan, 0])])
def test_fills_that_are_not_finite(fill):
    for call in (occluded, occluded_network, compared, lambda **options: moved({"shift": [1.0]}, **options)):
        with pytest.raises(InputError, match="^fill must be finite"):
            call(fill=fill)


@pytest.mark.parametrize("shape", [(40, 40), (2, 40, 40, 3)])
def test_images(shape):
    calls = (occluded, lambda image: moved({"shift": [1.0]}, image), lambda image: compared(images=image[None]))
    for call in calls[: 2 + (len(shape) == 2)]:
        with pytest.raises(InputError, match=r"^(an image is \[H, W, C\], not of shape|a pair needs two)"):
            call(np.zeros(shape))


@pytest.mark.parametrize(
    ("transforms", "options", "message"),
    [
        ({}, {}, "no transformation is given; there are shift, scale, rotation"),
        ({"shear": [1.0]}, {}, "unknown transformation 'shear'"),
        ({"shift": [np.nan]}, {}, r"shift must be finite, not \[nan\]"),
        ({"rotation": [np.inf]}, {}, r"rotation must be finite, not \[inf\]"),
        ({"scale": [1.0, 0.0]}, {}, "scale must be finite and above 0"),
        ({"scale": [-1.0]}, {}, "scale must be finite and above 0"),
        ({"shift": 3.0}, {}, r"shift must be a list of amounts \[T\], not of shape \[\]"),
        ({"shift": [[1.0]]}, {}, r"shift must be a list of amounts \[T\], not of shape \[1, 1\]"),
        ({"shift": [1.0]}, {"interpolation": "cubic"}, "interpolation is 'bilinear' or 'nearest', not 'cubic'"),
        ({"shift": [1.0]}, {"batch_size": 0}, "batch_size must be a whole number from 1 on, not 0"),
    ],
)
def test_amounts(transforms, options, message):
    with pytest.raises(InputError, match=f"^{message}"):
        moved(transforms, **options)


@pytest.mark.parametrize(
    ("places", "options", "message"),
    [
        (((10, 10),), {}, r"places must be int \[K, 2, 2\], not int64 \[1, 1, 2\]"),
        (((10, 10),) * 3, {}, r"places must be int \[K, 2, 2\], not int64 \[1, 3, 2\]"),
        ((10, 10), {}, r"places must be int \[K, 2, 2\], not int64 \[1, 2\]"),
        (((10.5, 10), (10, 10)), {}, r"places must be int \[K, 2, 2\], not float64"),
        (((10, 10),) * 2, {"size": 0}, "size must be a whole number from 1 on, not 0"),
        (((10, 10),) * 2, {"batch_size": 0}, "batch_size must be a whole number from 1 on, not 0"),
        (((10, 10),), {"images": IMAGES[:1]}, "a pair needs two images, not 1"),
    ],
)
def test_correspondence(places, options, message):
    with pytest.raises(InputError, match=f"^{message}"):
        compared(places, **options)
