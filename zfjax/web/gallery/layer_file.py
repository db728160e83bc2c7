"""What the page knows of a layer: its units' numbers, and where their pictures lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zfjax.paper.top_activations import Winners
from zfjax.web.gallery.cells import GUTTER
from zfjax.web.gallery.extra_pictures import Extras
from zfjax.web.gallery.layer_pictures import Place
from zfjax.web.gallery.nearest import Neighbours
from zfjax.web.gallery.scripts import short
from zfjax.web.gallery.statistics import LOWER, LayerStatistics, present


def layer_data(
    found: LayerStatistics,
    place: Place,
    labels: dict[int, int],
    nearest: Neighbours,
    matches: dict[str, tuple[str, Neighbours]],
    extras: Extras,
) -> dict[str, Any]:
    """labels: class of each image, -1: unknown. matches: {other run: (its layer, the units there)}, slugs."""
    classes, shares = commonest(found.top, labels)
    units = len(found.maximum)
    columns = {name: short(getattr(found, key)) for name, key in _STATISTICS.items()}
    return {
        "units": units,
        "window": list(place.window),
        "whole": place.whole,
        "statistics": columns | {"share": short(shares)},
        "class": classes.tolist(),
        "sampled": len(found.images),
        "histogram": {"low": short(found.low), "high": short(found.high), "counts": found.counts.tolist()},
        "top": _spots(found.top),
        "lower": [{"name": name, "units": _spots(row)} for name, row in zip(LOWER, found.lower, strict=True)],
        **extras._asdict(),
        "nearest": _pairs(nearest),
        "matches": {run: {"layer": layer, "units": _pairs(kin)} for run, (layer, kin) in matches.items()},
        "pictures": {
            "dir": place.folder,
            "ext": place.suffix,
            "cell": list(place.cell),
            "gutter": GUTTER,
            "enlarged": place.exact,
            "patches": place.patches,
        },
        "covers": {
            "cell": list(place.cover),
            "gutter": GUTTER,
            "columns": place.columns,
            "rows": place.columns,
            "projection": place.sheets("p", units),
            "patch": place.sheets("i", units),
        },
    }


_STATISTICS = {"max": "maximum", "mean": "mean", "p99": "p99", "density": "density"}


def commonest(top: Winners, labels: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The class that most of a unit's strongest images have, and its share of them: [units] each; -1 and 0 for none.

    Of classes that are equally common the one whose image is strongest.
    """
    classes, shares = np.full(len(top.value), -1), np.zeros(len(top.value))
    for unit, alive in enumerate(present(top)):
        known = [labels[int(image)] for image in top.image[unit][alive] if labels[int(image)] >= 0]
        if known:
            classes[unit] = max(known, key=known.count)  # of equal ones max takes the first
            shares[unit] = known.count(classes[unit]) / len(known)
    return classes, shares


def _spots(winners: Winners) -> list[list[list[float]]]:
    """[image, row, col, value] of every response, strongest first."""
    found = []
    for alive, *columns in zip(present(winners), *winners, strict=True):
        value, image, row, col = (column[alive].tolist() for column in columns)
        found.append([[*spot, short(each)] for *spot, each in zip(image, row, col, value, strict=True)])
    return found


def _pairs(kin: Neighbours) -> list[list[list[float]]]:
    rows = zip(kin.unit.tolist(), kin.correlation.tolist(), strict=True)
    return [[[unit, short(c)] for unit, c in zip(*row, strict=True) if np.isfinite(c)] for row in rows]


def used_images(all_winners: Sequence[Winners]) -> set[int]:
    """The images that have a place among the winners."""
    return {int(image) for row in all_winners for image in np.unique(row.image[present(row)])}
