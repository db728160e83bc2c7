"""Does a map lie on what is to be seen? On images whose object's box is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.measures.places import distance_to_boxes, inside_boxes, magnitude
from zfjax.attribution.occlusion import check_cover
from zfjax.attribution.targets import Function, Targets, checked, in_batches, scores
from zfjax.checks import number, require
from zfjax.errors import InputError


def share_inside(maps: jax.Array, boxes: Any) -> jax.Array:
    """The part of a map's absolute attribution that lies in the box: float32 [N] in 0..1; NaN for a map of zeros.

    maps: [N, H, W, C] or [N, H, W]. boxes: [N, 4], (top, left, bottom, right) in pixels. A map that says nothing of the
    object has the box's own part of the image, `area`. Raises InputError for maps and boxes of other shapes.
    """
    weights = magnitude(maps)
    # Divided by the largest first: the sum of weak signals' weights, or of strong ones, would leave float32.
    weights = weights / weights.max(axis=(1, 2), keepdims=True)
    within = inside_boxes(boxes, (weights.shape[1], weights.shape[2]))
    return jnp.where(within, weights, 0).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))


def area(boxes: Any, size: tuple[int, int]) -> jax.Array:
    """The part of an image (H, W) that each box takes, by whole pixels: float32 [N] in 0..1."""
    return inside_boxes(boxes, size).mean(axis=(1, 2))


def pointing_game(maps: jax.Array, boxes: Any, *, tolerance: float | None = None) -> jax.Array:
    """Whether the map's strongest place hits the box or comes near: bool [N] (Zhang et al. 2016, arXiv 1608.00507).

    maps, boxes: as in `share_inside`; of equals the first place row by row. tolerance: pixels between that place's
    centre and the box that count as a hit; None: 15 on an image of 224, in proportion on others. A map
    of zeros hits nothing. Raises InputError for other shapes and for a tolerance below 0.
    """
    weights = magnitude(maps)
    height, width = weights.shape[1:]
    tolerance = 15 * min(height, width) / 224 if tolerance is None else tolerance
    require(number(0), tolerance, "tolerance must be a number of pixels from 0 on")
    rows, columns = jnp.divmod(weights.reshape(len(weights), -1).argmax(1), width)
    return (distance_to_boxes(boxes, rows, columns) <= tolerance) & (weights.max(axis=(1, 2)) > 0)


def outside_drop(
    f: Function,
    images: jax.Array,
    targets: Targets,
    kept: jax.Array,
    *,
    fill: float | jax.Array = 0.0,
    batch_size: int = 32,
) -> jax.Array:
    """What a score loses when all but some places of its image is covered: float32 [N].

    kept: bool [N, H, W]: the box, `inside_boxes(boxes, (H, W))`, or as many of a map's own places as the box has,
    `strongest(magnitude(maps), counts)`. The box's loss says how much the network looks elsewhere, and needs no map;
    a map's own is to be read beside it, of the same area, so that neither gains by showing more: less is better, and
    less than the box's says that the map found what the network goes by where the object is not.
    f, targets, fill, batch_size: as in `curves.deletion`. Raises InputError for what does not fit together.
    """
    images, targets = checked(f, images, targets)
    if np.shape(kept) != images.shape[:3]:
        raise InputError(f"kept must be {list(images.shape[:3])}, not {list(np.shape(kept))}")
    check_cover(images.shape[1:], fill)
    covered = jnp.where(jnp.asarray(kept, bool)[..., None], images, jnp.asarray(fill, images.dtype))

    def loss(images: jax.Array, covered: jax.Array, targets: Targets) -> jax.Array:
        score = scores(f, targets)
        return score(images) - score(covered)

    return in_batches(loss, (images, covered, targets), batch_size)
