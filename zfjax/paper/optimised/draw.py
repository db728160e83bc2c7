"""Pictures made to excite a map, beside its strongest patches and what the deconvnet says of these."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np

from zfjax.draw.page import CHART_STYLE, LABEL_PT, TEXT_WIDTH_IN, chart, own_parameters, save, square
from zfjax.draw.tiles import PERCENTILE, grid, outside_words, rgb8, show_patch, to_display
from zfjax.errors import InputError
from zfjax.paper.features.draw import span

if TYPE_CHECKING:
    from zfjax.paper.optimised.measure import Optimised

BLOCK_IN = 0.8  # at least, of a picture or of nine patches
GAP_IN, BETWEEN_IN, NAME_IN, LABEL_IN = 0.04, 0.16, 0.15, 0.11


@own_parameters()
def draw_optimised(
    maps: dict[str, Optimised],
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
    whole: bool = False,
) -> None:
    """Draws for each map, by its name: the pictures made for it, its strongest patches, and their projections.

    caption: how the pictures were made and where all comes from; it follows a description of what is drawn.
    percentile: of a projection's non-zero magnitudes, what is drawn as full black or white. whole: the units see the
    whole image. Raises InputError for no maps or a path that cannot be written.
    """
    if not maps:
        raise InputError("there is nothing to draw: no map was chosen")
    variants = len(next(iter(maps.values())).pictures)
    blocks, k = variants + 2, max(len(each.found.patches) for each in maps.values())
    columns = max(1, min(len(maps), math.floor((TEXT_WIDTH_IN + BETWEEN_IN) / (blocks * BLOCK_IN + BETWEEN_IN))))
    cell_in = (TEXT_WIDTH_IN - (columns - 1) * BETWEEN_IN) / columns
    side = min(2 * BLOCK_IN, (cell_in - (blocks - 1) * GAP_IN) / blocks)
    row_in = NAME_IN + LABEL_IN + side + GAP_IN
    height_in = row_in * math.ceil(len(maps) / columns)
    outside = outside_words(seen for each in maps.values() for seen in (each.pictures, each.found.patches))
    text = f"{_caption(next(iter(maps.values())), k, outside, percentile, whole)} {caption}"
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(height_in, title=title, caption=text)
        for number, (name, each) in enumerate(maps.items()):
            row, column = divmod(number, columns)
            left, top = column * (cell_in + BETWEEN_IN), row * row_in + NAME_IN + LABEL_IN
            cells = [square(part, left + place * (side + GAP_IN), top, side, height_in) for place in range(blocks)]
            for axes, (picture, label) in zip(cells, _blocks(each, k, percentile), strict=True):
                axes.imshow(picture, interpolation="antialiased")
                axes.text(0, 1.02, label, fontsize=LABEL_PT, color="0.45", va="bottom", transform=axes.transAxes)
            lift = 1.02 + LABEL_IN / side
            cells[0].text(0, lift, name, fontsize=LABEL_PT, weight="bold", va="bottom", transform=cells[0].transAxes)
        save(figure, path)


def _blocks(each: Optimised, k: int, percentile: float) -> list[tuple[np.ndarray, str]]:
    """uint8 pictures from left to right, and what stands above them."""
    found = each.found
    gap = math.ceil(found.patches.shape[2] / 30)
    best = found.activations[0] if len(found.activations) else 0.0
    made = [
        (
            rgb8(show_patch(picture)),
            span(np.array([value])) + (f" = {value / best:.2g}×" if min(best, value) > 0 else ""),
        )
        for picture, value in zip(each.pictures, each.values, strict=True)
    ]
    return [
        *made,
        (grid(show_patch(found.patches), k, gap), span(found.activations) or "no image"),
        (grid(to_display(found.projections, percentile=percentile, patches=found.patches), k, gap), ""),
    ]


def _caption(each: Optimised, k: int, outside: str, percentile: float, whole: bool) -> str:
    made = f"{len(each.pictures)} pictures that were" if len(each.pictures) > 1 else "a picture that was"
    field = f"{each.found.patches.shape[1]}×{each.found.patches.shape[2]} px"
    window = (
        "each unit sees the whole image"
        if whole
        else f"each is what the unit sees, receptive field {field}{outside.replace(',', ';')}"
    )
    return (
        f"From left to right: {made} made to excite the unit in the middle of the map; the {k} strongest image patches "
        f"of the map, at most one an image; these projected down to pixels by the deconvnet (mid-grey is zero, each "
        f"scaled by the {percentile:g} percentile of its non-zero magnitudes); {window}. Above: the activation that a "
        f"picture reaches and its multiple of the strongest image's (0: no way up was found); the range of the images'."
    )
