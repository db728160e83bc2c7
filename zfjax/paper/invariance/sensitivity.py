"""How drastically and how linearly features follow a transformation: numbers for what Fig. 5 shows (section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.invariance.measure import Invariance

EARLY = 0.1  # of the range: what counts as a small change of the image


class Sensitivity(NamedTuple):
    """How the features of N images follow a transformation; arrays [N]."""

    early: np.ndarray  # `early_change`
    linearity: np.ndarray  # `linearity`
    relative: np.ndarray  # distance at a tenth of the range, over the norm of the untransformed image's features


def departure(name: str, amounts: np.ndarray) -> np.ndarray:
    """How far amounts are from no transformation: pixels either way, factor over or under 1, degrees up to 180."""
    amounts = np.asarray(amounts, float)
    match name:
        case "shift":
            return np.abs(amounts)
        case "scale":
            return np.abs(amounts - 1)
        case "rotation":
            return np.minimum(amounts % 360, -amounts % 360)
    raise InputError(f"unknown transformation {name!r}; there are shift, scale, rotation")


def early_change(departures: np.ndarray, distances: np.ndarray, part: float = EARLY) -> np.ndarray:
    """Share of the largest distance that is reached at a `part` of the range already.

    departures: [T], 0 for the untransformed image. distances: [..., T]. A straight line has `part`; features that
    change drastically under small transformations come close to 1. Between amounts it is interpolated, and the mean
    taken of both directions. NaN where nothing changes.
    """
    largest = distances.max(axis=-1)
    at = _at(departures, distances, part * departures.max())
    return np.divide(at, largest, out=np.full(np.shape(largest), np.nan), where=largest > 0)


def linearity(departures: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """R^2 of the best straight line through the origin: 1 if the distance grows in proportion to the change.

    departures: [T]. distances: [..., T]. 1 - (squared deviations from the line) / (squared deviations from the mean):
    0 or less if the line does no better than a constant, as for features that change at once and then no more; NaN
    where nothing changes.
    """
    slope = (distances @ departures / (departures @ departures))[..., None]
    missed = np.square(distances - slope * departures).sum(axis=-1)
    spread = np.square(distances - distances.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return 1 - np.divide(missed, spread, out=np.full(np.shape(spread), np.nan), where=spread > 0)


def sensitivity(name: str, measured: Invariance) -> dict[str, Sensitivity]:
    """How drastically and how linearly each layer follows a transformation: {layer: Sensitivity}.

    The paper says of its curves that layer 1 changes drastically under small transformations, layer 7 less and almost
    linearly under shift and scale; `early`, `relative` and `linearity` are three ways to put a number to that.
    """
    away = departure(name, measured.amounts)
    found = {}
    for layer, distances in measured.distances.items():
        near = _at(away, distances, EARLY * away.max())
        norm = measured.norms[layer]
        relative = np.divide(near, norm, out=np.full(np.shape(norm), np.nan), where=norm > 0)
        found[layer] = Sensitivity(early_change(away, distances), linearity(away, distances), relative)
    return found


def _at(departures: np.ndarray, distances: np.ndarray, place: float) -> np.ndarray:
    """Distances at one departure: the mean of both directions, interpolated: [..., T] -> [...]."""
    there, which = np.unique(np.round(departures, 6), return_inverse=True)
    rows = distances.reshape(-1, len(departures))
    means = [np.bincount(which, row) / np.bincount(which) for row in rows]
    return np.array([np.interp(place, there, mean) for mean in means]).reshape(distances.shape[:-1])
