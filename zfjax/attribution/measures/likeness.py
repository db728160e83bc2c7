"""How alike maps are: of several units of one image, and of a map and what it is a map of."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.correspondence import pairs
from zfjax.attribution.measures.places import flat, same_shape
from zfjax.errors import InputError


def cosine(one: jax.Array, other: jax.Array) -> jax.Array:
    """The cosine between each image's two maps as vectors: [N, ...] twice -> float32 [N]; NaN where one is zero.

    Of a projection and its image, mean removed, it says how far the projection gives the image back (Nie et al. 2018,
    arXiv 1805.07039). Raises InputError for maps of two shapes.
    """
    same_shape(one, other)
    return (_unit(flat(one, "signed")) * _unit(flat(other, "signed"))).sum(1)


def class_likeness(maps: jax.Array) -> jax.Array:
    """How alike the maps of different units are, the mean |cosine| of all pairs: [N, U, ...] -> float32 [N] in 0..1.

    1: the same picture whatever the unit, which then shows the image and not the class (Mahendran & Vedaldi 2016,
    "Salient deconvolutional networks"). Pairs with a map of zeros count as NaN.
    Raises InputError for fewer than two units.
    """
    if np.ndim(maps) < 3 or np.shape(maps)[1] < 2:
        raise InputError(f"maps of several units are [N, U, ...], U from 2 on, not of shape {list(np.shape(maps))}")
    images, units = np.shape(maps)[:2]
    vectors = _unit(flat(maps.reshape(images * units, -1), "signed")).reshape(images, units, -1)
    cosines = jnp.einsum("nud,nvd->nuv", vectors, vectors, precision="highest")
    return jnp.abs(cosines[:, *pairs(units)]).mean(1)


def edges(images: Any) -> jax.Array:
    """How strongly an image changes at each place: [N, H, W, C] -> float32 [N, H, W], the gradient's length.

    Central differences, over all channels. What a map shares with this needs no network (Adebayo et al. 2018, arXiv
    1810.03292, compare with an edge detector). Raises InputError for images of other axes or of one row.
    """
    images = jnp.asarray(images, jnp.float32)
    if images.ndim != 4 or min(images.shape[1:3]) < 2:
        raise InputError(f"images are [N, H, W, C] of two pixels and more, not of shape {list(images.shape)}")
    down, across = jnp.gradient(images, axis=(1, 2))
    return jnp.sqrt((down**2 + across**2).sum(-1))


def _unit(rows: jax.Array) -> jax.Array:
    """Rows [N, D] of length 1; a row of zeros becomes NaN."""
    # Divided by the largest first: the squares of weak signals would underflow.
    rows = rows / jnp.abs(rows).max(1, keepdims=True)
    return rows / jnp.sqrt((rows**2).sum(1, keepdims=True))
