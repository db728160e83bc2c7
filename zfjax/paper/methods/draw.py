"""Methods of attribution beside one another: an image and a unit a row, a cell a method, one rule of display."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from zfjax.draw.page import CHART_STYLE, LABEL_PT, TEXT_WIDTH_IN, chart, own_parameters, save, square
from zfjax.draw.tiles import PERCENTILE, rgb8, show_patch, to_display
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.methods.measure import Explained

COLUMNS = 7  # of methods, beside the image; there are as many lines a row as they take
GAP_IN, LABEL_IN = 0.05, 0.13
CELL_IN = (TEXT_WIDTH_IN - COLUMNS * GAP_IN) / (COLUMNS + 2)


@own_parameters()
def draw_methods(
    rows: Sequence[Explained],
    titles: dict[str, str],
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
) -> None:
    """Draws a row for each explained output: the image, and beside it what each method says, in lines of seven.

    titles: {method: what stands above its cell}. caption: where it comes from; it follows a description of what is
    drawn. percentile: of a map's non-zero magnitudes, what is drawn as full black or white. Raises InputError for
    no rows.
    """
    if not rows:
        raise InputError("there is nothing to draw: no image was explained")
    lines = -(-len(titles) // COLUMNS)
    line_in = CELL_IN + LABEL_IN + GAP_IN
    row_in = max(lines * line_in, 2 * CELL_IN + 2 * LABEL_IN + GAP_IN) + 0.06
    height_in = row_in * len(rows)
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(height_in, title=title, caption=f"{_caption(percentile, titles)} {caption}")
        for number, row in enumerate(rows):
            top = number * row_in + LABEL_IN
            image = square(part, 0, top, 2 * CELL_IN, height_in)
            image.imshow(rgb8(show_patch(row.image)), interpolation="antialiased")
            _above(image, _short(row.name, 34))
            image.text(0.5, -0.02, _short(row.about, 34), fontsize=LABEL_PT, color="0.2", **_centred(image, "top"))
            for place, (method, text) in enumerate(titles.items()):
                line, column = divmod(place, COLUMNS)
                left = 2 * CELL_IN + GAP_IN + column * (CELL_IN + GAP_IN)
                axes = square(part, left, top + line * line_in, CELL_IN, height_in)
                axes.imshow(rgb8(_shown(method, row.maps[method], percentile)), interpolation="antialiased")
                _above(axes, text)
                if not row.maps[method].any():
                    axes.text(0.5, 0.5, "zero\neverywhere", fontsize=LABEL_PT, color="1", **_centred(axes, "center"))
        save(figure, path)


def _shown(method: str, values: np.ndarray, percentile: float) -> np.ndarray:
    """[S, S, C] in 0..1. RISE's is a mean over all masks, above zero everywhere: what it says is where it is more."""
    values = values if values.ndim == 3 else values[..., None]
    return to_display(values - values.mean() if method == "rise" else values, percentile=percentile)


def _above(axes: Axes, text: str) -> None:
    axes.text(0.5, 1.02, text, fontsize=LABEL_PT, color="0.2", **_centred(axes, "bottom"))


def _centred(axes: Axes, side: str) -> dict:
    return {"ha": "center", "va": side, "transform": axes.transAxes}


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _caption(percentile: float, methods: Collection[str]) -> str:
    said = (
        "Left: the image as the network sees it, and what is explained of it. All maps are drawn by one rule: mid-grey "
        f"is zero, each is scaled by the {percentile:g} percentile of its own non-zero magnitudes, so strengths cannot "
        "be compared between cells; those of colour have a value for each channel of the image, grey ones for each "
        "place alone."
    )
    return said + " RISE's map, a mean over masks, is drawn less its own mean." * ("rise" in methods)
