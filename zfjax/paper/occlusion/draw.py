"""Fig. 7: an image under a wandering square: its strongest map, the probability of its class, the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import SubFigure
from matplotlib.patches import Patch, Rectangle

from zfjax.draw.page import CAPTION_PT, CHART_STYLE, LABEL_PT, TEXT_WIDTH_IN, chart, digits, own_parameters, save
from zfjax.draw.ramps import colours
from zfjax.draw.tiles import PERCENTILE, outside_words, rgb8, show_patch, tile, to_display
from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.paper.occlusion.measure import Occlusion
    from zfjax.paper.top_activations import FeatureMap

HEADS = ("(a) image and square", "(b) strongest map", "(c) its projections", "(d) probability of class", "(e) answer")
GAP_IN = 0.1
CELL_IN = (TEXT_WIDTH_IN - 4 * GAP_IN) / 5
TOP_IN, ABOVE_IN, BELOW_IN = 0.18, 0.17, 0.5  # heads of the columns; label above a panel; bar or legend below it
HEAT = "viridis"
OTHER = "#BBBBBB"  # answers that are too few for a colour of their own
SHOWN_CLASSES = 5


@own_parameters()
def draw_occlusion(
    images: Sequence[Occlusion],
    others: Sequence[FeatureMap],
    names: Sequence[str],
    class_names: Sequence[str],
    path: str | Path,
    *,
    title: str,
    caption: str,
    percentile: float = PERCENTILE,
) -> None:
    """Draws Fig. 7, a row an image, its five panels a to e.

    others: of each image its map's strongest activations in other images, of `strongest_elsewhere`. names: of the
    images. caption: where they come from; it follows a description of what is drawn. percentile: of a projection's
    non-zero magnitudes, what is drawn as full black or white. Raises InputError for unequal numbers.
    """
    if not len(images) == len(others) == len(names) > 0:
        raise InputError(f"{len(images)} images have {len(names)} names and projections from {len(others)}")
    row_in = ABOVE_IN + CELL_IN + BELOW_IN
    height_in = TOP_IN + row_in * len(images)
    with matplotlib.rc_context(CHART_STYLE):
        outside = outside_words([*(each.patch for each in images), *(each.patches for each in others)])
        figure, part = chart(height_in, title=title, caption=f"{_caption(percentile, outside)} {caption}")
        for place, (image, elsewhere, name) in enumerate(zip(images, others, names, strict=True)):
            top = TOP_IN + place * row_in + ABOVE_IN
            axes = [_panel(part, column, top, height_in) for column in range(5)]
            label = image.whole_probabilities[image.label]
            _picture(axes[0], image, f"{_short(class_names[image.label], 14)} ({_short(name, 14)})")
            activity, own = image.activity, image.whole_activity
            ends = min(float(activity.min()), own), max(float(activity.max()), own)
            _heat(axes[1], image, activity, own, ends, f"map {image.channel}; uncovered {digits(own)}")
            _projections(axes[2], image, elsewhere, percentile)
            probability = image.probabilities[..., image.label]
            least = f"{_short(class_names[image.label], 12)}: {label:.2f}, covered {probability.min():.2f}"
            _heat(axes[3], image, probability, label, (0.0, 1.0), least)
            _answers(axes[4], image, class_names)
            if place == 0:
                for each, head in zip(axes, HEADS, strict=True):
                    each.text(0.5, 1 + ABOVE_IN / CELL_IN, head, fontsize=CAPTION_PT, **_centred(each))
        save(figure, path)


def _panel(part: SubFigure, column: int, top: float, height: float) -> Axes:
    """Square axes at a place of the part, in inches from its top."""
    left = column * (CELL_IN + GAP_IN)
    axes = part.add_axes(
        (left / TEXT_WIDTH_IN, 1 - (top + CELL_IN) / height, CELL_IN / TEXT_WIDTH_IN, CELL_IN / height)
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _centred(axes: Axes) -> dict:
    return {"ha": "center", "va": "bottom", "transform": axes.transAxes}


def _above(axes: Axes, text: str) -> None:
    axes.text(0.5, 1.03, text, fontsize=LABEL_PT, color="0.2", **_centred(axes))


def _picture(axes: Axes, image: Occlusion, name: str) -> None:
    axes.imshow(rgb8(show_patch(image.covered)), interpolation="antialiased")
    _above(axes, name)


def _heat(axes: Axes, image: Occlusion, values: np.ndarray, whole: float, ends: tuple[float, float], name: str) -> None:
    """A map of the square's places over the extent of the image, and its scale, from end to end, below."""
    low, high = ends
    high = high if high > low else low + 1e-6
    shown = axes.imshow(values, cmap=colours(HEAT), vmin=low, vmax=high, extent=_extent(image), interpolation="nearest")
    _fit(axes, image)
    _above(axes, name)
    bar = axes.inset_axes((0.08, -0.11, 0.84, 0.05))
    axes.figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[low, high])
    bar.set_xticks(
        [low, high], [f"{end:g}" if end in (0, 1) else digits(end) for end in (low, high)], fontsize=LABEL_PT
    )
    bar.tick_params(length=1.5, width=0.4, pad=1)
    bar.axvline(whole, color="#D55E00", linewidth=1.2)


