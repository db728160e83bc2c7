"""RISE: what a function says of an image under many random covers, and which places were open when it said much."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from zfjax.arguments import check_key
from zfjax.attribution.copies import moments
from zfjax.attribution.targets import Function, Targets, checked, scores
from zfjax.checks import number, require, whole


def rise(
    f: Function,
    images: jax.Array,
    targets: Targets,
    *,
    key: jax.Array,
    samples: int = 4000,
    cells: int = 7,
    share: float = 0.5,
    batch_size: int = 32,
) -> jax.Array:
    """The mean mask, weighted by the output under it: float32 [N, H, W] (Petsiuk, Das & Saenko 2018, arXiv 1806.07421,
    sections 3.1 and 3.2, formula 6).

    f: images [N, H, W, C] -> outputs [N, ...], of each image the one of its target, as `targets.scores` takes them;
    they mean probabilities, which are never below zero. samples: masks (they take 4000 for VGG16, 8000 for ResNet50),
    cells and share: of `rise_mask`; all images get the same. Divided by the share, which is a mask's mean. What is
    covered becomes 0, the mean colour where the mean is removed. batch_size: covered images that pass at a time; masks
    are made as they are needed. Raises InputError for what is no key, images, targets and options that cannot be.
    """
    images, targets = checked(f, images, targets)
    check_key(key)
    require(whole(1), cells, "cells must be a whole number from 1 on")
    require(number(0, 1, above=True), share, "share must be above 0 and at most 1")

    def each(images: jax.Array, targets: jax.Array | None, copy: jax.Array) -> jax.Array:
        def mask(copy: jax.Array) -> jax.Array:
            return rise_mask(jax.random.fold_in(key, copy), images.shape[1:3], cells=cells, share=share)

        masks = jax.vmap(mask)(copy)
        said = scores(f, targets)(images * masks[..., None].astype(images.dtype))
        return said.astype(jnp.float32).reshape(-1, 1, 1) * masks / share

    return moments(each, (images, targets), samples, batch_size=batch_size)[0]


def rise_mask(key: jax.Array, size: Sequence[int], *, cells: int, share: float) -> jax.Array:
    """A random mask of RISE: float32 [H, W] in 0..1 (section 3.2).

    A grid of cells by cells, each open with the probability share, enlarged bilinearly to one cell more than covers the
    image, and cut at random within a cell.
    """
    open_key, *corner_keys = jax.random.split(key, 3)
    grid = jax.random.bernoulli(open_key, share, (cells, cells)).astype(jnp.float32)
    sides = [-(-length // cells) for length in size]  # of a cell, rounded up: else the mask might not reach
    large = jax.image.resize(grid, [(cells + 1) * side for side in sides], "bilinear")
    corner = [jax.random.randint(key, (), 0, side) for key, side in zip(corner_keys, sides, strict=True)]
    return jax.lax.dynamic_slice(large, corner, size)
