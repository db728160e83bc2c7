"""Units and the images that they respond to most: receptive field and activation in white on each image."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from zfjax.draw.page import FONT, LABEL_PT, TEXT_WIDTH_IN, label, page, save
from zfjax.draw.tiles import rgb8, show_patch, tile
from zfjax.errors import InputError

MARGIN_IN = 0.52  # at the left, for the rows' names


def draw_maximal_activations(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    path: str | Path,
    *,
    title: str,
    caption: str,
) -> None:
    """Draws one row a unit: its strongest images, with a box around what it sees there and its value.

    rows: (name, images [k, S, S, C] in 0..255, boxes [k, 3] of top, left and side in pixels, values [k]); with fewer
    images than other rows, places stay empty. A box is cut off at the image's border.
    Raises InputError without images or for a path that won't do.
    """
    columns = max((len(images) for _, images, _, _ in rows), default=0)
    if not columns:
        raise InputError("no images to draw: none of the units responds to any")
    size = next(len(images[0]) for _, images, _, _ in rows if len(images))
    gap = math.ceil(size / 24)
    width = columns * (size + gap) - gap
    margin = math.ceil(MARGIN_IN / (TEXT_WIDTH_IN - MARGIN_IN) * width)
    blank = np.full((len(rows), columns, size, size, 3), 255, np.uint8)
    for row, (_, images, _, _) in zip(blank, rows, strict=True):
        row[: len(images)] = rgb8(show_patch(images))
    mosaic = tile(blank.reshape(-1, size, size, 3), columns, gap, 255)
    mosaic = np.pad(mosaic, ((0, 0), (margin, 0), (0, 0)), constant_values=255)
    figure, axes = page(mosaic, title=title, caption=caption)
    pixel_pt = 72 * TEXT_WIDTH_IN / mosaic.shape[1]
    for place, (name, _, boxes, values) in enumerate(rows):
        top = place * (size + gap)
        label(axes, 0, top + size / 2, name.replace(" ", "\n", 1), va="center")
        for column, (box, value) in enumerate(zip(boxes, values, strict=True)):
            _mark(axes, margin + column * (size + gap), top, size, box, pixel_pt)
            # on a dark strip, for white alone would be lost on a white image
            style = {"color": "white", "fontsize": 0.9 * LABEL_PT, "family": FONT, "va": "top"}
            strip = {"facecolor": (0, 0, 0, 0.55), "linewidth": 0, "pad": 0.8}
            axes.text(
                margin + column * (size + gap) + 2 / pixel_pt,
                top + 2 / pixel_pt,
                f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}",
                bbox=strip,
                **style,
            )
    save(figure, path)


def _mark(axes: Axes, x: float, y: float, size: int, box: np.ndarray, pixel_pt: float) -> None:
    """The part of the box that lies in the image, as a white line on a broader dark one."""
    low, high = np.clip(box[:2], 0, size), np.clip(box[:2] + box[2], 0, size)
    inset = 0.6 / pixel_pt  # so that at the border both lines stay on the image
    corner = (x + low[1] + inset, y + low[0] + inset)
    for width, colour in ((1.2, (0, 0, 0, 0.6)), (0.6, "white")):
        sides = np.maximum(high - low - 2 * inset, 0)
        axes.add_patch(Rectangle(corner, sides[1], sides[0], fill=False, linewidth=width, edgecolor=colour))
