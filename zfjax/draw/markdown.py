"""A table as text, and any text as Markdown that shows it letter by letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zfjax.terminal import visible

# What begins code, a link, a column, a formula, emphasis, a tag or an entity; a lone "<", "*" or "&" between spaces,
# and an underscore within a word, do not.
_MARKS = re.compile(
    r"[`\[\]|$~]|\*(?=\S)|(?<=\S)\*|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\\(?=[^\w\s]|_)"
)


@dataclass(frozen=True)
class Table:
    """Cells as text. Columns whose heading begins with "paper" or "tutorial" hold numbers that are not ours."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: tuple[str, ...] = ()  # sentences


def literal(text: str) -> str:
    """Markdown, in one line, whose reader sees the text as it is: names in it are no tags, links, code or columns."""
    return _MARKS.sub(r"\\\g<0>", visible(text.replace("\n", " ")))


def markdown(table: Table) -> str:
    """Title, aligned table and notes; reads as well in a terminal."""
    notes = "\n".join(f"- {literal(sentence)}" for sentence in table.note)
    return "\n".join([f"**{literal(table.title)}**", "", aligned(table.columns, table.rows), "", notes, ""])


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of equal width, all but the first to the right. Cells are `literal`."""
    cells = [[literal(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    first, *others = (_line(row, widths) for row in cells)
    return "\n".join([first, rule, *others])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return f"| {first[0]:<{first[1]}} | " + " | ".join(f"{cell:>{width}}" for cell, width in rest) + " |"
