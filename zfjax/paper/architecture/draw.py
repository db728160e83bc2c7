"""A network drawn as in Fig. 3: stacks of maps, above each what the layer does, below it what comes out.

Blocks stand in the order of the table. One that reads its left neighbour has a cone to it; lines above the row lead to
those that read others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.textpath import text_to_path

from zfjax.arch import Arch
from zfjax.draw.fonts import FONT
from zfjax.draw.page import COLUMN_WIDTH_IN, LABEL_PT, LINE_IN_PER_PT, TEXT_WIDTH_IN, chart, own_parameters, save
from zfjax.paper.architecture.layout import EDGE_IN, LABEL_GAP_IN, TRACK_IN, Placed, Strip, length, spread, strips_of
from zfjax.paper.architecture.measure import Block, blocks, describe

COLOURS = {
    "image": "#C8C8C8",
    "conv": "#9AD0F2",
    "pool": "#7FCDB5",
    "dense": "#F2CC7D",
    "join": "#E3B7D3",
    "point": "#E8E4DC",
}
LINE_COLOURS = (
    "0.35",
    "#0072B2",
    "#CC79A7",
    "#009E73",
    "#8C6D31",
    "#6A51A3",
)  # in turn, to follow lines where they cross
WINDOW = "#D55E00"  # the filter on the maps before, and what it sees: a strong colour on the light ones
LINE_IN = LABEL_PT * LINE_IN_PER_PT
LARGEST_IN, SMALLEST_IN = 0.72, 0.14  # sides of maps as drawn
SHEET_IN, BAR_IN = 0.018, 0.07  # from one map of a stack to the next; width of a fully connected layer
ROW_GAP_IN, TURN_IN = 0.12, 0.2  # between rows; at their ends for the arrow from one to the next
DOT_IN, ASIDE_IN = 0.022, 0.05  # of lines above a row: their ends, which lie beside the middle of a block
BELOW_LINES = 4  # name, size, number, parameters


@own_parameters()
def draw_architecture(arch: Arch, path: str | Path, *, title: str, caption: str) -> None:
    """Draws a network as in Fig. 3. caption: which one; it follows a description of what is drawn.

    Raises InputError for a path that cannot be written.
    """
    save(architecture_figure(arch, title=title, caption=caption), path)


@own_parameters()
def architecture_figure(arch: Arch, *, title: str, caption: str) -> Figure:
    """The figure that `draw_architecture` saves: one row as wide as a page if it fits, else as many as it takes."""
    strips = strips_of([_place(block, arch.image_size) for block in blocks(arch)], TEXT_WIDTH_IN, 2 * TURN_IN)
    narrow = len(strips) == 1 and length(strips[0].blocks) <= COLUMN_WIDTH_IN
    width_in = COLUMN_WIDTH_IN if narrow else TEXT_WIDTH_IN
    heights = [sum(strip.extent) for strip in strips]
    total = sum(heights) + ROW_GAP_IN * (len(strips) - 1)
    figure, part = chart(total, title=title, caption=f"{describe(arch)} {caption}", width_in=width_in)
    axes = part.add_axes((0, 0, 1, 1), xlim=(0, width_in), ylim=(0, total))
    axes.set_axis_off()
    top = total
    for number, (strip, height) in enumerate(zip(strips, heights, strict=True)):
        room = width_in if len(strips) == 1 else width_in - 2 * TURN_IN
        placed = strip._replace(blocks=spread(strip.blocks, room, width_in / 2))
        _draw_row(axes, placed, top, arch.image_size)
        _draw_tracks(axes, placed, top - strip.extent[0], width_in)
        goes_on = number + 1 < len(strips) and strips[number + 1].reads(0)
        _draw_turns(axes, placed.blocks, top - strip.extent[0], begins=strip.reads(0), goes_on=goes_on)
        top -= height + ROW_GAP_IN
    return figure


def _place(block: Block, image_size: int) -> Placed:
    *sizes, maps = block.shape
    around = (LINE_IN * len(block.above), LINE_IN * BELOW_LINES)
    texts = [*block.above, *block.below, f"{block.params:,}"]
    labels = max(_text_width(block.name, "bold"), *map(_text_width, texts))
    if block.kind == "dense":
        height = max(SMALLEST_IN, 0.25 * math.log10(maps))
        return Placed(block, (BAR_IN, height), BAR_IN, height, *around, max(BAR_IN, labels) / 2)
    tall, wide = (_drawn(size, image_size) for size in sizes)
    width, height = (side + SHEET_IN * (_sheets(block) - 1) for side in (wide, tall))
    return Placed(block, (wide, tall), width, height, *around, max(width, labels) / 2)


def _drawn(size: int, image_size: int) -> float:
    return max(SMALLEST_IN, LARGEST_IN * math.sqrt(size / image_size))


def _sheets(block: Block) -> int:
    maps = block.shape[2]
    return maps if block.kind == "image" else 1 + round(math.log2(maps))


def _text_width(text: str, weight: str = "normal") -> float:
    font = FontProperties(family=FONT, size=LABEL_PT, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def _draw_row(axes: Axes, strip: Strip, top: float, image_size: int) -> None:
    up, down = strip.extent
    for each in strip.blocks:
        _draw_block(axes, each, top - up)
        _draw_labels(axes, each, top - up + each.height / 2 + LABEL_GAP_IN, top - up - down)
    for place, (before, after) in enumerate(pairwise(strip.blocks), start=1):
        if strip.reads(place):
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
        axes.add_patch(Rectangle(place, *placed.front, **style))


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
    tall, wide = (LARGEST_IN * math.sqrt(size / image_size) for size in after.block.window)
    wide, tall = min(before.front[0], wide), min(before.front[1], tall)
    x, y = x + 0.7 * (before.front[0] - wide), y + 0.5 * (before.front[1] - tall)
    unit = (left + 0.2 * after.front[0], bottom + 0.5 * after.front[1])
    style = {"facecolor": (1, 1, 1, 0.5), "edgecolor": WINDOW, "linewidth": 0.6, "zorder": 3}
    axes.add_patch(Rectangle((x, y), wide, tall, **style))
    cone = [(x + wide, y), unit, (x + wide, y + tall)]
    axes.add_patch(Polygon(cone, **{**style, "facecolor": "none", "linewidth": 0.4}))


def _draw_tracks(axes: Axes, strip: Strip, middle: float, width_in: float) -> None:
    """The lines above a row: up from a dot above each block that is read, and down to those that read it. What goes on
    in another row runs to the edge of the page."""
    blocks, first = strip.blocks, strip.start
    base = max(each.top(middle) for each in blocks)
    for number, line, level in strip.tracks:
        height, colour = base + TRACK_IN * (level + 1), LINE_COLOURS[number % len(LINE_COLOURS)]
        style = {"color": colour, "linewidth": 0.6, "solid_capstyle": "butt", "zorder": 4}
        ends = []
        for places, side in ((line.sources, ASIDE_IN), (line.targets, -ASIDE_IN)):
            for each in (blocks[place - first] for place in places if 0 <= place - first < len(blocks)):
                x, y = each.centre + side, each.top(middle)
                axes.plot([x, x], [y, height], **style)
                if side > 0:
                    axes.add_patch(Circle((x, y + DOT_IN / 2), DOT_IN, color=colour, linewidth=0, zorder=4))
                else:
                    tip = [(x, y), (x - DOT_IN, y + 2 * DOT_IN), (x + DOT_IN, y + 2 * DOT_IN)]
                    axes.add_patch(Polygon(tip, color=colour, linewidth=0, zorder=4))
                ends.append(x)
        left, right = line.ends
        ends += [EDGE_IN] * (left < first - 0.5) + [width_in - EDGE_IN] * (right > first + len(blocks) - 0.5)
        axes.plot([min(ends), max(ends)], [height, height], **style)


def _draw_turns(axes: Axes, row: Sequence[Placed], middle: float, *, begins: bool, goes_on: bool) -> None:
    """Arrows into a row from the end of the one before, and out of its own."""
    left, right = row[0].centre - row[0].width / 2, row[-1].centre + row[-1].width / 2
    style = {"length_includes_head": True, "width": 0.004, "head_width": 0.05, "head_length": 0.06, "color": "0.5"}
    for start, drawn in ((left - TURN_IN + 0.02, begins), (right + 0.03, goes_on)):
        if drawn:
            axes.arrow(start, middle, TURN_IN - 0.05, 0, **style)
