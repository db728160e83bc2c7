"""Few coordinates for many features: a rotation that no linear classifier with an L2 penalty can tell.

Such a classifier's weights lie in the span of its training images (the representer theorem) and its scores depend on
inner products alone. So n images of D features may be replaced by any n vectors with the same inner products; here the
principal axes, of which there are at most min(n, D): a layer of 290,400 features costs what one of n features does.
Moving the origin to the mean of the training images changes nothing either, where the bias is not penalised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Axes with less than this share of the largest one's variance are rounding: inner products are summed in float32.
NOISE = 1e-7
COLUMNS = 8192  # features multiplied at a time: 9,144 images times 8,192 features are 300 MB


class Coordinates(NamedTuple):
    """Training and test images along the principal axes of the training images.

    The origin is the mean of the training images and the unit their root mean square distance from it, so that C
    means the same for every layer, however close together its images lie.
    """

    train: np.ndarray  # float32 [n, r]
    test: np.ndarray  # float32 [m, r]


def inner_products(features: np.ndarray, *, columns: int = COLUMNS) -> np.ndarray:
    """Cosines of all pairs of images, float32 [N, N], from features [N, D] that may lie on a disk.

    An image whose features are all zero has the cosine 0 with every other.
    """
    total = np.zeros((len(features), len(features)), np.float64)
    for start in range(0, features.shape[1], columns):
        total += np.asarray(_products(jnp.asarray(features[:, start : start + columns])))
    length = np.sqrt(np.diag(total))
    length[length == 0] = 1
    return (total / length / length[:, None]).astype(np.float32)


@jax.jit
def _products(chunk: jax.Array) -> jax.Array:
    return jnp.matmul(chunk, chunk.T, precision="highest")


def unit_length(features: np.ndarray) -> np.ndarray:
    """Rows [N, D] divided by their length, float32; rows of zeros stay."""
    features = np.asarray(features, np.float32)
    length = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return (features / np.where(length == 0, 1, length)).astype(np.float32)


def from_features(train: np.ndarray, test: np.ndarray) -> Coordinates:
    """Coordinates of images [n, D] and [m, D] from their features: r = min(n, D)."""
    train, test = train.astype(np.float64), test.astype(np.float64)
    if train.shape[1] > len(train):
        return from_products(train @ train.T, test @ train.T)
    mean = train.mean(axis=0)
    train, test = train - mean, test - mean
    variance, axes = np.linalg.eigh(train.T @ train)
    axes = axes[:, ::-1] * (variance[::-1] > NOISE * variance[-1])
    return _scaled(train @ axes, test @ axes, variance.sum())


def from_products(train: np.ndarray, test: np.ndarray) -> Coordinates:
    """Coordinates from the inner products of the training images, [n, n], and of test with training images, [m, n]."""
    train, test = train.astype(np.float64), test.astype(np.float64)
    rows, whole = train.mean(axis=0), train.mean()
    train_centred = train - rows - rows[:, None] + whole
    test_centred = test - rows - test.mean(axis=1, keepdims=True) + whole
    variance, axes = np.linalg.eigh(train_centred)
    variance, axes = variance[::-1], axes[:, ::-1]
    root = np.sqrt(np.where(variance > NOISE * variance[0], variance, np.inf))
    # axes that are rounding become columns of zeros, so that every fold has arrays of the same shape
    own = axes * np.where(np.isfinite(root), root, 0)
    return _scaled(own, test_centred @ (axes / root), variance.sum())


def _scaled(train: np.ndarray, test: np.ndarray, variance: float) -> Coordinates:
    unit = np.sqrt(variance / len(train)) or 1
    return Coordinates((train / unit).astype(np.float32), (test / unit).astype(np.float32))


def reader(features: np.ndarray) -> Callable[[np.ndarray, np.ndarray], Coordinates]:
    """(numbers of training images, numbers of test images) -> their coordinates, of rows brought to unit length.

    features: [N, D], which may lie on a disk; read once, here. Wide ones (D > N) are kept as inner products.
    """
    if features.shape[1] > len(features):
        products = inner_products(features)
        return lambda train, test: from_products(products[np.ix_(train, train)], products[np.ix_(test, train)])
    rows = unit_length(features)
    return lambda train, test: from_features(rows[train], rows[test])
