"""Tables 4 to 7 and Fig. 9 as files: Markdown and a curve, ours apart from the paper's."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.draw.markdown import literal
from zfjax.paper.default_layers import numbered_layers
from zfjax.runtime.files import write_text
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.transfer.study import Study


def report_folds(study: Study, records: Collection[dict], about: str, theirs: str | None) -> list[Path]:
    """The table and the curve. about: where the numbers come from. theirs: whose numbers of the paper to show."""
    from zfjax.paper.transfer.draw import draw_transfer
    from zfjax.paper.transfer.measure import summarise
    from zfjax.paper.transfer.table import PAPER, paper_tables, transfer_table

    rows = {
        _name(study, *key): {count: (round(each.mean, 1), round(each.deviation, 1)) for count, each in row.items()}
        for key, row in summarise(records).items()
    }
    text = f"{literal(about)}\n\n{transfer_table(rows, head='accuracy, %, mean ± standard deviation over folds')}\n"
    if theirs:
        text += f"\n{paper_tables(theirs)}\n"
    path = study.out / "transfer.png"
    curves = {"paper": PAPER[theirs][1], "paper_name": f"Table {PAPER[theirs][0]}, {theirs}"} if theirs else {}
    draw_transfer(rows, path, title="Accuracy on other images than the network was trained on", caption=about, **curves)
    return [_write(study.out / "transfer.md", text), path]


def report_pascal(study: Study, records: Collection[dict], about: str) -> list[Path]:
    """The table of average precisions, the paper's beside them."""
    from zfjax.paper.transfer.table import pascal_table

    columns = {_name(study, each["layer"], each["classifier"]): each["precisions"] for each in records}
    text = f"{literal(about)}\n\n{pascal_table(columns, study.source.class_names)}\n"
    return [_write(study.out / "pascal.md", text)]


def _name(study: Study, layer: str, classifier: str) -> str:
    outputs = numbered_layers(study.run.arch)
    return f"{classifier} ({layer}{f', layer {outputs.index(layer) + 1}' if layer in outputs else ''})"


def _write(path: Path, text: str) -> Path:
    say("", *text.split("\n"))
    write_text(path, text, advice="give another --out")
    return path
