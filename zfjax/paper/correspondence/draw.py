"""Fig. 8: images with their parts covered one at a time, and with random places covered."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zfjax.draw.page import LABEL_PT, TEXT_WIDTH_IN, label, page, save
from zfjax.draw.tiles import rgb8, show_patch, tile
from zfjax.errors import InputError


def draw_correspondence(
    pictures: np.ndarray, heads: Sequence[str], path: str | Path, *, title: str, caption: str
) -> None:
    """Draws one row an image, one column a way of covering it.

    pictures: [N, columns, S, S, C] in 0..255, C = 1 or 3. heads: the columns' names; an empty one belongs to the name
    before it. Raises InputError for other shapes or a path that won't do.
    """
    if np.ndim(pictures) != 5 or pictures.shape[1] != len(heads):
        raise InputError(f"pictures must be [N, {len(heads)}, S, S, C] under {len(heads)} names: {np.shape(pictures)}")
    count, columns, _, width, channels = pictures.shape
    gap = math.ceil(width / 16)
    mosaic = tile(rgb8(show_patch(pictures)).reshape(-1, *pictures.shape[2:4], 3), columns, gap, 255)
    header = math.ceil(1.5 * LABEL_PT / 72 * mosaic.shape[1] / TEXT_WIDTH_IN)
    mosaic = np.pad(mosaic, ((header, 0), (0, 0), (0, 0)), constant_values=255)
    figure, axes = page(mosaic, title=title, caption=caption)
    for column, head in enumerate(heads):
        label(axes, column * (width + gap), 0.7 * header, head)
    save(figure, path)
