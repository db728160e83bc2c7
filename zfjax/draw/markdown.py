"""A table as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells as text. Columns whose heading begins with "paper" or "tutorial" hold numbers that are not ours."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: tuple[str, ...] = ()  # sentences


def markdown(table: Table) -> str:
    """Title, aligned table and notes; reads as well in a terminal."""
    notes = "\n".join(f"- {sentence}" for sentence in table.note)
    return "\n".join([f"**{table.title}**", "", aligned(table.columns, table.rows), "", notes, ""])


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of equal width, all but the first to the right."""
    cells = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    first, *others = (_line(row, widths) for row in cells)
    return "\n".join([first, rule, *others])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return f"| {first[0]:<{first[1]}} | " + " | ".join(f"{cell:>{width}}" for cell, width in rest) + " |"
