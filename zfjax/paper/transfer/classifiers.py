"""Linear classifiers on frozen features: softmax regression and the linear SVM, both with an L2 penalty (section 5).

Both minimise |W|^2 / 2 + C * (sum of losses) with a free bias, as scikit-learn writes it: LogisticRegression(C), and
LinearSVC(C) with its squared hinge, one class against the rest, but for the bias that LinearSVC penalises. All classes
are fitted at once, as matrix products on whatever device JAX has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.paper.transfer.minimiser import minimise
from zfjax.paper.transfer.options import CLASSIFIERS

HELD_OUT = 3  # one image of so many is kept from the training part to choose C by
ROUGH, FINE = 1e-4, 1e-6  # where fits stop, as a share of the loss gained a step: to choose C by, and to be used


class Linear(NamedTuple):
    """A linear classifier; `features @ weights + bias` are its scores."""

    weights: np.ndarray  # [D, K]
    bias: np.ndarray  # [K]

    def scores(self, features: np.ndarray) -> np.ndarray:
        """[N, K]; the largest of a row is the answer. Of softmax they are logits."""
        return features @ self.weights + self.bias


def fit(
    kind: str,
    features: np.ndarray,
    targets: np.ndarray,
    c: float,
    *,
    start: Linear | None = None,
    tolerance: float = FINE,
) -> Linear:
    """The minimum of the loss on features [N, D], best in few uncorrelated coordinates.

    kind: "softmax" or "svm". targets: [N, K], 1 for each class that an image has, else 0; of an image with two classes
    softmax learns both, each as a target of its own. c: weight of the data against the penalty. start: where to begin.
    tolerance: stops when a step gains less than this share of the loss.
    Raises ValueError for another kind.
    """
    if kind not in CLASSIFIERS:
        raise ValueError(f"classifiers are {', '.join(CLASSIFIERS)}, not {kind!r}")
    count, classes = targets.shape
    # Along an axis of the features the loss bends by about c * curvature * variance + 1. In variables divided by its
    # root the problem is rounder: an SVM of 101 classes on 1,515 images took a third of the steps.
    curvature = 2.0 if kind == "svm" else (1 - 1 / classes) / classes
    scale = (1 + c * curvature * np.square(features, dtype=np.float64).sum(axis=0)) ** -0.5
    bias_scale = (c * curvature * count) ** -0.5
    data = [jnp.asarray(array, jnp.float32) for array in (features * scale, targets, scale, bias_scale, c, tolerance)]
    first = np.zeros((len(scale) + 1, classes), np.float32)
    if start:
        first[:-1], first[-1] = start.weights / scale[:, None], start.bias / bias_scale
    best = np.asarray(_minimum(first, *data, kind=kind))
    return Linear((best[:-1] * scale[:, None]).astype(np.float32), (best[-1] * bias_scale).astype(np.float32))


@functools.partial(jax.jit, static_argnames="kind")
def _minimum(first, features, targets, scale, bias_scale, c, tolerance, *, kind: str) -> jax.Array:
    def loss(variables: jax.Array) -> jax.Array:
        slopes, bias = variables[:-1], variables[-1:]
        scores = jnp.matmul(features, slopes, precision="highest") + bias * bias_scale
        if kind == "softmax":
            losses = -targets * jax.nn.log_softmax(scores, axis=1)
        else:
            losses = jnp.square(jax.nn.relu(1 - (2 * targets - 1) * scores))
        return 0.5 * jnp.square(slopes * scale[:, None]).sum() + c * losses.sum()

    return minimise(loss, first, tolerance=tolerance)


def choose_c(
    kind: str,
    features: np.ndarray,
    targets: np.ndarray,
    held_out: np.ndarray,
    grid: Sequence[float],
    measure: Callable[[np.ndarray, np.ndarray], float],
) -> float:
    """The C whose classifier does best on images of the training part that it has not learnt; of equals the smallest.

    held_out: bool [N], those images. measure: (scores [n, K], targets [n, K]) -> what is to be large. A grid of one
    value is no choice and takes no time.
    """
    if len(grid) == 1:
        return grid[0]
    model, found = None, []
    for c in sorted(grid):
        model = fit(kind, features[~held_out], targets[~held_out], c, start=model, tolerance=ROUGH)
        found.append((measure(model.scores(features[held_out]), targets[held_out]), -c))
    return -max(found)[1]


def hold_out(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """bool [N]: a third of the images of every class, at least one, at random; none of a class of one."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        count = max(1, len(own) // HELD_OUT) if len(own) > 1 else 0
        held[rng.permutation(own)[:count]] = True
    return held
