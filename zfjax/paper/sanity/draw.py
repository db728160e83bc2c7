"""The tests of explanations as one picture: how maps forget with the network, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from zfjax.draw.page import CAPTION_PT, CHART_STYLE, LABEL_PT, chart, own_parameters, save
from zfjax.paper.sanity.table import Means, named
from zfjax.terminal import visible

CURVES = {"rank": "rank correlation", "size": "rank correlation of sizes", "ssim": "SSIM of sizes"}
DOTS = {"deletion": "deletion (low)", "insertion": "insertion (high)", "inside": "in the box (high)"}
DOTS |= {"drop": "drop (low)", "classes": "other classes (low)", "edges": "edges (low)"}
LINES = ("-", "--", ":")


@own_parameters()
def draw_sanity(
    means: Means, titles: dict[str, str], layers: Sequence[str], path: str | Path, *, title: str, caption: str
) -> None:
    """Draws what tests of explanations came to (Adebayo et al. 2018, arXiv 1810.03292): above, curves of how alike a
    method's maps stay while a network's layers are drawn anew from the top; below, a dot for each method and test.

    means: {method or baseline: {measure: (mean, low, high)}}, low to high being a 95 % interval. Measures:
    "rank:LAYER", "size:LAYER" and "ssim:LAYER", the likeness once all layers from the top down to LAYER are new, -1 to
    1; and "deletion", "insertion", "inside", "drop", "classes", "edges", of which those are drawn that any method has.
    A method without the former has dots alone. titles: {method: what the picture calls it}. layers: names, the top one
    first. caption: which network and images; it follows a description of what is drawn. Raises InputError for a path
    that cannot be written.
    """
    dots = {measure: head for measure, head in DOTS.items() if any(measure in row for row in means.values())}
    curves = [method for method, row in means.items() if named("rank:LAST", layers) in row]
    above_in, below_in = 2.6, 0.35 + 0.16 * len(means)
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(above_in + below_in, title=title, caption=f"{_caption()} {caption}")
        halves = part.add_gridspec(2, 1, height_ratios=(above_in, below_in), hspace=0)
        upper, lower = (part.add_subfigure(half) for half in (halves[0], halves[1]))
        axes = upper.subplots(1, len(CURVES), sharey=True)
        upper.subplots_adjust(left=0.06, right=0.99, top=0.93, bottom=0.38, wspace=0.08)
        for each, (kind, head) in zip(axes, CURVES.items(), strict=True):
            _curves(each, kind, head, {method: means[method] for method in curves}, titles, layers)
        upper.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=7, fontsize=LABEL_PT)
        axes = lower.subplots(1, len(dots), sharey=True)
        lower.subplots_adjust(left=0.15, right=0.99, top=1 - 0.2 / below_in, bottom=0.22 / below_in, wspace=0.12)
        for each, (measure, head) in zip(np.atleast_1d(axes), dots.items(), strict=True):
            _dots(each, measure, head, means, titles)
        save(figure, path)


def _curves(axes: Axes, kind: str, head: str, means: Means, titles: dict[str, str], layers: Sequence[str]) -> None:
    places = np.arange(len(layers) + 1)
    colours = CHART_STYLE["axes.prop_cycle"].by_key()["color"]
    styles = [(colour, line) for line in LINES for colour in colours]
    for (method, row), (colour, line) in zip(means.items(), cycle(styles)):  # noqa: B905
        values = np.array([(1.0, 1.0, 1.0), *(row[f"{kind}:{layer}"] for layer in layers)])
        axes.plot(places, values[:, 0], line, color=colour, linewidth=0.9, label=titles.get(method, method))
        axes.fill_between(places, values[:, 1], values[:, 2], color=colour, alpha=0.12, linewidth=0)
    axes.axhline(0, color="0.7", linewidth=0.4)
    axes.set_title(head)
    axes.set_xticks(places, ["as learnt", *map(visible, layers)], rotation=60, ha="right", rotation_mode="anchor")


def _dots(axes: Axes, measure: str, head: str, means: Means, titles: dict[str, str]) -> None:
    for place, row in enumerate(means.values()):
        mean, low, high = row.get(measure, (np.nan,) * 3)
        if not np.isnan(mean):
            axes.plot([low, high], [place, place], color="0.5", linewidth=0.8)
            axes.plot([mean], [place], "o", color=CHART_STYLE["axes.prop_cycle"].by_key()["color"][0], markersize=2.5)
    axes.set_title(head, fontsize=CAPTION_PT)
    axes.set_yticks(range(len(means)), [visible(titles.get(method, method)) for method in means])
    axes.set_ylim(len(means) - 0.5, -0.5)
    axes.grid(axis="y", color="0.92", linewidth=0.4)


def _caption() -> str:
    return (
        "Above: likeness of each method's map to the map of the same network whose layers, from the top down to the "
        "one named, were initialised anew; a map that still looks the same at the right shows the image, not what was "
        "learnt. Below: what the maps mark, as the table beside this picture defines it. Dots and curves are means "
        "over images, lines and bands 95 % intervals of the mean (bootstrap over images)."
    )
