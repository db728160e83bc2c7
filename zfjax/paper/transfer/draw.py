"""Fig. 9: accuracy on another data set, as a curve over training images a class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import matplotlib

from zfjax.draw.page import CHART_STYLE, chart, own_parameters, save
from zfjax.errors import InputError
from zfjax.paper.transfer.table import Row

MARKERS = "osD^vP*X"


@own_parameters()
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
    Raises InputError when there is nothing to draw, or for a path that cannot be written.
    """
    if not any(ours.values()):
        raise InputError("no accuracies to draw")
    marks = "Bars: one standard deviation over folds. "
    if paper:
        marks += (
            f"Grey, dashed: printed in the paper ({paper_name}), whose pretrained network had learnt ImageNet 2012. "
        )
    figure, part = chart(3.2, title=title, caption=f"Mean of the accuracies of all classes. {marks}{caption}")
    with matplotlib.rc_context(CHART_STYLE):
        axes = part.subplots()
        part.subplots_adjust(left=0.07, right=0.72, bottom=0.13, top=0.97)
        for number, (name, row) in enumerate((paper or {}).items()):
            _curve(axes, row, f"paper: {name}", color="0.6", fmt=MARKERS[number % len(MARKERS)] + "--", mfc="white")
        for name, row in ours.items():
            _curve(axes, row, name, **_style(name, list(ours)))
        counts = sorted({count for row in (*ours.values(), *(paper or {}).values()) for count in row})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_xlim(0, max(counts) * 1.05)
        axes.set_ylim(0, 100)
        axes.grid(axis="y", color="0.9", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel("training images a class")
        axes.set_ylabel("accuracy, %")
        handles, names = axes.get_legend_handles_labels()
        first = len(paper or {})  # drawn below ours, named below them too
        handles, names = handles[first:] + handles[:first], names[first:] + names[:first]
        axes.legend(handles, names, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0)
        save(figure, path)


def _style(name: str, names: list[str]) -> dict[str, str]:
    """One colour and marker a layer, one kind of line a classifier, of names like "svm (pool5)"; others in grey."""
    kinds, layers = (list(dict.fromkeys(each.partition(" (")[part] for each in names)) for part in (0, 2))
    kind, _, layer = name.partition(" (")
    if not layer:  # no layer's, as from scratch
        return {"color": "0.4", "fmt": "x-."}
    place = layers.index(layer)
    line = ("-", ":", "-.", "--")[kinds.index(kind) % 4]
    return {"color": f"C{place % 7}", "fmt": MARKERS[place % len(MARKERS)] + line}


def _curve(axes, row: Row, name: str, **style) -> None:
    spread = [0 if deviation is None or math.isnan(deviation) else deviation for _, deviation in row.values()]
    means = [mean for mean, _ in row.values()]
    axes.errorbar(list(row), means, yerr=spread, label=name, markersize=3.5, capsize=2, elinewidth=0.8, **style)
