"""Where the blocks of Fig. 3 stand on the page, and the lines that lead from one to those that do not follow it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from zfjax.paper.architecture.measure import Block

GAP_IN, TEXT_GAP_IN, EDGE_IN = 0.12, 0.045, 0.02  # between blocks, between labels, at the ends of a row
LABEL_GAP_IN = 0.04  # between a block and its labels
MAX_STRETCH_IN = 0.35  # between blocks, in a row that is shorter than the page
TRACK_IN, TRACK_GAP_IN = 0.09, 0.02  # of lines above a row: from one to the next, above the last
ASIDE = 0.1  # of the step between blocks: lines leave a block right of its middle and arrive left of it


class Placed(NamedTuple):
    """A block as it is drawn, in inches; centre: of the whole stack, across the page."""

    block: Block
    front: tuple[float, float]  # width and height of the front map, or of the bar of a fully connected layer
    width: float
    height: float
    above: float  # of the labels above
    below: float
    half: float  # of the width that block and labels take
    centre: float = 0.0

    def corner(self, middle: float) -> tuple[float, float]:
        """Bottom left, for a row around the line at `middle`."""
        return self.centre - self.width / 2, middle - self.height / 2

    def top(self, middle: float) -> float:
        """Where the labels above it end."""
        return middle + self.height / 2 + LABEL_GAP_IN + self.above


class Line(NamedTuple):
    """One line from some blocks to others: either one is read by all of these, or one reads all of those."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """Along the row of all blocks, in steps."""
        places = [*(source + ASIDE for source in self.sources), *(target - ASIDE for target in self.targets)]
        return min(places), max(places)


class Track(NamedTuple):
    """The part of a line that lies above one row of blocks."""

    number: int  # of the line among all
    line: Line
    level: int  # 0: the lowest


class Strip(NamedTuple):
    """One row of blocks, of which `start` is the number of the first, and the lines above it."""

    blocks: list[Placed]
    start: int
    tracks: list[Track]

    @property
    def extent(self) -> tuple[float, float]:
        """Inches that it takes above and below the middle of its blocks."""
        up = max(each.height / 2 + each.above for each in self.blocks) + LABEL_GAP_IN
        down = max(each.height for each in self.blocks) / 2 + LABEL_GAP_IN + max(each.below for each in self.blocks)
        levels = max((track.level + 1 for track in self.tracks), default=0)
        return (up + TRACK_IN * levels + TRACK_GAP_IN if levels else up), down

    def reads(self, place: int) -> bool:
        """Whether a block of the row reads the one just before it."""
        return self.start + place - 1 in self.blocks[place].block.inputs


def strips_of(placed: list[Placed], page_in: float, margins_in: float) -> list[Strip]:
    """One row if it fits a page, else as few as do between margins, of lengths as equal as can be."""
    found, strips, start = _lines([each.block for each in placed]), [], 0
    for row in _rows(placed, page_in, margins_in):
        strips.append(Strip(row, start, _tracks(found, start, start + len(row))))
        start += len(row)
    return strips


def _steps(row: Sequence[Placed]) -> list[float]:
    """Inches from each centre to the next: neither blocks nor labels may touch."""
    labels = [left.half + right.half + TEXT_GAP_IN for left, right in pairwise(row)]
    stacks = [(left.width + right.width) / 2 + GAP_IN for left, right in pairwise(row)]
    return list(map(max, labels, stacks))


def length(row: Sequence[Placed]) -> float:
    """Inches that a row takes at least."""
    return EDGE_IN + row[0].half + sum(_steps(row)) + row[-1].half + EDGE_IN


def _rows(placed: list[Placed], page_in: float, margins_in: float) -> list[list[Placed]]:
    """One row if it fits, else as few as do, of lengths as equal as can be."""
    if length(placed) <= page_in:
        return [placed]
    width = page_in - margins_in
    rows = _fill(placed, width)
    while len(narrower := _fill(placed, width)) == len(rows) and max(map(length, narrower)) <= width:
        rows, width = narrower, width - 0.05
    return rows


def _fill(placed: Sequence[Placed], width: float) -> list[list[Placed]]:
    rows = [[placed[0]]]
    for each in placed[1:]:
        if length([*rows[-1], each]) <= width:
            rows[-1].append(each)
        else:
            rows.append([each])
    return rows


def spread(row: Sequence[Placed], width: float, middle: float) -> list[Placed]:
    """The row spread over a width, about the middle of the page."""
    stretch = max(0.0, min(MAX_STRETCH_IN, (width - length(row)) / max(1, len(row) - 1)))
    steps = [step + stretch for step in _steps(row)]
    centres = [middle - (sum(steps) + row[-1].half - row[0].half) / 2]
    for step in steps:
        centres.append(centres[-1] + step)
    return [each._replace(centre=centre) for each, centre in zip(row, centres, strict=True)]


def _lines(drawn: Sequence[Block]) -> list[Line]:
    """As few as can be, from left to right: again and again of the block that most connections leave or arrive at."""
    left = [(source, target) for target, block in enumerate(drawn) for source in block.inputs if source != target - 1]
    found = []
    while left:
        shared: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for source, target in left:
            shared.setdefault(("from", source), []).append((source, target))
            shared.setdefault(("to", target), []).append((source, target))
        taken = max(shared.values(), key=len)
        sources, targets = (tuple(dict.fromkeys(places)) for places in zip(*taken, strict=True))
        found.append(Line(sources, targets))
        left = [each for each in left if each not in taken]
    return sorted(found, key=lambda line: line.ends)


def _tracks(found: Sequence[Line], start: int, stop: int) -> list[Track]:
    """What passes above the blocks start ... stop - 1, short lines below long ones, none on top of another."""
    row = (start - 0.5, stop - 0.5)
    passing = [(number, line) for number, line in enumerate(found) if _overlap(line.ends, row)]
    placed: list[Track] = []
    for number, line in sorted(passing, key=lambda each: each[1].ends[1] - each[1].ends[0]):
        taken = {other.level for other in placed if _overlap(other.line.ends, line.ends)}
        placed.append(Track(number, line, next(level for level in range(len(placed) + 1) if level not in taken)))
    return placed


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
