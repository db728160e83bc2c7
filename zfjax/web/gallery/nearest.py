"""Which units respond to the same images: correlations of their maxima, within a layer and between two networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.web.gallery.statistics import LayerStatistics

_UNITS = 512  # compared with as many at a time: at 20,000 images each block takes 80 MB


class Neighbours(NamedTuple):
    """For each of C units the k most alike, the most alike first; arrays [C, k]."""

    unit: np.ndarray  # int32, -1 where there are fewer
    correlation: np.ndarray  # float32, Pearson's over the images, -1 to 1; NaN where there are fewer


def nearest(peaks: np.ndarray, k: int) -> Neighbours:
    """The other units of a layer that respond most like each one.

    peaks: float [M, C], of M images the maximum of every map. A unit that responds alike to all images has no
    neighbours and is nobody's. Of equal ones the lower number comes first. Memory for some 1,000 units, whatever C.
    """
    return _most_alike(peaks, peaks, k, itself=False)


def matches(peaks: np.ndarray, others: np.ndarray, k: int) -> Neighbours:
    """The units of another layer or network, [M, D], that respond most like each unit of [M, C] to the same images.

    As `nearest`. Raises InputError where they are not of equally many images.
    """
    if len(peaks) != len(others):
        raise InputError(f"units are compared on the same images, not on {len(peaks):,} and {len(others):,}")
    return _most_alike(peaks, others, k, itself=True)


def shared_peaks(mine: LayerStatistics, theirs: LayerStatistics) -> tuple[np.ndarray, np.ndarray]:
    """The maxima of two layers, of one network or two, for the images that were sampled for both: [M, C] and [M, D].

    Raises InputError where there is none.
    """
    images, here, there = np.intersect1d(mine.images, theirs.images, return_indices=True)
    if not len(images):
        raise InputError("units are compared on the same images, and these networks were shown no image in common")
    return mine.peaks[here], theirs.peaks[there]


def _most_alike(peaks: np.ndarray, others: np.ndarray, k: int, *, itself: bool) -> Neighbours:
    units, found = peaks.shape[1], []
    for start, mine in _standardised(peaks):
        best = Neighbours(np.full((mine.shape[1], k), -1, np.int32), np.full((mine.shape[1], k), -np.inf))
        for first, theirs in _standardised(others):
            alike = mine.T @ theirs
            alike[~mine.any(axis=0)], alike[:, ~theirs.any(axis=0)] = -np.inf, -np.inf
            if not itself and first == start:
                np.fill_diagonal(alike, -np.inf)
            numbers = np.broadcast_to(np.arange(first, first + alike.shape[1], dtype=np.int32), alike.shape)
            best = _best(best, Neighbours(numbers, alike), k)
        found.append(best)
    unit, correlation = (np.concatenate(columns) for columns in zip(*found, strict=True)) if units else _none(k)
    there = np.isfinite(correlation)
    rounded = np.where(there, np.clip(correlation, -1, 1), np.nan).astype(np.float32)
    return Neighbours(np.where(there, unit, -1).astype(np.int32), rounded)


def _standardised(peaks: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of units, from which number on and float64 [M, U]: of mean 0 and length 1, or 0 where constant."""
    for start in range(0, peaks.shape[1], _UNITS):
        block = peaks[:, start : start + _UNITS].astype(np.float64)
        varies = block.max(axis=0) > block.min(axis=0)  # of a constant the mean may differ by its rounding
        block = np.where(varies, block - block.mean(axis=0), 0)
        yield start, block / np.where(varies, np.linalg.norm(block, axis=0), 1)


def _best(old: Neighbours, new: Neighbours, k: int) -> Neighbours:
    unit, alike = (np.concatenate(columns, axis=1) for columns in zip(old, new, strict=True))
    order = np.argsort(-alike, axis=1, kind="stable")[:, :k]
    return Neighbours(np.take_along_axis(unit, order, axis=1), np.take_along_axis(alike, order, axis=1))


def _none(k: int) -> Neighbours:
    return Neighbours(np.zeros((0, k), np.int32), np.zeros((0, k)))
