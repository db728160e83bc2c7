"""Table 3: errors of networks whose layers were removed or resized, on images they were trained on and on others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zfjax.data import Dataset
from zfjax.data.sources.pool import JoinedSource, Subset
from zfjax.paper.evaluation.measure import ErrorRate, error_rate, probabilities
from zfjax.runs.run import Run


class Errors(NamedTuple):
    """One row of Table 3: shares of wrong answers."""

    train_top1: ErrorRate
    val_top1: ErrorRate
    val_top5: ErrorRate | None  # None for five classes or fewer, which could not be wrong

    def to_dict(self) -> dict:
        """Plain data for JSON."""
        return {name: rate and rate._asdict() for name, rate in self._asdict().items()}

    @classmethod
    def from_dict(cls, data: dict) -> Errors:
        """The inverse of `to_dict`; other keys are none of its business."""
        return cls(*(data[name] and ErrorRate(**data[name]) for name in cls._fields))


def fixed_sample(count: int, size: int, seed: int = 0) -> np.ndarray:
    """`size` of the numbers below `count`, all if there are no more, sorted; the same at every call."""
    chosen = np.random.default_rng(seed).choice(count, size=min(size, count), replace=False)
    return np.sort(chosen)


def with_fewer(dataset: Dataset, train_images: int | None) -> Dataset:
    """The data set with only a fixed random choice of its training images; None: all."""
    if train_images is None or train_images >= len(dataset.train):
        return dataset
    return dataclasses.replace(dataset, train=Subset(dataset.train, fixed_sample(len(dataset.train), train_images)))


def measure(
    run: Run, dataset: Dataset, *, sample: Sequence[int] | np.ndarray, batch_size: int = 32, progress: bool = False
) -> Errors:
    """Errors on the training images of `sample` and on all validation images: no dropout, the centre crop.

    The paper does not say how its training error was measured (dropout, crops, how many images).
    """
    both = JoinedSource((Subset(dataset.train, sample), dataset.val))  # in one go, as one compiled program
    shares, labels = probabilities(run, both, crops=1, batch_size=batch_size, progress=progress)
    train, val = (shares[: len(sample)], labels[: len(sample)]), (shares[len(sample) :], labels[len(sample) :])
    top5 = error_rate(*val, k=5) if len(dataset.class_names) > 5 else None
    return Errors(error_rate(*train), error_rate(*val), top5)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (n - 1) over seeds; no deviation of a single one."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
