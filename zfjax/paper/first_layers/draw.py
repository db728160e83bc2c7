"""Fig. 6: the first two layers of several networks side by side, with what sets them apart in numbers."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zfjax.draw.page import LABEL_PT, TEXT_WIDTH_IN, label, page, save
from zfjax.draw.tiles import PERCENTILE, near_square, rgb8, tile, to_display
from zfjax.errors import InputError

COLUMN_PX = 864  # at least this much room for a network: pictures are enlarged by whole factors
GAP_IN = 0.2


class Column(NamedTuple):
    """What Fig. 6 shows of one network."""

    heading: str
    filters: np.ndarray  # [h, w, C, filters] of the first layer, C = 1 or 3
    projections: np.ndarray  # [k, h, w, C] signed: maps of the second layer in pixels
    rows: list[tuple[str, str]]  # of the table: a measure's name and its value


def draw_selection(
    columns: Sequence[Column], path: str | Path, *, title: str, caption: str, percentile: float = PERCENTILE
) -> None:
    """Draws a column for each network: its filters, the projections of its second layer, and its measures.

    Raises InputError for columns with other measures than the first, for filters on neither 1 nor 3 channels, and for
    a path that won't do.
    """
    names = [name for name, _ in columns[0].rows]
    if any([name for name, _ in each.rows] != names for each in columns):
        raise InputError("the columns of a comparison need the same measures")
    width_in = min(TEXT_WIDTH_IN, 3.5 * len(columns))
    tops = [_enlarged(_filters(each.filters, percentile)) for each in columns]
    bottoms = [_enlarged(_projections(each.projections, percentile)) for each in columns]
    inch = _width(tops + bottoms) * len(columns) / (width_in - GAP_IN * (len(columns) - 1))
    line, gap, width = math.ceil(1.5 * LABEL_PT / 72 * inch), math.ceil(GAP_IN * inch), _width(tops + bottoms)
    heights = [max(map(len, pictures)) for pictures in (tops, bottoms)]
    rows = [_row(pictures, width, gap, height) for pictures, height in zip((tops, bottoms), heights, strict=True)]
    lines = (2 * line, 2 * line, (len(names) + 1) * line)  # the heading; between; the table
    blank = [np.full((height, rows[0].shape[1], 3), 255, np.uint8) for height in lines]
    mosaic = np.concatenate([blank[0], rows[0], blank[1], rows[1], blank[2]])
    figure, axes = page(mosaic, title=title, caption=f"{_caption(percentile)} {caption}", width_in=width_in)
    for place, each in enumerate(columns):
        x = place * (width + gap)
        label(axes, x, 0.6 * line, each.heading, weight="bold")
        label(axes, x, 1.65 * line, _filters_heading(each.filters))
        y = 2 * line + heights[0]
        label(axes, x, y + 1.6 * line, f"second layer, {len(each.projections)} maps in pixels")
        y += 2 * line + heights[1] + 1.5 * line
        for number, (name, value) in enumerate(each.rows):
            label(axes, x, y + number * line, name)
            label(axes, x + width, y + number * line, value, ha="right", weight="bold")
    save(figure, path)


def _filters_heading(kernel: np.ndarray) -> str:
    return f"first layer, {kernel.shape[3]} filters of {kernel.shape[0]}×{kernel.shape[1]} px"


def _filters(kernel: np.ndarray, percentile: float) -> np.ndarray:
    """One gain for all filters, so that the faint ones show."""
    filters = np.moveaxis(np.asarray(kernel), 3, 0)
    if filters.shape[3] not in (1, 3):
        raise InputError(f"filters can be drawn on 1 or 3 channels only, not on {filters.shape[3]}")
    tall = filters.reshape(-1, *filters.shape[2:])
    shown = to_display(tall, percentile=percentile).reshape(filters.shape)
    return tile(rgb8(shown), near_square(len(filters)), 1, 255)


def _projections(projections: np.ndarray, percentile: float) -> np.ndarray:
    pictures = rgb8(to_display(projections, percentile=percentile))
    return tile(pictures, near_square(len(pictures)), math.ceil(pictures.shape[2] / 30), 255)


def _enlarged(mosaic: np.ndarray) -> np.ndarray:
    factor = max(1, COLUMN_PX // mosaic.shape[1])
    return mosaic.repeat(factor, axis=0).repeat(factor, axis=1)


def _width(mosaics: Sequence[np.ndarray]) -> int:
    return max(mosaic.shape[1] for mosaic in mosaics)


def _row(mosaics: Sequence[np.ndarray], width: int, gap: int, height: int) -> np.ndarray:
    """Side by side, each in a column of `width`, white where they are smaller."""
    parts = []
    for place, mosaic in enumerate(mosaics):
        right = width - mosaic.shape[1] + (gap if place < len(mosaics) - 1 else 0)
        below = height - mosaic.shape[0]
        parts.append(np.pad(mosaic, ((0, below), (0, right), (0, 0)), constant_values=255))
    return np.concatenate(parts, axis=1)


def _caption(percentile: float) -> str:
    return (
        "Top: filters, one scale for each network. Middle: the strongest activation of some maps, projected down to "
        f"pixels, each on its own scale. Mid-grey is zero; scaled by the {percentile:g} percentile of the non-zero "
        "magnitudes."
    )
