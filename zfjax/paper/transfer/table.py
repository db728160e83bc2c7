"""Tables 4 to 7: accuracy on another data set, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from zfjax.draw.markdown import aligned
from zfjax.paper.numbers import CALTECH101, CALTECH256, LAYERS, PASCAL

PAPER = {"caltech101": (4, CALTECH101), "caltech256": (5, CALTECH256)}  # number of the table, its rows
Row = Mapping[int, tuple[float, float | None]]  # training images a class -> (mean, spread), percent
VOC_SYSTEMS = ("Sande et al. 2012", "Yan et al. 2012", "its network")
VOC_MEANS = (74.3, 82.2, 79.0)  # as printed


def transfer_table(ours: Mapping[str, Row], *, head: str) -> str:
    """A Markdown table: a row for each entry, a column for each number of training images a class."""
    counts = sorted({count for row in ours.values() for count in row})
    rows = [[name, *(show(row.get(count)) for count in counts)] for name, row in ours.items()]
    return aligned([head, *(f"{count} a class" for count in counts)], rows)


def pascal_table(ours: Mapping[str, Sequence[float]], names: Sequence[str]) -> str:
    """Average precision of every class in percent (Table 6) as Markdown: ours, then the paper's, said to be its own.

    ours: shares, NaN where no image tests a class. names: of the classes.
    """
    head = ["average precision, %", *(f"ours: {name}" for name in ours), *(f"paper: {name}" for name in VOC_SYSTEMS)]
    columns = [*ours.values()]
    theirs = [PASCAL.get(name, (None,) * len(VOC_SYSTEMS)) for name in names]
    pairs = [[None if value is None else (value, None) for value in printed] for printed in theirs]
    rows = [
        [name, *(_percent(column[place]) for column in columns), *map(show, printed)]
        for place, (name, printed) in enumerate(zip(names, pairs, strict=True))
    ]
    means = [_percent(float(np.nanmean(column))) for column in columns]
    rows.append(["mean", *means, *(show((value, None)) for value in VOC_MEANS)])
    note = (
        "The paper's columns are printed there (Table 6): trained on train and validation, measured on the test images."
    )
    return f"{aligned(head, rows)}\n\n{note}"


def show(value: tuple[float, float | None] | None) -> str:
    """ "83.8 ± 0.5", "83.8" without a spread, a dash without anything."""
    if value is None:
        return "–"
    mean, deviation = value
    if deviation is None or math.isnan(deviation):
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {max(f'{deviation:.1f}', f'{deviation:g}', key=len)}"  # 1.0, but 0.33 as the paper has it


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def paper_tables(data: str) -> str:
    """What the paper prints for "caltech101" or "caltech256" (Table 4 or 5, and 7), as Markdown that says so."""
    number, curves = PAPER[data]
    column = list(PAPER).index(data)
    count = (30, 60)[column]
    layers = {name: {count: row[column]} for name, row in LAYERS.items()}
    head = f"the paper's numbers ({data}), %"
    return "\n\n".join(
        f"Printed in the paper, Table {place}, whose pretrained network had learnt ImageNet 2012:\n\n{rows}"
        for place, rows in (
            (number, transfer_table(curves, head=head)),
            (7, transfer_table(layers, head=f"{head}, by layer")),
        )
    )
