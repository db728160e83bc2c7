"""Units: the images that they respond to most, each with what they see there; and all maps of a layer for one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from zfjax.draw.page import LABEL_PT, TEXT_WIDTH_IN, digits, label, own_parameters, page, save
from zfjax.draw.ramps import colours, ramp
from zfjax.draw.tiles import OUTSIDE, PERCENTILE, near_square, rgb8, show_patch, tile
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.units.measure import Strongest

MARGIN_IN = 0.52  # of the strongest images, at the left, for the rows' names
COLOURS = "viridis"  # perceptually uniform, and legible to colour-blind readers and in grey
IMAGE_IN, BETWEEN_IN = 1.25, 0.3  # the image at the left, and what separates it from the maps
CELL_DOTS = 24  # at least so many dots for the side of a map, so that a gap is thin
LABELLED_IN = 0.26  # cells of this width have room for their number


@own_parameters()
def draw_maximal_activations(rows: Sequence[Strongest], path: str | Path, *, title: str, caption: str) -> None:
    """Draws one row a unit: its strongest images, with a box around what it sees there and its value.

    rows: with fewer images than other rows, places stay empty. A box is cut off at the image's border.
    Raises InputError without images or for a path that cannot be written.
    """
    columns = max((len(row.images) for row in rows), default=0)
    if not columns:
        raise InputError("no images to draw: none of the units responds to any")
    size = next(len(row.images[0]) for row in rows if len(row.images))
    gap = math.ceil(size / 24)
    width = columns * (size + gap) - gap
    margin = math.ceil(MARGIN_IN / (TEXT_WIDTH_IN - MARGIN_IN) * width)
    line = math.ceil(1.4 * LABEL_PT / 72 * (width + margin) / TEXT_WIDTH_IN)  # below each picture, for its value
    blank = np.full((len(rows), columns, size + line, size, 3), 255, np.uint8)
    for places, row in zip(blank, rows, strict=True):
        places[: len(row.images), :size] = rgb8(show_patch(row.images))
    mosaic = tile(blank.reshape(-1, size + line, size, 3), columns, gap, 255)
    mosaic = np.pad(mosaic, ((0, 0), (margin, 0), (0, 0)), constant_values=255)
    figure, axes = page(mosaic, title=title, caption=caption)
    pixel_pt = 72 * TEXT_WIDTH_IN / mosaic.shape[1]
    for place, row in enumerate(rows):
        top = place * (size + line + gap)
        label(axes, 0, top + size / 2, row.name.replace(" ", "\n", 1), va="center")
        for column, (box, value) in enumerate(zip(row.boxes, row.values, strict=True)):
            _mark(axes, margin + column * (size + gap), top, size, box, pixel_pt)
            middle = margin + column * (size + gap) + size / 2
            label(axes, middle, top + size + 0.75 * line, digits(value), ha="center", color="0.4")
    save(figure, path)


def _mark(axes: Axes, x: float, y: float, size: int, box: np.ndarray, pixel_pt: float) -> None:
    """The part of the box that lies in the image, as a white line on a broader dark one."""
    low, high = np.clip(box[:2], 0, size), np.clip(box[:2] + box[2:], 0, size)
    inset = 0.6 / pixel_pt  # so that at the border both lines stay on the image
    corner = (x + low[1] + inset, y + low[0] + inset)
    for width, colour in ((1.2, (0, 0, 0, 0.6)), (0.6, "white")):
        sides = np.maximum(high - low - 2 * inset, 0)
        axes.add_patch(Rectangle(corner, sides[1], sides[0], fill=False, linewidth=width, edgecolor=colour))


@own_parameters()
def draw_activations(
    image: np.ndarray,
    maps: np.ndarray,
    path: str | Path,
    *,
    title: str,
    caption: str,
    per_map: bool = False,
    percentile: float = PERCENTILE,
) -> None:
    """Draws the activations of one layer, dark is low and bright is high.

    image: [S, S, 1 or 3] in 0..255. maps: [h, w, C]; single values, h = w = 1, come out as a block of squares. One
    scale for all maps, from 0 (or the lowest) to a percentile of the non-zero values, or one for each map with
    `per_map`. A map without response, the same value everywhere, is light grey with a diagonal.
    Raises InputError for other shapes, values that are not finite, or a path that cannot be written.
    """
    maps = np.asarray(maps, np.float32)
    if maps.ndim != 3 or 0 in maps.shape or not np.isfinite(maps).all():
        raise InputError(f"activations must be finite, [height, width, maps], got shape {maps.shape}")
    single, count = maps.shape[:2] == (1, 1), maps.shape[2]
    columns = _columns(count, single)
    still = np.zeros(count, bool) if single else np.ptp(maps, axis=(0, 1)) == 0
    low, high = _limits(maps, per_map and not single, percentile)
    cells = _cells(maps, low, high, still)
    size, gap = cells.shape[1], max(1, cells.shape[1] // 12)
    width_in = TEXT_WIDTH_IN - IMAGE_IN - BETWEEN_IN
    inch = (columns * (size + gap) - gap) / width_in  # mosaic pixels
    roomy = size / inch >= LABELLED_IN
    header = math.ceil(1.3 * LABEL_PT / 72 * inch) if roomy else 0
    cells = np.pad(cells, ((0, 0), (header, 0), (0, 0), (0, 0)), constant_values=255)
    margin = math.ceil((IMAGE_IN + BETWEEN_IN) * inch)
    mosaic = np.pad(tile(cells, columns, gap, 255), ((0, 0), (margin, 0), (0, 0)), constant_values=255)
    short = math.ceil(IMAGE_IN * inch) - len(mosaic)
    mosaic = np.pad(mosaic, ((0, max(0, short)), (0, 0), (0, 0)), constant_values=255)
    text = f"{_explain(still, single, per_map, low, percentile)} {caption}"
    figure, axes = page(mosaic, title=title, caption=text, legend_in=0.24)
    _place(axes, image, IMAGE_IN * inch)
    pitch = (size + gap + header) / inch  # of rows
    step = 1 if roomy else columns * math.ceil(0.11 / pitch)
    for number in range(0, count, step):
        row, column = divmod(number, columns)
        top = row * (size + gap + header)
        if roomy:
            label(axes, margin + column * (size + gap), top + 0.72 * header, f"{number}")
        else:
            label(axes, margin - 0.04 * inch, top + size / 2, f"{number:,}", ha="right", va="center")
    ends = ("lowest", "highest") if per_map and not single else (f"{low[0]:.3g}", f"{high[0]:.3g}")
    ramp(figure, axes, ends, colour_map=COLOURS, right_in=0.25, below_in=0.14)
    save(figure, path)


def _columns(count: int, single: bool) -> int:
    """More columns than rows, for the block lies beside the image; single values in rows of a round number."""
    if single:
        return min(count, max(16, 2 ** math.ceil(math.log2(2 * math.sqrt(count)))))
    return near_square(math.ceil(1.2 * count))


def _limits(maps: np.ndarray, per_map: bool, percentile: float) -> tuple[np.ndarray, np.ndarray]:
    """[C] what is drawn darkest and brightest; rectified maps begin at zero, be they never so active."""
    flat = maps.reshape(-1, maps.shape[2])
    if per_map:
        return np.minimum(flat.min(axis=0), 0), flat.max(axis=0)
    # zeros do not vote, or in a sparse layer the percentile would fall among them
    high = np.percentile(flat[flat != 0], percentile) if flat.any() else 0.0
    return np.full(flat.shape[1], min(flat.min(), 0.0)), np.full(flat.shape[1], high)


def _cells(maps: np.ndarray, low: np.ndarray, high: np.ndarray, still: np.ndarray) -> np.ndarray:
    """uint8 [C, side, side, 3]: every map in colours, each of its values a square of dots."""
    span = np.where(high > low, high - low, 1)
    shades = np.clip((maps - low) / span, 0, 1).transpose(2, 0, 1)
    cells = rgb8(colours(COLOURS)(shades)[..., :3])
    factor = math.ceil(CELL_DOTS / maps.shape[0])
    cells = cells.repeat(factor, axis=1).repeat(factor, axis=2)
    rows, columns = np.indices(cells.shape[1:3])
    cells[still] = np.where((np.abs(rows - columns) <= cells.shape[1] // 40)[..., None], 150, round(255 * OUTSIDE))
    return cells


def _place(axes: Axes, image: np.ndarray, side: float) -> None:
    """The image at the top left, `side` mosaic pixels wide, over the page's mosaic."""
    limits = axes.get_xlim(), axes.get_ylim()
    picture = rgb8(show_patch(image))
    # squares where pixels are large, smoothed where they are smaller than dots
    axes.imshow(picture, extent=(0, side, side, 0), aspect="auto", interpolation="auto", zorder=2)
    axes.set(xlim=limits[0], ylim=limits[1])


def _explain(still: np.ndarray, single: bool, per_map: bool, low: np.ndarray, percentile: float) -> str:
    top = f"the {percentile:g} percentile of all non-zero values"
    floor = "0" if (low == 0).all() else "the lowest value"
    if per_map and not single:
        scale = f"each map on a scale of its own, from {floor} to its highest value"
    else:
        scale = f"one scale, from {floor} to {top}"
    what = "units" if single else "maps"
    silent = (
        f" Light grey with a diagonal: without response here, {still.sum():,} of {len(still):,}." if still.any() else ""
    )
    return f"Left: the image. Right: {len(still):,} {what} by number, {scale}; dark is low, bright is high.{silent}"
