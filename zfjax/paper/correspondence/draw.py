"""Fig. 8: images with their parts covered one at a time, and with random places covered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.draw.page import LABEL_PT, TEXT_WIDTH_IN, label, own_parameters, page, save
from zfjax.draw.tiles import rgb8, show_patch, tile

if TYPE_CHECKING:
    from zfjax.paper.correspondence.measure import Result


@own_parameters()
def draw_correspondence(result: Result, path: str | Path, *, title: str, caption: str) -> None:
    """Draws one row an image, one column a way of covering it.

    caption: what was covered, and where the images come from; it follows a description of what is drawn. Raises
    InputError for a path that cannot be written.
    """
    pictures = result.pictures
    _, columns, _, width, _ = pictures.shape
    # an empty head belongs to the one before it
    heads = ["image", *(name.replace("_", " ") for name in result.parts), "random places", *[""] * columns]
    gap = math.ceil(width / 16)
    mosaic = tile(rgb8(show_patch(pictures)).reshape(-1, *pictures.shape[2:4], 3), columns, gap, 255)
    header = math.ceil(1.5 * LABEL_PT / 72 * mosaic.shape[1] / TEXT_WIDTH_IN)
    mosaic = np.pad(mosaic, ((header, 0), (0, 0), (0, 0)), constant_values=255)
    figure, axes = page(mosaic, title=title, caption=f"{_caption()} {caption}")
    for column, head in enumerate(heads[:columns]):
        label(axes, column * (width + gap), 0.7 * header, head)
    save(figure, path)


def _caption() -> str:
    return "Left to right: the image, each part covered, random placings of the square (as Fig. 8)."
