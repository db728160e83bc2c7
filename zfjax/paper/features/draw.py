"""Fig. 2: the strongest activations of feature maps in pixels, beside the image patches that caused them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.draw.page import COLUMN_WIDTH_IN, LABEL_PT, TEXT_WIDTH_IN, digits, label, own_parameters, page, save
from zfjax.draw.tiles import PERCENTILE, grid, near_square, outside_words, show_patch, tile, to_display, with_header
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.top_activations import FeatureMap


@own_parameters()
def draw_features(
    maps: Sequence[FeatureMap],
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
    whole: bool = False,
) -> None:
    """Draws one layer of Fig. 2: on the left grids of projections, on the right the image patches they came from.

    maps: all with the same window [h, w]; one with fewer activations than the others keeps empty places.
    caption: where the pictures come from (run, data set, count); it follows a description of what is drawn.
    whole: every unit sees the whole image.
    Raises InputError for no maps, unequal windows or a path that cannot be written.
    """
    height, width, k = _common_shape(maps)
    columns = near_square(len(maps))
    gap = math.ceil(width / 30)  # grows with the window: conv1 (7 px) and conv5 (139 px) come out in like proportions
    projections = [
        grid(to_display(each.projections, percentile=percentile, patches=each.patches), k, gap) for each in maps
    ]
    patches = [grid(show_patch(each.patches), k, gap) for each in maps]

    grid_height, grid_width, _ = projections[0].shape
    between = math.ceil(grid_width / 9)
    half = columns * (grid_width + between) + between  # from the left block to the right one
    width_in = COLUMN_WIDTH_IN if columns == 1 else TEXT_WIDTH_IN
    inch = 2 * (half - between) / width_in
    header = math.ceil(1.5 * LABEL_PT / 72 * inch)  # room for the label above a grid
    left, right = (tile(with_header(grids, header), columns, between, 255) for grids in (projections, patches))
    middle = np.full((len(left), half - left.shape[1], 3), 255, np.uint8)

    roomy = grid_width > 0.65 * inch  # for the activations beside the number of the map
    fewer = any(len(each.activations) < k for each in maps)
    window, outside = None if whole else (height, width), outside_words(each.patches for each in maps)
    text = f"{_features_caption(k, window, outside, percentile, roomy, fewer)} {caption}"
    figure, axes = page(np.concatenate([left, middle, right], axis=1), title=title, caption=text, width_in=width_in)
    for place, each in enumerate(maps):
        row, column = divmod(place, columns)
        x, y = column * (grid_width + between), row * (header + grid_height + between) + 0.75 * header
        label(axes, x, y, f"{each.index}")
        label(axes, half + x, y, f"{each.index}")
        if roomy:
            label(axes, half + x + grid_width, y, span(each.activations), ha="right", color="0.45")
    save(figure, path)


def _common_shape(maps: Sequence[FeatureMap]) -> tuple[int, int, int]:
    """(height, width, k) of the windows of all maps, k being the most activations that one of them has."""
    if not maps:
        raise InputError("no feature maps to draw")
    for each in maps:
        shapes = np.shape(each.projections), np.shape(each.patches), np.shape(each.activations)
        if [len(shape) for shape in shapes] != [4, 4, 1] or len({shape[0] for shape in shapes}) > 1:
            raise InputError(f"map {each.index}: projections, patches and activations do not match: {shapes}")
    windows = {array.shape[1:3] for each in maps for array in (each.projections, each.patches)}
    k = max(len(each.activations) for each in maps)
    if len(windows) > 1 or k == 0:
        raise InputError(f"feature maps need one window size and some activation, got {sorted(windows)} and k = {k}")
    return *windows.pop(), k


def _features_caption(
    k: int, window: tuple[int, int] | None, outside: str, percentile: float, roomy: bool, fewer: bool
) -> str:
    units = f"the {k} strongest activations" if k > 1 else "the strongest activation"
    span = "and the range of these activations" if k > 1 else "and its activation"
    right = "images that caused them, all of which each unit sees."
    if window:
        field = f"{window[0]}×{window[1]} px"
        right = f"image patches that caused them, receptive field {field}{outside.replace(',', ';')}."
    return (
        f"Left: {units} of each map, projected down to pixels; mid-grey is zero, each picture scaled by the "
        f"{percentile:g} percentile of its non-zero magnitudes. Right: the {right} "
        f"Labels: number of the map{f', {span}' if roomy else ''}."
        f"{' White: the map responds to fewer images.' if fewer else ''}"
    )


def span(activations: np.ndarray) -> str:
    """The strongest and the weakest activation, three digits each."""
    if len(activations) == 0:
        return ""
    ends = [digits(value) for value in (activations[0], activations[-1])]
    return "–".join(dict.fromkeys(ends))
