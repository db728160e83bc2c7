"""Insertion and deletion: what a score does as an image's places go, or come, in a map's order.

Petsiuk et al. 2018, "RISE" (arXiv 1806.07421), section 4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.measures.places import order
from zfjax.attribution.measures.smoothing import gaussian, smooth
from zfjax.attribution.occlusion import check_cover
from zfjax.attribution.targets import Function, Targets, checked, in_batches, scores
from zfjax.checks import at_least_one, number, require
from zfjax.errors import InputError


class Curve(NamedTuple):
    """Of each image: the score after 0, 1/steps, ... 1 of its places, and the area under it."""

    scores: jax.Array  # float32 [N, steps + 1]
    area: jax.Array  # float32 [N], over places as a part of all, by trapezia: a curve of ones has 1


def deletion(
    f: Function,
    images: jax.Array,
    targets: Targets,
    importance: jax.Array,
    *,
    steps: int = 28,
    fill: float | jax.Array = 0.0,
    batch_size: int = 32,
) -> Curve:
    """The score as the most important places are covered first; the lower its area, the better the order.

    f: images [N, H, W, C] -> outputs [N, ...], as probabilities where areas are to be compared between images.
    targets: as `zfjax.attribution.targets.scores` takes them. importance: [N, H, W], such as `magnitude` of maps; of
    equals, places come row by row. steps: into how many equal parts the places go; the paper takes 224, a row's worth
    of pixels each. fill: what covers a place, a number or an array like an image; 0 is the mean where it is removed.
    batch_size: copies of images that pass f at a time; all images' copies are one sequence.
    Raises InputError for images, targets and importance that do not fit together, and for other sizes.
    """
    images, targets = checked(f, images, targets)
    check_cover(images.shape[1:], fill)
    covered = jnp.broadcast_to(jnp.asarray(fill, images.dtype), images.shape)
    return _curve(f, images, covered, targets, importance, steps, batch_size)


def insertion(
    f: Function,
    images: jax.Array,
    targets: Targets,
    importance: jax.Array,
    *,
    steps: int = 28,
    sigma: float | None = None,
    batch_size: int = 32,
) -> Curve:
    """The score as the most important places come first into a blurred copy; the higher its area, the better the order.

    sigma: of the blur, pixels; None: 5 on images of 224, in proportion on others. The paper does not say how wide it
    is; the authors' code has 5, and cuts the Gaussian off 5 pixels away, where it is whole here. The rest as in
    `deletion`.
    """
    images, targets = checked(f, images, targets)
    return _curve(f, blurred(images, sigma), images, targets, importance, steps, batch_size)


def _curve(
    f: Function,
    start: jax.Array,
    end: jax.Array,
    targets: Targets,
    importance: jax.Array,
    steps: int,
    batch_size: int,
) -> Curve:
    """The scores on the way from one form of the images to the other, place by place."""
    at_least_one(steps=steps, batch_size=batch_size)
    count, places = len(start), start.shape[1] * start.shape[2]
    if np.shape(importance) != start.shape[:3]:
        raise InputError(f"importance must be {list(start.shape[:3])}, not {list(np.shape(importance))}")
    turns = order(importance)

    def score(image: jax.Array, gone: jax.Array) -> jax.Array:
        changed = (turns[image] < gone[:, None, None])[..., None]
        some = None if targets is None else targets[image]
        return scores(f, some)(jnp.where(changed, end[image], start[image]))

    image = np.repeat(np.arange(count), steps + 1)
    gone = np.tile(np.round(np.linspace(0, places, steps + 1)).astype(int), count)
    found = (
        in_batches(score, (jnp.asarray(image), jnp.asarray(gone)), batch_size).reshape(count, -1).astype(jnp.float32)
    )
    widths = np.diff(gone[: steps + 1]) / places
    return Curve(found, (found[:, 1:] + found[:, :-1]) @ (widths / 2).astype(np.float32))


def blurred(images: jax.Array, sigma: float | None = None) -> jax.Array:
    """Images [N, H, W, C] through a Gaussian; outside lies the nearest pixel. sigma: as in `insertion`."""
    width = 5 * min(images.shape[1:3]) / 224 if sigma is None else sigma
    width = require(number(0, above=True), width, "sigma must be a number of pixels above 0")
    reach = math.ceil(3 * width)
    sides = (reach, reach)
    return smooth(jnp.pad(images, ((0, 0), sides, sides, (0, 0)), "edge"), gaussian(2 * reach + 1, width))
