"""Fig. 4: features at several moments of the training; and, as curves, how soon each layer settles."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from zfjax.draw.page import (
    CHART_STYLE,
    COLUMN_WIDTH_IN,
    LABEL_PT,
    TEXT_WIDTH_IN,
    chart,
    label,
    own_parameters,
    page,
    save,
)
from zfjax.draw.tiles import PERCENTILE, outside_words, rgb8, tile, to_display
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.evolution.measure import Evolution

JUMP_COLOUR = "#D55E00"
MARKERS = "osD^v<>pP*X"


@own_parameters()
def draw_evolution(
    evolution: Evolution,
    layer: str,
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
    whole: bool = False,
) -> None:
    """Draws one layer of Fig. 4: a row for each map, a column for each moment; light grey is outside the image.

    Below each picture the number of its image, bold and in colour where it is another one than in the column before.
    whole: every unit sees the whole image. Raises InputError for numbers that do not match, or a path that cannot be
    written.
    """
    found, moments = evolution.layers[layer], [moment.name for moment in evolution.moments]
    maps, projections, images = found.maps, found.projections, found.images
    if projections.ndim != 5 or projections.shape[:2] != (len(maps), len(moments)) or not projections.size:
        raise InputError(f"{len(maps)} maps at {len(moments)} moments do not match projections {projections.shape}")
    if images.shape != projections.shape[:2]:
        raise InputError(f"projections {projections.shape} do not match the images {images.shape} they come from")
    if found.patches.shape != projections.shape:
        raise InputError(f"projections {projections.shape} do not match the patches {found.patches.shape} they see")
    count, columns, height, width, _ = projections.shape
    gap = math.ceil(width / 12)
    width_in = min(TEXT_WIDTH_IN, max(COLUMN_WIDTH_IN, 0.85 * columns + 0.35))
    inch = columns * (width + gap) / (width_in - 0.35)  # pixels of the mosaic
    margin, line = math.ceil(0.35 * inch), math.ceil(1.6 * LABEL_PT / 72 * inch)
    pictures = rgb8(to_display(projections, percentile=percentile, patches=found.patches))
    labelled = np.pad(pictures.reshape(-1, height, width, 3), ((0, 0), (0, line), (0, 0), (0, 0)), constant_values=255)
    mosaic = np.pad(tile(labelled, columns, gap, 255), ((line, 0), (margin, 0), (0, 0)), constant_values=255)
    outside = outside_words([found.patches])
    text = f"{_evolution_caption(count, None if whole else (height, width), outside, percentile)} {caption}"
    figure, axes = page(mosaic, title=title, caption=text, width_in=width_in)
    for column, moment in enumerate(moments):
        label(axes, margin + column * (width + gap) + width / 2, 0.7 * line, moment, ha="center", weight="bold")
    for row, number in enumerate(maps):
        top = line + row * (height + line + gap)
        label(axes, 0, top + height / 2, f"map\n{number}", va="center")
        for column in range(columns):
            jumped = column > 0 and images[row, column] != images[row, column - 1]
            style = {"color": JUMP_COLOUR, "weight": "bold"} if jumped else {"color": "0.4"}
            text = "silent" if images[row, column] < 0 else f"{images[row, column]}"
            middle = margin + column * (width + gap) + width / 2
            label(axes, middle, top + height + 0.7 * line, text, ha="center", **style)
    save(figure, path)


def _evolution_caption(count: int, window: tuple[int, int] | None, outside: str, percentile: float) -> str:
    field = f"receptive field {window[0]}×{window[1]} px" if window else "the whole image"
    return (
        f"Rows: {count} maps. Columns: moments of the training. For each the strongest activation over all images, "
        f"projected down to pixels, {field}; mid-grey is zero{outside}, contrast enhanced: "
        f"each picture scaled by the {percentile:g} percentile of its non-zero magnitudes. Below each: number of the "
        "image it comes from, bold and orange where that is another one than in the column before."
    )


@own_parameters()
def draw_convergence(evolution: Evolution, path: str | Path, *, title: str, caption: str) -> None:
    """Draws two curves for each layer: similarity to the end at each epoch, and share of jumps between.

    Raises InputError for curves of other lengths, or a path that cannot be written.
    """
    epochs, threshold = [moment.epoch for moment in evolution.moments], evolution.threshold
    for layer, found in evolution.layers.items():
        if (len(found.similarity), len(found.jumps)) != (len(epochs), len(epochs) - 1):
            raise InputError(f"{layer}: curves of {len(found.similarity)} and {len(found.jumps)} do not fit {epochs}")
    text = (
        "Left: Pearson's correlation, over a sample of images, of each map's maximum with its maximum at the end, "
        f"averaged over the maps; dashed: {threshold:g}. Right: share of the maps whose strongest image is another one "
        f"than at the moment before. {caption}"
    )
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(2.2, title=title, caption=text)
        left, right = part.subplots(1, 2, gridspec_kw={"left": 0.07, "right": 0.9, "bottom": 0.18, "top": 0.9})
        for (layer, found), marker in zip(evolution.layers.items(), itertools.cycle(MARKERS), strict=False):
            left.plot(epochs, found.similarity, marker=marker, markersize=3, label=layer)
            right.plot(epochs[1:], found.jumps, marker=marker, markersize=3, label=layer)
        left.axhline(threshold, color="0.6", linewidth=0.6, linestyle="--", zorder=0)
        left.set(title="Similarity to the end", xlabel="epoch", ylabel="mean correlation", ylim=(None, 1.03))
        right.set(title="Maps that jumped to another image", xlabel="epoch", ylim=(-0.03, 1.03))
        right.yaxis.set_major_formatter(PercentFormatter(1.0))
        for axes in (left, right):
            _epoch_axis(axes, epochs)
        right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.5)
        save(figure, path)


def _epoch_axis(axes: Axes, epochs: Sequence[float]) -> None:
    """Logarithmic, as the paper's choice of epochs is."""
    axes.set_xscale("log")
    roomy = [following > 1.15 * epoch for epoch, following in zip(epochs, epochs[1:], strict=False)] + [True]
    labels = [f"{epoch:.3g}" if fits else "" for epoch, fits in zip(epochs, roomy, strict=True)]
    axes.set_xticks(epochs, labels)
    axes.set_xticks([], minor=True)
