"""A small ramp of colours under a mosaic: which value has which shade."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from zfjax.draw.fonts import FONT
from zfjax.draw.page import LABEL_PT

WIDTH_IN, HEIGHT_IN = 1, 0.08


def colours(name: str) -> Colormap:
    """A colormap of matplotlib's in 256 steps, however few a matplotlibrc asks for (`image.lut`)."""
    return matplotlib.colormaps[name].resampled(256)


def ramp(
    figure: Figure,
    axes: Axes,
    labels: Sequence[str],
    *,
    colour_map: str,
    shades: int = 256,
    right_in: float,
    below_in: float,
) -> None:
    """Draws the ramp into the blank that `page` leaves under its mosaic as `legend_in`, at the right end.

    figure, axes: the page's. labels: two or more, at equal distances from the lowest value to the highest.
    colour_map: a name of matplotlib's. shades: how many. right_in: from the ramp to the page's edge. below_in: from the
    mosaic to its foot.
    """
    width, height = figure.get_size_inches()
    bottom = axes.get_position().y0 * height
    left = (width - WIDTH_IN - right_in) / width
    part = figure.add_axes((left, (bottom - below_in) / height, WIDTH_IN / width, HEIGHT_IN / height))
    part.imshow(np.linspace(0, 1, shades)[None], cmap=colours(colour_map), aspect="auto", extent=(0, 1, 0, 1))
    part.set_yticks([])
    part.set_xticks(np.linspace(0, 1, len(labels)), labels, fontsize=LABEL_PT, family=FONT)
    part.tick_params(length=1.5, width=0.4, pad=1)
    for spine in part.spines.values():
        spine.set_linewidth(0.4)
