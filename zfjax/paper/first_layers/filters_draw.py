"""Fig. 6a-c: the filters of the first layer."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from zfjax.draw.page import COLUMN_WIDTH_IN, FONT, LABEL_PT, TEXT_WIDTH_IN, page, save
from zfjax.draw.tiles import PERCENTILE, display_limit, near_square, rgb8, tile, to_display
from zfjax.errors import InputError


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
    grey_scale(axes, ("−", "0", "+") if per_filter else (f"−{limit:.2g}", "0", f"{limit:.2g}"))
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


def grey_scale(axes: Axes, labels: Sequence[str]) -> None:
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
