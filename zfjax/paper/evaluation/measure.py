"""Table 2: top-1 and top-5 error of a run, or of several averaged, over one crop or the paper's ten."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.data import Source, eval_batches
from zfjax.errors import InputError
from zfjax.model import Model, network
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.terminal import meter


class Answers(NamedTuple):
    """What a network says of some images, in their order, and what is right."""

    shares: np.ndarray  # float32 [N, K], softmax outputs
    labels: np.ndarray  # int [N]


class ErrorRate(NamedTuple):
    """A share of wrong answers, with its 95 % interval."""

    rate: float
    low: float
    high: float
    count: int


def probabilities(
    run: Run,
    source: Source,
    *,
    crops: int = 10,
    indices: Sequence[int] | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> Answers:
    """Softmax outputs averaged over the crops, and the labels, in the order of the source or of `indices`.

    crops: 1, the centre, or 10, corners and centre with their mirror images (section 3). Raises InputError for others.
    """
    if crops not in (1, 10):
        raise InputError(f"crops is 1 or 10, not {crops}")
    count = len(source) if indices is None else len(indices)
    model = network(run.arch)
    rows, labels = [], []
    with meter(total=count, desc="evaluating", unit=" images", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=min(batch_size, count), indices=indices):
            rows.append(np.asarray(_softmax(run.variables, batch["image"], model=model, crops=crops))[batch["mask"]])
            labels.append(batch["label"][batch["mask"]])
            bar.update(len(labels[-1]))
    return Answers(np.concatenate(rows), np.concatenate(labels))


def error_rate(probabilities: np.ndarray, labels: np.ndarray, k: int = 1) -> ErrorRate:
    """Share of images whose label is not among the k most probable; of equal ones the first classes count.

    probabilities: [N, K]. labels: [N].
    """
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    wrong = int((top != labels[:, None]).all(axis=1).sum())
    return ErrorRate(wrong / len(labels), *wilson_interval(wrong, len(labels)), len(labels))


def wilson_interval(hits: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927): never below 0 or above 1, right for few images too."""
    share, spread = hits / count, z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts [K, K]: row, the true class; column, the most probable one."""
    counts = np.zeros((probabilities.shape[1],) * 2, np.int64)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts


@functools.partial(jax.jit, static_argnames=("model", "crops"))
def _softmax(variables: tuple[dict, Preprocess], canvases: jax.Array, *, model: Model, crops: int) -> jax.Array:
    """[N, K] of canvases [N, S, S, C]."""
    params, preprocess = variables
    views = preprocess.ten(canvases) if crops == 10 else preprocess.centre(canvases)[None]
    # one view after the other: ten at once would hold ten times the activations
    shares = jax.lax.map(lambda view: jax.nn.softmax(model(params, view).logits), views)
    return jnp.mean(shares, axis=0)
