"""What the gallery says of every unit: its strongest images, weaker ones, how often and how much it responds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zfjax.layers import Shape
from zfjax.paper.top_activations import Winners, responds
from zfjax.web.gallery.parts import LayerPart, Part

LOWER = ("90 to 99 %", "50 to 90 %", "below 50 %")  # the rows of a unit's weaker images
ROW = 3  # images in each of them
BINS = 16
_UNITS = 256  # looked at together: at 20,000 images 40 MB of random numbers


class LayerStatistics(NamedTuple):
    """A layer's C units over a data set, of which M images were sampled: all of them where they are not too many."""

    top: Winners  # [C, k]: the strongest activations, at most one an image
    lower: tuple[Winners, ...]  # one [C, 3] for each of LOWER, stronger ones first; -inf where there are fewer
    maximum: np.ndarray  # float32 [C], the largest activation
    mean: np.ndarray  # float32 [C], over all places of all images
    p99: np.ndarray  # float32 [C], 99th percentile of the sampled images' maxima
    density: np.ndarray  # float32 [C], share of the places of all images where it is above 0
    low: np.ndarray  # float32 [C], left edge of the histogram: 0, or less where a maximum is negative
    high: np.ndarray  # float32 [C], its right edge, the largest activation
    counts: np.ndarray  # int64 [C, 16], of the sampled images' maxima
    peaks: np.ndarray  # float32 [M, C], these maxima
    images: np.ndarray  # int32 [M], the images' numbers


def summarise(parts: Iterable[Part], shapes: Mapping[str, Shape], top: int, seed: int) -> dict[str, LayerStatistics]:
    """The statistics of all images of the parts, which come in the order of the search.

    The weaker images are drawn with `seed` among the sampled ones with a response whose maximum lies between two
    quantiles of all sampled maxima, the upper one excluded; each is shown at its maximum.
    """
    count, images = 0, [np.zeros(0, np.int32)]
    layers = {layer: _Sums(shape, top) for layer, shape in shapes.items()}
    for part in parts:
        count += int(part.count)
        images.append(part.images)
        for layer, sums in layers.items():
            sums.add(part.layers[layer])
    numbers = np.concatenate(images)
    return {layer: sums.end(count, numbers, [seed, zlib.crc32(layer.encode())]) for layer, sums in layers.items()}


def present(winners: Winners) -> np.ndarray:
    """Which of the winners of `without_silence` there are, bool of their shape."""
    return np.isfinite(winners.value)


def without_silence(found: LayerStatistics) -> LayerStatistics:
    """Winners at which a unit is silent, as `responds` has it of all that were found of the unit, become -inf."""
    rows = [found.top, *found.lower]
    there = responds(joined(rows))
    edges = np.cumsum([row.value.shape[1] for row in rows])[:-1]
    top, *lower = (
        row._replace(value=np.where(kept, row.value, -np.inf).astype(np.float32))
        for row, kept in zip(rows, np.split(there, edges, axis=1), strict=True)
    )
    return found._replace(top=top, lower=tuple(lower))


def joined(rows: Sequence[Winners]) -> Winners:
    """[units, k] each, side by side."""
    return Winners(*(np.concatenate(column, axis=1) for column in zip(*rows, strict=True)))


def merge(old: Winners, new: Winners) -> Winners:
    """The winners of two searches, [C, k] each, of which the second looked at later images."""
    both = [np.concatenate(columns, axis=1) for columns in zip(old, new, strict=True)]
    best = np.argsort(-both[0], axis=1, kind="stable")[:, : old.value.shape[1]]  # of equal ones the earlier image
    return Winners(*(np.take_along_axis(column, best, axis=1) for column in both))


