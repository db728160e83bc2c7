"""Whether the square lowers the class and its map where the object is: numbers for what Fig. 7 shows (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.data.scenes.scenes import render
from zfjax.preprocess import Preprocess

if TYPE_CHECKING:
    from zfjax.paper.occlusion.measure import Occlusion

Box = tuple[float, float, float, float]  # top, left, bottom, right


class Fall(NamedTuple):
    """Mean loss of a value, as a part of what it is without the square; NaN where there is no such place."""

    inside: float  # with the square's centre in the object's box
    elsewhere: float


class Truth(NamedTuple):
    """How one image's maps fit the known place of its object."""

    correlation: float  # of the map's activity and the label's probability over all places
    activity: Fall
    probability: Fall
    activity_hit: float  # `lowest_inside` of the map's activity
    probability_hit: float
    chance: float  # the share of all places that lie in the box


def inside_box(rows: np.ndarray, columns: np.ndarray, box: Box) -> np.ndarray:
    """Which places of the square's centre lie in a box: bool [R, C]. box: (top, left, bottom, right), pixel j covering
    [j, j + 1)."""
    top, left, bottom, right = box
    middle = np.asarray(rows) + 0.5, np.asarray(columns) + 0.5
    within = [
        (low <= place) & (place < high) for place, low, high in zip(middle, (top, left), (bottom, right), strict=True)
    ]
    return within[0][:, None] & within[1][None, :]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, over all places of two maps of one shape; NaN if one of them is constant."""
    first, second = (np.ravel(values).astype(float) - np.mean(values, dtype=float) for values in (first, second))
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else float("nan")


def fall(values: np.ndarray, whole: float, inside: np.ndarray) -> Fall:
    """How much of `whole`, the value without the square, is lost inside and elsewhere. values, inside: [R, C]."""
    lost = 1 - values / whole if whole else np.full(values.shape, np.nan)
    return Fall(*(float(lost[places].mean()) if places.any() else float("nan") for places in (inside, ~inside)))


def lowest_inside(values: np.ndarray, inside: np.ndarray) -> float:
    """1 if the lowest value of [R, C] lies inside, else 0; of several equally low ones the share that does."""
    return float(inside[values == values.min()].mean())


def against_truth(occlusion: Occlusion, box: Box) -> Truth:
    """Whether covering the object lowers its class and its strongest map together (section 4.2).

    box: (top, left, bottom, right) of the object, in pixels of the image as the network sees it.
    """
    inside = inside_box(occlusion.rows, occlusion.columns, box)
    activity, probability = occlusion.activity, occlusion.probabilities[..., occlusion.label]
    return Truth(
        correlation(activity, probability),
        fall(activity, occlusion.whole_activity, inside),
        fall(probability, float(occlusion.whole_probabilities[occlusion.label]), inside),
        lowest_inside(activity, inside),
        lowest_inside(probability, inside),
        float(inside.mean()),
    )


def against_scenes(
    images: Sequence[Occlusion], numbers: Sequence[int], split: str, preprocess: Preprocess
) -> list[Truth]:
    """`against_truth` of the embedded scenes of these numbers, whose objects' boxes are known."""
    boxes = scene_boxes(numbers, split, preprocess)
    return [against_truth(image, box) for image, box in zip(images, boxes, strict=True)]


def scene_boxes(numbers: Sequence[int], split: str, preprocess: Preprocess) -> list[Box]:
    """The objects' boxes of embedded scenes, in pixels of the image as the network sees it."""
    canvas = preprocess.smallest_side
    margin = (canvas - preprocess.crop) // 2
    found = []
    for number in numbers:
        top, left, bottom, right = (edge - margin for edge in render(number, size=canvas, split=split).box)
        found.append((top, left, bottom, right))
    return found
