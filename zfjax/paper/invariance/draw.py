"""Fig. 5: transformed images, how far their features move, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from zfjax.draw.page import CAPTION_PT, CHART_STYLE, LABEL_PT, chart, own_parameters, save
from zfjax.draw.tiles import rgb8, show_patch, tile
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.invariance.measure import Invariance

AXES = {"shift": "shift (pixels down)", "scale": "scale (factor)", "rotation": "rotation (degrees)"}
AMOUNT = {"shift": "{} px", "scale": "×{}", "rotation": "{}°"}  # beside a row of pictures
MEAN = {"color": "black", "linewidth": 1.6}
ROW_IN = 1.5
LINES = ("-", "--", ":", "-.")  # colours come round again with another line


@own_parameters()
def draw_invariance(
    rows: dict[str, Invariance],
    names: Sequence[str],
    path: str | Path,
    *,
    title: str,
    caption: str,
    normalised: bool = False,
) -> None:
    """Draws Fig. 5: a row a transformation; the images, their distances at each layer, their probabilities.

    rows: {"shift", "scale" or "rotation": curves of N images}. names: [N], for the legend. normalised: distances are
    divided by the norm of the untransformed image's features. Raises InputError for names that do not match.
    """
    some = next(iter(rows.values()))
    if len(names) != len(some.probability):
        raise InputError(f"{len(some.probability)} images have {len(names)} names")
    layers = list(some.distances)
    text = f"{_caption(len(names), layers, normalised)} {caption}"
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(ROW_IN * len(rows) + _legend_in(len(names)), title=title, caption=text)
        styles = [{"color": colour, "linestyle": line} for line in LINES for colour in _colours()]
        styles = [styles[i % len(styles)] for i in range(len(names))]
        grid = part.subplots(len(rows), 2 + len(layers), squeeze=False, width_ratios=(1.45, *[1] * (len(layers) + 1)))
        for axes, (name, curves) in zip(grid, rows.items(), strict=True):
            _strip(axes[0], curves, styles, AMOUNT[name])
            for place, layer in enumerate(layers, start=1):
                scale = curves.norms[layer][:, None] if normalised else 1
                _curves(axes[place], curves.amounts, curves.distances[layer] / scale, styles, name)
                axes[place].set_ylim(bottom=0)
            lines = _curves(axes[-1], curves.amounts, curves.probability, styles, name)
            axes[-1].set_ylim(-0.03, 1.03)
        heads = [f"{'relative ' if normalised else ''}distance at {layer}" for layer in layers]
        for axes, head in zip(grid[0], ["images", *heads, "probability of class"], strict=True):
            axes.set_title(head, fontsize=CAPTION_PT)
        named = [*names, "mean"][: len(lines)]
        part.legend(lines, named, loc="lower center", ncols=min(3, len(named)), fontsize=LABEL_PT)
        legend = _legend_in(len(names))
        height = ROW_IN * len(rows) + legend
        part.subplots_adjust(0.05, (legend + 0.32) / height, 0.99, 1 - 0.18 / height, wspace=0.28, hspace=0.42)
        save(figure, path)


def _legend_in(images: int) -> float:
    """Inches: three entries a line, of which one is the mean's."""
    return 0.1 + 0.16 * -(-(images + (images > 1)) // 3)


def _colours() -> list[str]:
    return CHART_STYLE["axes.prop_cycle"].by_key()["color"]


def _strip(axes: Axes, curves: Invariance, styles: list[dict], unit: str) -> None:
    """The first, middle and last copies of each image in a column, framed in the colour of its curves. unit: of what
    they were transformed by."""
    count, copies, height, width, _ = curves.shown.shape
    gap = max(2, width // 12)
    pictures = rgb8(show_patch(np.swapaxes(curves.shown, 0, 1).reshape(-1, *curves.shown.shape[2:])))
    axes.imshow(tile(pictures, count, gap, 255), interpolation="antialiased")
    axes.set_axis_off()
    for place in np.ndindex(copies, count):
        corner = place[1] * (width + gap) - 0.5, place[0] * (height + gap) - 0.5
        axes.add_patch(Rectangle(corner, width, height, fill=False, linewidth=1, clip_on=False, **styles[place[1]]))
    for copy, amount in enumerate(curves.amounts[[0, len(curves.amounts) // 2, -1]]):
        y = copy * (height + gap) + height / 2
        text = unit.format(f"{amount:.3g}".replace("-", "−"))
        axes.text(-gap, y, text, ha="right", va="center", fontsize=LABEL_PT)


def _curves(axes: Axes, amounts: np.ndarray, values: np.ndarray, styles: list[dict], name: str) -> list:
    """A line an image, and of several their mean."""
    lines = [axes.plot(amounts, row, linewidth=1, **style)[0] for row, style in zip(values, styles, strict=True)]
    if len(values) > 1:
        lines += axes.plot(amounts, np.mean(values, axis=0), **MEAN)
    axes.set_xlabel(AXES[name], labelpad=1)
    axes.margins(x=0.02)
    if name == "rotation":
        axes.set_xticks([tick for tick in range(0, 361, 90) if tick <= amounts.max() + 1e-6])
    return lines


def _caption(count: int, layers: list[str], normalised: bool) -> str:
    divided = ", divided by the norm of the untransformed image's features" if normalised else ""
    return (
        f"Left: {count} images as the network sees them at the first, middle and last amount, framed in the colour of "
        f"their curves. Then the Euclidean distance between the features of the untransformed and of the transformed "
        f"image at {', '.join(layers)}{divided}, and the probability of the class in the legend."
        f"{' Black: the mean of the images.' if count > 1 else ''}"
    )
