"""Does covering the same part of different objects change their features in the same way? (section 4.3, Table 1)"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.occlusion import check_cover, occlude_each
from zfjax.attribution.outside import on_host
from zfjax.checks import at_least_one
from zfjax.errors import InputError
from zfjax.model import Model
from zfjax.terminal import meter

# Of an image's largest activation: smaller changes are rounding, which convolution by fast Fourier or Winograd
# transforms spreads to places that the square does not reach, where its sign would be a coin's.
ROUNDING = 1e-6


def correspondence(
    model: Model,
    params: Any,
    images: np.ndarray,
    places: np.ndarray,
    *,
    size: int,
    fill: float | np.ndarray = 0.0,
    batch_size: int = 32,
    progress: bool = False,
    jit: bool = True,
) -> dict[str, np.ndarray]:
    """H of every pair of images when a square covers them (Table 1): {layer: [K, pairs]}, K ways to place it.

    model: (params, images [N, H, W, C]) -> {layer: features [N, ...]}, traceable by JAX; the same object again is not
    compiled again; jit=False takes any function, as in `occlusion_map`. places: int [K, N, 2], row and column of the
    square's centre as `occlude` takes them. fill: what covers the image, 0 for the mean colour where the mean is
    removed. eps_i = x_i - xocc_i; H is the share of components in which the signs -1, 0, 1 of eps_i and eps_j differ,
    for pairs i < j in the order of `pairs`. The paper's formula adds H up over ordered pairs; its Delta is a mean here.
    Holds the features of all images, and their signs for one placing.
    Raises InputError for fewer than two images, and for sizes, fills and places that do not fit them.
    """
    if len(images) < 2:
        raise InputError(f"a pair needs two images, not {len(images)}")
    at_least_one(size=size, batch_size=batch_size)
    check_cover(np.shape(images)[1:], fill)
    where = np.asarray(places)
    if where.dtype.kind not in "iu" or where.ndim != 3 or where.shape[1:] != (len(images), 2):
        raise InputError(f"places must be int [K, {len(images)}, 2], not {where.dtype} {list(where.shape)}")
    foreign: Any = model
    see = functools.partial(_see, model, params) if jit else on_host(functools.partial(foreign, params))
    step = min(batch_size, len(images))
    chunks = [  # one shape, one program: what the square does not reach comes out the same to the last bit
        np.minimum(np.arange(start, start + step), len(images) - 1) for start in range(0, len(images), step)
    ]
    clear = [see(images[chunk]) for chunk in chunks]
    rows: dict[str, list[np.ndarray]] = {}
    for placing in meter(places, desc="covering", unit=" placings", disable=not progress):
        signs = [
            jax.tree.map(_sign_changes, before, see(occlude_each(images[chunk], placing[chunk], size=size, fill=fill)))
            for before, chunk in zip(clear, chunks, strict=True)
        ]
        for layer in signs[0]:
            whole = np.concatenate([np.asarray(part[layer]) for part in signs])[: len(images)]
            rows.setdefault(layer, []).append(disagreement(whole))
    return {name: np.stack(each) for name, each in rows.items()}


def sign_changes(features: jax.Array, covered: jax.Array) -> jax.Array:
    """The signs -1, 0, 1 of features - covered, [N, ...] -> int8 [N, D]; 0 where the change is only rounding."""
    features, covered = (array.reshape(len(array), -1) for array in (features, covered))
    least = ROUNDING * jnp.max(jnp.abs(features), axis=1, keepdims=True)
    change = features - covered
    return jnp.where(jnp.abs(change) > least, jnp.sign(change), 0).astype(jnp.int8)


_sign_changes = jax.jit(sign_changes)


@functools.partial(jax.jit, static_argnames="model")
def _see(model: Model, params: Any, images: jax.Array) -> dict[str, jax.Array]:
    return model(params, images)


def disagreement(signs: np.ndarray) -> np.ndarray:
    """The share of components that differ for every pair of rows: int8 [N, D] -> [N * (N - 1) / 2] in 0..1."""
    less, same, more = ((signs == sign).astype(np.float32) for sign in (-1, 0, 1))
    agreeing = less @ less.T + same @ same.T + more @ more.T
    first, second = pairs(len(signs))
    return 1 - agreeing[first, second].astype(np.float64) / signs.shape[1]


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The unordered pairs i < j of so many images, row by row: two int arrays."""
    return np.triu_indices(count, k=1)


def square_centres(points: np.ndarray, size: int) -> np.ndarray:
    """(x, y) [..., 2] in pixels -> int (row, column) that `occlude` centres a square of this size on."""
    corner = np.round(np.asarray(points, np.float64) - size / 2)
    return (corner + size // 2)[..., ::-1].astype(np.int32)


def random_centres(rng: np.random.Generator, count: int, images: int, *, size: int, image_size: int) -> np.ndarray:
    """int [count, images, 2]: anywhere that a square lies within the image, for every image on its own."""
    return rng.integers(0, image_size - size + 1, (count, images, 2), dtype=np.int32) + np.int32(size // 2)
