"""Fig. 6: the filters of the first layer; and the first two layers of several networks side by side, with numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.draw.page import COLUMN_WIDTH_IN, LABEL_PT, TEXT_WIDTH_IN, label, own_parameters, page, save
from zfjax.draw.ramps import ramp
from zfjax.draw.tiles import PERCENTILE, display_limit, near_square, outside_words, rgb8, tile, to_display
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.first_layers.measure import Selection

COLUMN_PX = 864  # at least this much room for a network: pictures are enlarged by whole factors
GAP_IN = 0.2


@own_parameters()
def draw_filters(
    kernels: np.ndarray,
    path: str | Path,
    *,
    title: str,
    caption: str,
    layer: str = "conv1",
    per_filter: bool = False,
    order: str = "index",
    percentile: float = PERCENTILE,
) -> None:
    """Draws the filters of the first layer (Fig. 6a-c), zero mid-grey.

    kernels: [h, w, I, O], I = 1 (grey) or 3 (colour). One gain for the whole figure shows which filters dominate and
    which are dead, as Fig. 6a does; `per_filter` scales each on its own. order: "index", or "rms", strongest first.
    Raises InputError for a layer that does not read pixels, another order or a path that cannot be written.
    """
    filters = _pixel_filters(kernels, layer, order)
    n, height, width, channels = filters.shape
    limit = display_limit(filters, percentile)
    if per_filter:
        pictures = to_display(filters, percentile=percentile)
    else:  # all filters as one tall picture, which has one gain
        pictures = to_display(filters.reshape(n * height, width, channels), percentile=percentile)
    columns = near_square(n)
    gap = math.ceil(width / 12)
    mosaic = tile(rgb8(pictures.reshape(filters.shape)), columns, gap, 255)
    width_in = min(TEXT_WIDTH_IN, max(COLUMN_WIDTH_IN, 0.3 * columns))
    text = f"{_filters_caption(filters.shape, layer, per_filter, order, percentile)} {caption}"
    figure, axes = page(mosaic, title=title, caption=text, width_in=width_in, legend_in=0.22)
    labels = ("−", "0", "+") if per_filter else (f"−{limit:.2g}", "0", f"{limit:.2g}")
    ramp(figure, axes, labels, colour_map="gray", shades=101, right_in=0.15, below_in=0.13)
    save(figure, path)


def _pixel_filters(kernels: np.ndarray, layer: str, order: str) -> np.ndarray:
    """[h, w, I, O] -> [O, h, w, I] in the order to draw, if the layer reads pixels."""
    if np.ndim(kernels) != 4 or 0 in np.shape(kernels):
        raise InputError(f"the kernels of {layer!r} must be [h, w, inputs, outputs], got shape {np.shape(kernels)}")
    if kernels.shape[2] not in (1, 3):
        raise InputError(f"{layer!r} reads {kernels.shape[2]} channels; filters can be drawn on pixels only, 1 or 3")
    if order not in ("index", "rms"):
        raise InputError(f"filters can be ordered by 'index' or 'rms', got {order!r}")
    filters = np.moveaxis(np.asarray(kernels), 3, 0)
    strength = np.square(filters, dtype=np.float64).mean(axis=(1, 2, 3))
    return filters if order == "index" else filters[np.argsort(-strength, kind="stable")]


def _filters_caption(shape: tuple[int, ...], layer: str, per_filter: bool, order: str, percentile: float) -> str:
    n, height, width, _ = shape
    ordered = "by index" if order == "index" else "from the largest to the smallest RMS"
    scaled = "each filter scaled by" if per_filter else "one scale for all,"
    gain = f"the {percentile:g} percentile of {'its' if per_filter else 'all'} non-zero magnitudes"
    return f"{n} filters of {layer}, {height}×{width} px, {ordered}; mid-grey is zero, {scaled} {gain}."


@own_parameters()
def draw_selection(
    selections: Mapping[str, Selection], path: str | Path, *, title: str, caption: str, percentile: float = PERCENTILE
) -> None:
    """Draws a column for each network, {heading: its selection}: its filters, the projections of its second layer, and
    its measures.

    Raises InputError for filters on neither 1 nor 3 channels, and for a path that cannot be written.
    """
    count, columns = len(selections), selections.values()
    width_in = min(TEXT_WIDTH_IN, 3.5 * count)
    tops = [_enlarged(_filters(each.filters, percentile)) for each in columns]
    bottoms = [_enlarged(_projections(each, percentile)) for each in columns]
    measures = [table(each) for each in columns]
    inch = _width(tops + bottoms) * count / (width_in - GAP_IN * (count - 1))
    line, gap, width = math.ceil(1.5 * LABEL_PT / 72 * inch), math.ceil(GAP_IN * inch), _width(tops + bottoms)
    heights = [max(map(len, pictures)) for pictures in (tops, bottoms)]
    rows = [_row(pictures, width, gap, height) for pictures, height in zip((tops, bottoms), heights, strict=True)]
    lines = (2 * line, 2 * line, (len(measures[0]) + 1) * line)  # the heading; between; the table
    blank = [np.full((height, rows[0].shape[1], 3), 255, np.uint8) for height in lines]
    mosaic = np.concatenate([blank[0], rows[0], blank[1], rows[1], blank[2]])
    text = f"{_caption(percentile, outside_words(each.patches for each in columns))} {caption}"
    figure, axes = page(mosaic, title=title, caption=text, width_in=width_in)
    for place, (heading, each) in enumerate(selections.items()):
        x = place * (width + gap)
        label(axes, x, 0.6 * line, heading, weight="bold")
        label(axes, x, 1.65 * line, _filters_heading(each.filters))
        y = 2 * line + heights[0]
        label(axes, x, y + 1.6 * line, f"second layer, {len(each.projections)} maps in pixels")
        y += 2 * line + heights[1] + 1.5 * line
        for number, (name, value) in enumerate(measures[place]):
            label(axes, x, y + number * line, name)
            label(axes, x + width, y + number * line, value, ha="right", weight="bold")
    save(figure, path)


def table(selection: Selection) -> list[tuple[str, str]]:
    """The measures as text: their names and values."""
    low, mid, high = (f"{100 * share:.0f}" for share in selection.bands)
    return [
        ("stride", f"{selection.stride}"),
        ("dead filters", f"{100 * selection.dead:.1f} %"),
        ("low / mid / high frequencies", f"{low} / {mid} / {high} %"),
        ("largest / median RMS", f"{selection.dominance:.2f}"),
        ("aliasing of the second layer", f"{selection.aliasing:.3f}"),
    ]


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


def _projections(selection: Selection, percentile: float) -> np.ndarray:
    pictures = rgb8(to_display(selection.projections, percentile=percentile, patches=selection.patches))
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


def _caption(percentile: float, outside: str) -> str:
    return (
        "Top: filters, one scale for each network. Middle: the strongest activation of some maps, projected down to "
        f"pixels, each on its own scale. Mid-grey is zero{outside}; scaled by the {percentile:g} percentile of the "
        "non-zero magnitudes."
    )
