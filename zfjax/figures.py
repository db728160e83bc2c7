"""Arrays -> figures in files, ready for print: features beside their patches (Fig. 2), first-layer filters (Fig. 6).

A figure is one raster mosaic, every pixel a whole number of dots, with text that stays text in PDF and SVG.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from zfjax.errors import InputError
from zfjax.page import COLUMN_WIDTH_IN, FONT, LABEL_PT, TEXT_WIDTH_IN, page, save
from zfjax.tiles import PERCENTILE, display_limit, grid, near_square, rgb8, show_patch, tile, to_display, with_header


class FeatureMap(NamedTuple):
    """What Fig. 2 shows of one feature map: its k strongest activations, at most one per image."""

    index: int
    projections: np.ndarray  # [k, h, w, C] signed, C = 1 or 3, one receptive field each
    patches: np.ndarray  # [k, h, w, C] in 0..255, the same windows of the images, NaN outside the image
    activations: np.ndarray  # [k], strongest first


def draw_features(
    maps: Sequence[FeatureMap],
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
    columns: int | None = None,
) -> None:
    """Draws one layer of Fig. 2: on the left grids of projections, on the right the image patches they came from.

    maps: all with the same window [h, w]; one with fewer activations than the others keeps empty places.
    caption: where the pictures come from (run, data set, count); it follows a description of what is drawn.
    columns: maps side by side in each half. Raises InputError for no maps, unequal windows or a path that won't do.
    """
    height, width, k = _common_shape(maps)
    columns = columns or near_square(len(maps))
    gap = math.ceil(width / 30)  # grows with the window: conv1 (7 px) and conv5 (139 px) come out in like proportions
    projections = [grid(to_display(each.projections, percentile=percentile), k, gap) for each in maps]
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
    text = f"{_features_caption(k, (height, width), percentile, roomy)} {caption}"
    figure, axes = page(np.concatenate([left, middle, right], axis=1), title=title, caption=text, width_in=width_in)
    for place, each in enumerate(maps):
        row, column = divmod(place, columns)
        x, y = column * (grid_width + between), row * (header + grid_height + between) + 0.75 * header
        _label(axes, x, y, f"{each.index}")
        _label(axes, half + x, y, f"{each.index}")
        if roomy:
            _label(axes, half + x + grid_width, y, _span(each.activations), ha="right", color="0.45")
    save(figure, path)


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
    columns: int | None = None,
) -> None:
    """Draws the filters of the first layer (Fig. 6a-c), zero mid-grey.

    kernels: [h, w, I, O], I = 1 (grey) or 3 (colour). One gain for the whole figure shows which filters dominate and
    which are dead, as Fig. 6a does; `per_filter` scales each on its own. order: "index", or "rms", strongest first.
    Raises InputError for a layer that does not read pixels, another order or a path that won't do.
    """
    filters = _pixel_filters(kernels, layer, order)
    n, height, width, channels = filters.shape
    limit = display_limit(filters, percentile)
    if per_filter:
        pictures = to_display(filters, percentile=percentile)
    else:  # all filters as one tall picture, which has one gain
        pictures = to_display(filters.reshape(n * height, width, channels), percentile=percentile)
    columns = columns or near_square(n)
    gap = math.ceil(width / 12)
    mosaic = tile(rgb8(pictures.reshape(filters.shape)), columns, gap, 255)
    width_in = min(TEXT_WIDTH_IN, max(COLUMN_WIDTH_IN, 0.3 * columns))
    text = f"{_filters_caption(filters.shape, layer, per_filter, order, percentile)} {caption}"
    figure, axes = page(mosaic, title=title, caption=text, width_in=width_in, legend_in=0.22)
    _grey_scale(axes, ("−", "0", "+") if per_filter else (f"−{limit:.2g}", "0", f"{limit:.2g}"))
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


def _features_caption(k: int, window: tuple[int, int], percentile: float, roomy: bool) -> str:
    units = f"the {k} strongest activations" if k > 1 else "the strongest activation"
    span = "and the range of these activations" if k > 1 else "and its activation"
    return (
        f"Left: {units} of each map, projected down to pixels; mid-grey is zero, each picture scaled by the "
        f"{percentile:g} percentile of its non-zero magnitudes. Right: the image patches that caused them, "
        f"receptive field {window[0]}×{window[1]} px; light grey is outside the image. "
        f"Labels: number of the map{f', {span}' if roomy else ''}."
    )


def _filters_caption(shape: tuple[int, ...], layer: str, per_filter: bool, order: str, percentile: float) -> str:
    n, height, width, _ = shape
    ordered = "by index" if order == "index" else "from the largest to the smallest RMS"
    scaled = "each filter scaled by" if per_filter else "one scale for all,"
    gain = f"the {percentile:g} percentile of {'its' if per_filter else 'all'} non-zero magnitudes"
    return f"{n} filters of {layer}, {height}×{width} px, {ordered}; mid-grey is zero, {scaled} {gain}."


def _span(activations: np.ndarray) -> str:
    """The strongest and the weakest activation, three digits each."""
    if len(activations) == 0:
        return ""
    ends = [f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" for value in (activations[0], activations[-1])]
    return "–".join(dict.fromkeys(ends))


def _label(axes: Axes, x: float, y: float, text: str, **style) -> None:
    axes.text(x, y, text, fontsize=LABEL_PT, family=FONT, **style)


def _grey_scale(axes: Axes, labels: Sequence[str]) -> None:
    """A small ramp below the mosaic, at its right end: what black, mid-grey and white stand for."""
    figure = axes.figure
    width, height = figure.get_size_inches()
    bottom = axes.get_position().y0 * height
    ramp = figure.add_axes(((width - 1.15) / width, (bottom - 0.13) / height, 1 / width, 0.08 / height))
    ramp.imshow(np.linspace(0, 1, 101)[None], cmap="gray", aspect="auto", extent=(-1, 1, 0, 1))
    ramp.set_yticks([])
    ramp.set_xticks([-1, 0, 1], labels, fontsize=LABEL_PT, family=FONT)
    ramp.tick_params(length=1.5, width=0.4, pad=1)
    for spine in ramp.spines.values():
        spine.set_linewidth(0.4)
