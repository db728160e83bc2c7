"""Table 6: which of PASCAL VOC's twenty classes an image shows, from frozen features."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from zfjax.paper.transfer.classifiers import choose_c, fit, hold_out
from zfjax.paper.transfer.measure import Fold, Read
from zfjax.paper.transfer.precision import average_precision


def measure_pascal(
    read: Read, labels: np.ndarray, fold: Fold, classifier: str, grid: Sequence[float], *, seed: int = 0
) -> dict:
    """Average precision of every class on the images to test on, their mean, and the C that was chosen.

    labels: int [N, K], of `zfjax.data.sources.voc.VocSource`. An image with several classes is a target of softmax for
    each of them. One that shows a class only as "difficult" is an example of it, and no test of it, as in VOC's own
    measure.
    """
    images = read(fold.train, fold.test)
    targets = (labels[fold.train] != 0).astype(np.float32)
    held = hold_out(np.zeros(len(targets)), np.random.default_rng(seed))
    # images are ranked by probability: a logit says little without the other classes' ones
    rank = functools.partial(log_softmax, axis=1) if classifier == "softmax" else lambda scores: scores

    def measure(scores: np.ndarray, targets: np.ndarray) -> float:
        return float(np.nanmean(precisions_by_class(rank(scores.astype(np.float64)), targets)))

    c = choose_c(classifier, images.train, targets, held, grid, measure)
    scores = fit(classifier, images.train, targets, c).scores(images.test)
    precisions = precisions_by_class(rank(scores.astype(np.float64)), labels[fold.test])
    return {"precisions": precisions, "mean": float(np.nanmean(precisions)), "c": c}


def precisions_by_class(scores: np.ndarray, labels: np.ndarray) -> list[float]:
    """Average precision of each class, labels [N, K] of -1 (no test), 0 and 1, scores [N, K]."""
    return [
        average_precision(column[there >= 0], there[there >= 0] > 0)
        for column, there in zip(scores.T, labels.T, strict=True)
    ]
