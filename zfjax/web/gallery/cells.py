"""Cells of equal size, in strips and sheets: each with a gutter of its own edge around it, so that none bleeds into
another where a lossy format mixes neighbours or a browser scales them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from zfjax.draw.tiles import rgb8, show_patch, tile, to_display

GUTTER = 2
EXACT_PX = (
    16  # windows up to this size are kept to the bit; of 27 pixels that takes 1,300 bytes each, five times as much
)
BLANK = 255

Cell = tuple[int, int]  # height, width


def cell_of(window: Cell, largest: int) -> Cell:
    """The window, or what of it fits into largest x largest, in its proportions."""
    scale = min(1.0, largest / max(window))
    height, width = (max(1, round(side * scale)) for side in window)
    return height, width


def is_exact(window: Cell) -> bool:
    """Whether pictures of this window are kept to the bit."""
    return max(window) <= EXACT_PX


def projection_cells(
    pixels: np.ndarray, cell: Cell, percentile: float, patches: np.ndarray | None = None
) -> np.ndarray:
    """Signed [n, h, w, C] -> uint8 [n, *cell, 3], by the figures' rule: mid-grey is zero, a gain for each. patches: the
    same windows of the images, NaN outside of the image, which then takes their tone."""
    return resized(rgb8(to_display(pixels, percentile=percentile, patches=patches)), cell)


def patch_cells(patches: np.ndarray, cell: Cell) -> np.ndarray:
    """[n, h, w, C] in 0..255, NaN outside the image -> uint8 [n, *cell, 3]."""
    return resized(rgb8(show_patch(patches)), cell)


def resized(pictures: np.ndarray, cell: Cell) -> np.ndarray:
    """uint8 [n, h, w, 3] -> uint8 [n, *cell, 3]."""
    if pictures.shape[1:3] == tuple(cell):
        return pictures
    height, width = cell
    found = [Image.fromarray(each).resize((width, height), Image.Resampling.LANCZOS) for each in pictures]
    return np.stack([np.asarray(each) for each in found]) if found else np.zeros((0, *cell, 3), np.uint8)


def strip(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of cells, each uint8 [n, h, w, 3] of as many, as one picture."""
    return sheet(np.concatenate(rows), len(rows[0]))


def sheet(cells: np.ndarray, columns: int) -> np.ndarray:
    """uint8 [n, h, w, 3] row by row with their gutters; places that the last row leaves free are white."""
    padded = np.pad(cells, ((0, 0), (GUTTER, GUTTER), (GUTTER, GUTTER), (0, 0)), mode="edge")
    return tile(padded, columns, 0, BLANK)