class _Sums:
    """What is added up of one layer."""

    def __init__(self, shape: Shape, top: int):
        self.shape = shape
        nowhere = np.full((shape[2], top), -1, np.int32)
        self.top = Winners(np.full((shape[2], top), -np.inf, np.float32), nowhere, nowhere, nowhere)
        self.total, self.above = np.zeros(shape[2]), np.zeros(shape[2], np.int64)
        self.peaks: list[np.ndarray] = []
        self.places: list[np.ndarray] = []

    def add(self, part: LayerPart) -> None:
        self.top = merge(self.top, part.top)
        self.total, self.above = self.total + part.total, self.above + part.above
        self.peaks.append(part.peaks)
        self.places.append(part.places)

    def end(self, count: int, images: np.ndarray, seed: Sequence[int]) -> LayerStatistics:
        height, width, maps = self.shape
        peaks, places = np.concatenate(self.peaks), np.concatenate(self.places)
        self.peaks, self.places = [], []  # or they would be in memory twice
        maximum, everywhere = np.asarray(self.top.value)[:, 0], count * height * width
        low, p99 = np.zeros(maps, np.float32), np.zeros(maps, np.float32)
        counts, lower = np.zeros((maps, BINS), np.int64), _nobody(maps)
        random = np.random.default_rng(seed)
        for units in _blocks(maps):
            part = np.ascontiguousarray(peaks[:, units])
            low[units] = np.minimum(part.min(axis=0), 0)
            counts[units] = _histogram(part, low[units], maximum[units])
            quantiles = np.quantile(part, (0.5, 0.9, 0.99), axis=0)
            p99[units] = quantiles[2]
            keys = random.random(part.shape)
            responding = (part != 0) | (low[units] < 0)
            for row, eligible in zip(lower, _ranges(part, quantiles, responding), strict=True):
                _draw(row, units, keys, eligible, (part, places[:, units], images, width))
        mean, density = (each / everywhere for each in (self.total, self.above))
        shares = mean.astype(np.float32), p99, density.astype(np.float32)
        return LayerStatistics(self.top, lower, maximum, *shares, low, maximum, counts, peaks, images)


def _blocks(units: int) -> Iterator[slice]:
    return (slice(start, start + _UNITS) for start in range(0, units, _UNITS))


def _histogram(peaks: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[M, U] -> counts [U, 16] of equal bins from low to high, both inclusive; all in the first where they are one."""
    span = (high - low).astype(np.float64)
    share = np.divide(peaks - low.astype(np.float64), span, out=np.zeros(peaks.shape), where=span > 0)
    bins = np.minimum((share * BINS).astype(np.int64), BINS - 1) + BINS * np.arange(peaks.shape[1])
    return np.bincount(bins.ravel(), minlength=BINS * peaks.shape[1]).reshape(-1, BINS)


def _ranges(peaks: np.ndarray, quantiles: np.ndarray, responding: np.ndarray) -> list[np.ndarray]:
    """For each of LOWER, which of the maxima [M, U] lie in it."""
    middle, high, highest = quantiles
    between = [(high, highest), (middle, high), (-np.inf, middle)]
    return [responding & (low <= peaks) & (peaks < end) for low, end in between]


def _nobody(maps: int) -> tuple[Winners, ...]:
    nowhere = [np.full((maps, ROW), -1, np.int32) for _ in LOWER * 3]
    values = [np.full((maps, ROW), -np.inf, np.float32) for _ in LOWER]
    return tuple(Winners(value, *nowhere[3 * row : 3 * row + 3]) for row, value in enumerate(values))


def _draw(row: Winners, units: slice, keys: np.ndarray, eligible: np.ndarray, seen: tuple) -> None:
    """Fills in the eligible ones with the smallest keys, stronger ones first. seen: peaks, places, images, width."""
    peaks, places, images, width = seen
    keys = np.where(eligible, keys, np.inf)
    room = min(ROW, len(keys))
    chosen = np.argpartition(keys, room - 1, axis=0)[:room]
    there = np.isfinite(np.take_along_axis(keys, chosen, axis=0))
    values = np.where(there, np.take_along_axis(peaks, chosen, axis=0), -np.inf)
    order = np.lexsort((chosen, -values), axis=0)
    chosen, values, there = (np.take_along_axis(each, order, axis=0) for each in (chosen, values, there))
    place = np.take_along_axis(places, chosen, axis=0).astype(np.int64)
    for column, found in zip(row, (values, images[chosen], place // width, place % width), strict=True):
        column[units, :room] = np.where(there, found, column[units, :room].T).T
