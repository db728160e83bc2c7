"""The tests of explanations as a table: means over images with their intervals, and what each column asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zfjax.draw.markdown import Table

LABELS = "labels"


class Mean(NamedTuple):
    """Over images, with a 95 % interval; NaN where no image has a value."""

    mean: float
    low: float
    high: float


Means = dict[str, dict[str, Mean]]  # {method: {measure: Mean}}

# measure -> (heading, what it asks); "TOP" and "LAST" stand for layers
COLUMNS = {
    "rank:TOP": (
        "rank, top layer",
        "rank correlation with the map of the network whose top layer was initialised anew",
    ),
    "rank:LAST": ("rank, all layers", "the same with all layers initialised anew: 0 is what a faithful map comes to"),
    "size:LAST": ("|rank|, all layers", "the same of the map's sizes: above 0 where the image alone shapes the map"),
    "ssim:LAST": ("SSIM, all layers", "structural similarity of these sizes"),
    f"size:{LABELS}": ("|rank|, labels", "with the map of a network trained on random labels"),
    "deletion": ("deletion", "area under the class's probability as the map's strongest places are covered; low"),
    "insertion": ("insertion", "area under it as they come into a blurred image; high is good"),
    "inside": ("in the box", "share of the map in the object's box"),
    "hit": ("points at it", "how often the strongest place hits the box, 15 pixels of 224 beside it allowed"),
    "drop": ("drop", "what the class loses without all but the map's strongest places, as many as the box has; low"),
    "classes": ("other classes", "likeness of the maps of four classes, mean |cosine|: 1 is the same picture for all"),
    "edges": ("edges", "rank correlation of the map's sizes with the image's edges, which need no network"),
}


def named(measure: str, layers: Sequence[str]) -> str:
    """The measure of a column, with the top and the last layer's name."""
    return measure.replace("TOP", layers[0]).replace("LAST", layers[-1])


def sanity_table(means: Means, titles: dict[str, str], layers: Sequence[str], *, title: str, notes: tuple) -> Table:
    """A row a method and baseline; the columns that any of them has. layers: of the cascade, the top one first."""
    shown = {
        column: texts
        for column, texts in COLUMNS.items()
        if any(named(column, layers) in row for row in means.values())
        and not (column == "rank:TOP" and len(layers) < 2)
    }
    rows = tuple(
        (titles.get(method, method), *(_cell(row.get(named(column, layers))) for column in shown))
        for method, row in means.items()
    )
    asked = "; ".join(f"{heading}: {text}" for heading, text in shown.values())
    heads = tuple(heading for heading, _ in shown.values())
    return Table(title, ("method", *heads), rows, (f"{asked[:1].upper()}{asked[1:]}.", *notes))


def _cell(value: Mean | None) -> str:
    if value is None or np.isnan(value.mean):
        return "-"
    return f"{value.mean:.2f} ({value.low:.2f}, {value.high:.2f})"
