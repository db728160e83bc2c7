"""A network drawn as in Fig. 3: stacks of maps, above each what the layer does, below it what comes out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon, Rectangle
from matplotlib.textpath import text_to_path

from zfjax.arch import Arch
from zfjax.draw.page import COLUMN_WIDTH_IN, FONT, LABEL_PT, LINE_IN_PER_PT, TEXT_WIDTH_IN, chart, save
from zfjax.paper.architecture.measure import Block, blocks, describe

COLOURS = {"image": "#C8C8C8", "conv": "#9AD0F2", "pool": "#7FCDB5", "dense": "#F2CC7D"}
WINDOW = "#D55E00"  # the filter on the maps before, and what it sees: a strong colour on the light ones
LINE_IN = LABEL_PT * LINE_IN_PER_PT
LARGEST_IN, SMALLEST_IN = 0.72, 0.14  # sides of maps as drawn
SHEET_IN, BAR_IN = 0.018, 0.07  # from one map of a stack to the next; width of a fully connected layer
GAP_IN, TEXT_GAP_IN, ROW_GAP_IN, EDGE_IN = 0.12, 0.045, 0.12, 0.02
TURN_IN = 0.2  # for the arrow from one row to the next
MAX_STRETCH_IN = 0.35  # between blocks, in a row that is shorter than the page
BELOW_LINES = 4  # name, size, number, parameters


class Placed(NamedTuple):
    """A block as it is drawn, in inches; centre: of the whole stack, across the page."""

    block: Block
    side: float  # of the front map; of fully connected layers the width
    width: float
    height: float
    half: float  # of the width that block and labels take
    centre: float = 0.0

    def corner(self, middle: float) -> tuple[float, float]:
        """Bottom left, for a row around the line at `middle`."""
        return self.centre - self.width / 2, middle - self.height / 2


def draw_architecture(arch: Arch, path: str | Path, *, title: str, caption: str) -> None:
    """Draws a network as in Fig. 3. caption: which one; it follows a description of what is drawn.

    Raises InputError for a path that won't do.
    """
    save(architecture_figure(arch, title=title, caption=caption), path)


def architecture_figure(arch: Arch, *, title: str, caption: str) -> Figure:
    """The figure that `draw_architecture` saves: one row as wide as a page if it fits, else as many as it takes."""
    rows = _rows([_place(block, arch.image_size) for block in blocks(arch)])
    width_in = COLUMN_WIDTH_IN if len(rows) == 1 and _length(rows[0]) <= COLUMN_WIDTH_IN else TEXT_WIDTH_IN
    heights = [sum(_extent(row)) for row in rows]
    total = sum(heights) + ROW_GAP_IN * (len(rows) - 1)
    figure, part = chart(total, title=title, caption=f"{describe(arch)} {caption}", width_in=width_in)
    axes = part.add_axes((0, 0, 1, 1), xlim=(0, width_in), ylim=(0, total))
    axes.set_axis_off()
    top = total
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        spread = _spread(row, width_in if len(rows) == 1 else width_in - 2 * TURN_IN, width_in / 2)
        _draw_row(axes, spread, top, arch.image_size)
        _draw_turns(axes, spread, top - _extent(row)[0], first=number == 0, last=number == len(rows) - 1)
        top -= height + ROW_GAP_IN
    return figure


def _place(block: Block, image_size: int) -> Placed:
    size, _, maps = block.shape
    lines = [*block.above, *block.below, f"{block.params:,}"]
    labels = max(_text_width(block.name, "bold"), *map(_text_width, lines))
    if block.kind == "dense":
        return Placed(block, BAR_IN, BAR_IN, max(SMALLEST_IN, 0.25 * math.log10(maps)), max(BAR_IN, labels) / 2)
    side = _drawn(size, image_size)
    width = side + SHEET_IN * (_sheets(block) - 1)
    return Placed(block, side, width, width, max(width, labels) / 2)


def _drawn(size: int, image_size: int) -> float:
    return max(SMALLEST_IN, LARGEST_IN * math.sqrt(size / image_size))


def _sheets(block: Block) -> int:
    maps = block.shape[2]
    return maps if block.kind == "image" else 1 + round(math.log2(maps))


def _text_width(text: str, weight: str = "normal") -> float:
    font = FontProperties(family=FONT, size=LABEL_PT, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def _steps(row: Sequence[Placed]) -> list[float]:
    """Inches from each centre to the next: neither blocks nor labels may touch."""
    labels = [left.half + right.half + TEXT_GAP_IN for left, right in pairwise(row)]
    stacks = [(left.width + right.width) / 2 + GAP_IN for left, right in pairwise(row)]
    return list(map(max, labels, stacks))


def _length(row: Sequence[Placed]) -> float:
    return EDGE_IN + row[0].half + sum(_steps(row)) + row[-1].half + EDGE_IN


def _rows(placed: list[Placed]) -> list[list[Placed]]:
    """One row if it fits, else as few as do, of lengths as equal as can be."""
    if _length(placed) <= TEXT_WIDTH_IN:
        return [placed]
    width = TEXT_WIDTH_IN - 2 * TURN_IN
    rows = _fill(placed, width)
    while len(narrower := _fill(placed, width)) == len(rows) and max(map(_length, narrower)) <= width:
        rows, width = narrower, width - 0.05
    return rows


def _fill(placed: Sequence[Placed], width: float) -> list[list[Placed]]:
    rows = [[placed[0]]]
    for each in placed[1:]:
        if _length([*rows[-1], each]) <= width:
            rows[-1].append(each)
        else:
            rows.append([each])
    return rows


def _spread(row: Sequence[Placed], width: float, middle: float) -> list[Placed]:
    """The row spread over a width, about the middle of the page."""
    stretch = max(0.0, min(MAX_STRETCH_IN, (width - _length(row)) / max(1, len(row) - 1)))
    steps = [step + stretch for step in _steps(row)]
    centres = [middle - (sum(steps) + row[-1].half - row[0].half) / 2]
    for step in steps:
        centres.append(centres[-1] + step)
    return [each._replace(centre=centre) for each, centre in zip(row, centres, strict=True)]


def _extent(row: Sequence[Placed]) -> tuple[float, float]:
    """Inches that a row takes above and below the middle of its blocks."""
    up = max(each.height / 2 + LINE_IN * len(each.block.above) for each in row)
    return up + 0.04, max(each.height for each in row) / 2 + 0.04 + LINE_IN * BELOW_LINES


def _draw_row(axes: Axes, row: Sequence[Placed], top: float, image_size: int) -> None:
    up, down = _extent(row)
    for each in row:
        _draw_block(axes, each, top - up)
        _draw_labels(axes, each, top - up + each.height / 2 + 0.04, top - up - down)
    for before, after in pairwise(row):
        _draw_link(axes, before, after, top - up, image_size)


def _draw_block(axes: Axes, placed: Placed, middle: float) -> None:
    """A stack of maps, the first one in front; a bar for a fully connected layer."""
    left, bottom = placed.corner(middle)
    style = {"facecolor": COLOURS[placed.block.kind], "edgecolor": "0.25", "linewidth": 0.4, "zorder": 2}
    if placed.block.kind == "dense":
        axes.add_patch(Rectangle((left, bottom), placed.width, placed.height, **style))
        return
    for sheet in reversed(range(_sheets(placed.block))):
        place = (left + sheet * SHEET_IN, bottom + sheet * SHEET_IN)
        axes.add_patch(Rectangle(place, placed.side, placed.side, **style))


def _draw_labels(axes: Axes, placed: Placed, above: float, below: float) -> None:
    """Line by line on whole steps: in a text of several lines the letters move them up and down."""
    block = placed.block
    style = {"fontsize": LABEL_PT, "family": FONT, "ha": "center", "va": "baseline"}
    for number, line in enumerate(reversed(block.above)):
        axes.text(placed.centre, above + LINE_IN * (number + 0.25), line, **style)
    for number, line in enumerate((block.name, *block.below), start=1):
        weight = "bold" if number == 1 else "normal"
        axes.text(placed.centre, below + LINE_IN * (BELOW_LINES - number + 0.25), line, weight=weight, **style)
    if block.params:
        axes.text(placed.centre, below + LINE_IN * 0.25, f"{block.params:,}", color="0.4", **style)


def _draw_link(axes: Axes, before: Placed, after: Placed, middle: float, image_size: int) -> None:
    """From a window to the unit that it makes; from all there is to a fully connected layer."""
    (x, y), (left, bottom) = before.corner(middle), after.corner(middle)
    if not after.block.window:
        edge = x + before.width
        ends = [(edge, y), (left, bottom), (left, bottom + after.height), (edge, y + before.height)]
        axes.add_patch(Polygon(ends, facecolor="0.93", linewidth=0))  # without an edge, which would cross labels
        return
    side = min(before.side, LARGEST_IN * math.sqrt(after.block.window / image_size))
    x, y = x + 0.7 * (before.side - side), y + 0.5 * (before.side - side)
    unit = (left + 0.2 * after.side, bottom + 0.5 * after.side)
    style = {"facecolor": (1, 1, 1, 0.5), "edgecolor": WINDOW, "linewidth": 0.6, "zorder": 3}
    axes.add_patch(Rectangle((x, y), side, side, **style))
    cone = [(x + side, y), unit, (x + side, y + side)]
    axes.add_patch(Polygon(cone, **{**style, "facecolor": "none", "linewidth": 0.4}))


def _draw_turns(axes: Axes, row: Sequence[Placed], middle: float, *, first: bool, last: bool) -> None:
    """Arrows out of a row's end and into the next."""
    left, right = row[0].centre - row[0].width / 2, row[-1].centre + row[-1].width / 2
    style = {"length_includes_head": True, "width": 0.004, "head_width": 0.05, "head_length": 0.06, "color": "0.5"}
    for start, drawn in ((left - TURN_IN + 0.02, not first), (right + 0.03, not last)):
        if drawn:
            axes.arrow(start, middle, TURN_IN - 0.05, 0, **style)
