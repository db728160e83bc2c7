"""Fig. 9 and Tables 4, 5 and 7: accuracy on another data set, as a curve over training images and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

from zfjax.errors import InputError
from zfjax.page import CHART_STYLE, chart, save
from zfjax.paper import CALTECH101, CALTECH256, LAYERS

PAPER = {"caltech101": (4, CALTECH101), "caltech256": (5, CALTECH256)}  # number of the table, its rows
MARKERS = "osD^vP*X"
Row = Mapping[int, tuple[float, float | None]]  # training images a class -> (mean, spread), percent


def draw_transfer(
    ours: Mapping[str, Row],
    path: str | Path,
    *,
    title: str,
    caption: str,
    paper: Mapping[str, Row] | None = None,
    paper_name: str = "",
) -> None:
    """Draws accuracy against the number of training images a class (Fig. 9), one curve for each entry of `ours`.

    paper: curves as the paper prints them, in grey and dashed, named "paper: ..."; None draws ours alone.
    Raises InputError when there is nothing to draw, or for a path that won't do.
    """
    if not any(ours.values()):
        raise InputError("no accuracies to draw")
    marks = "Bars: one standard deviation over folds. "
    if paper:
        marks += (
            f"Grey, dashed: as printed in the paper ({paper_name}); another network, other images of the data set. "
        )
    figure, part = chart(3.2, title=title, caption=f"Mean of the accuracies of all classes. {marks}{caption}")
    with matplotlib.rc_context(CHART_STYLE):
        axes = part.subplots()
        part.subplots_adjust(left=0.07, right=0.72, bottom=0.13, top=0.97)
        for number, (name, row) in enumerate((paper or {}).items()):
            _curve(axes, row, f"paper: {name}", color="0.6", fmt=MARKERS[number % len(MARKERS)] + "--", mfc="white")
        for number, (name, row) in enumerate(ours.items()):
            _curve(axes, row, name, fmt=MARKERS[number % len(MARKERS)] + "-")
        counts = sorted({count for row in (*ours.values(), *(paper or {}).values()) for count in row})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_xlim(0, max(counts) * 1.05)
        axes.set_ylim(0, 100)
        axes.grid(axis="y", color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel("training images a class")
        axes.set_ylabel("accuracy, %")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0)
        save(figure, path)


def _curve(axes, row: Row, name: str, **style) -> None:
    spread = [0 if deviation is None or math.isnan(deviation) else deviation for _, deviation in row.values()]
    means = [mean for mean, _ in row.values()]
    axes.errorbar(list(row), means, yerr=spread, label=name, markersize=3.5, capsize=2, elinewidth=0.8, **style)


def transfer_table(ours: Mapping[str, Row], *, head: str) -> str:
    """A Markdown table: a row for each entry, a column for each number of training images a class."""
    counts = sorted({count for row in ours.values() for count in row})
    rows = [[name, *(show(row.get(count)) for count in counts)] for name, row in ours.items()]
    return table([head, *(f"{count} a class" for count in counts)], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown with columns of equal width, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(head, widths), _line(rule, widths), *(_line(row, widths) for row in rows)]
    return "\n".join(lines)


def show(value: tuple[float, float | None] | None) -> str:
    """ "83.8 ± 0.5", "83.8" without a spread, a dash without anything."""
    if value is None:
        return "–"
    mean, deviation = value
    return f"{mean:.1f}" if deviation is None or math.isnan(deviation) else f"{mean:.1f} ± {deviation:.1f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return f"| {first[0].ljust(first[1])} | " + " | ".join(cell.rjust(width) for cell, width in others) + " |"


def paper_tables(data: str) -> str:
    """What the paper prints for "caltech101" or "caltech256" (Table 4 or 5, and 7), as Markdown that says so."""
    number, curves = PAPER[data]
    column = list(PAPER).index(data)
    count = (30, 60)[column]
    layers = {name: {count: row[column]} for name, row in LAYERS.items()}
    head = f"the paper's numbers ({data}), %"
    return "\n\n".join(
        f"Printed in the paper, Table {place}; its networks were trained on ImageNet 2012:\n\n{rows}"
        for place, rows in (
            (number, transfer_table(curves, head=head)),
            (7, transfer_table(layers, head=f"{head}, by layer")),
        )
    )