def _projections(axes: Axes, image: Occlusion, others: FeatureMap, percentile: float) -> None:
    height, width = image.projection.shape[:2]
    projections = np.concatenate([image.projection[None], others.projections])
    patches = np.concatenate([image.patch[None], others.patches])
    pictures = rgb8(to_display(projections, percentile=percentile, patches=patches))
    gap = max(1, width // 20)
    columns = int(np.ceil(np.sqrt(len(pictures))))
    axes.imshow(tile(pictures, columns, gap, 255), interpolation="antialiased")
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, linewidth=1.5, clip_on=False))
    if len(pictures) == 1:
        _above(axes, "no other image")


def _answers(axes: Axes, image: Occlusion, class_names: Sequence[str]) -> None:
    """The most probable class of each place; the class that is followed first, then the most frequent."""
    answers = image.probabilities.argmax(axis=-1)
    counts = np.bincount(answers.ravel(), minlength=len(class_names))
    ranked = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label] and label != image.label]
    chosen, rest = [image.label, *ranked[:SHOWN_CLASSES]], ranked[SHOWN_CLASSES:]
    palette = [*CHART_STYLE["axes.prop_cycle"].by_key()["color"][: len(chosen)], OTHER]
    codes = np.full(len(class_names), len(chosen))
    codes[chosen] = np.arange(len(chosen))
    colouring = {"cmap": ListedColormap(palette), "vmin": -0.5, "vmax": len(palette) - 0.5}
    axes.imshow(codes[answers], extent=_extent(image), interpolation="nearest", **colouring)
    _fit(axes, image)
    entries = [(colour, class_names[label]) for colour, label in zip(palette, chosen, strict=False) if counts[label]]
    entries += [(OTHER, f"{len(rest)} others")] if rest else []
    columns, letters = (1, 16) if len(entries) <= 4 else (2, 11)
    handles = [Patch(color=colour, label=_short(name, letters)) for colour, name in entries]
    place = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.02), "borderaxespad": 0, "fontsize": LABEL_PT}
    compact = {"handlelength": 0.8, "handleheight": 0.8, "handletextpad": 0.3, "labelspacing": 0.15, "borderpad": 0}
    axes.legend(handles=handles, ncols=columns, columnspacing=0.6, **place, **compact)


def _short(name: str, length: int = 16) -> str:
    """What fits above a panel: names of ImageNet's classes are up to a hundred letters long."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _extent(image: Occlusion) -> tuple[float, float, float, float]:
    """Of a map, in pixels of the image: each value fills the places nearest to its square's centre."""
    side = image.image.shape[0]
    edges = []
    for places in (image.columns, image.rows):
        half = (places[1] - places[0]) / 2 if len(places) > 1 else side / 2
        edges.append((places[0] - half, places[-1] + half))
    (left, right), (top, bottom) = edges
    return left, right, bottom, top


def _fit(axes: Axes, image: Occlusion) -> None:
    """The axes span the image, so that maps and pictures lie side by side at one scale."""
    height, width = image.image.shape[:2]
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _caption(percentile: float, outside: str) -> str:
    return (
        "(a) the image with the square where it makes the class least probable; (b) the sum of the map with the "
        "largest activation in the uncovered image, for every place of the square's centre; (c) that map's strongest "
        "activation in this image (black frame) and in other images, projected down to pixels, mid-grey is zero"
        f"{outside}, each scaled by the {percentile:g} percentile of its non-zero magnitudes; (d) the probability of "
        "the class in the label, from 0 to 1: of the image as it is, and the least that covering leaves; (e) the most "
        "probable class, blue where it is that of (d). Each map of (b) has its own scale; the orange line on a scale "
        "is the value without a square."
    )
