"""A table as text, and how files are written: whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zfjax.errors import InputError


class TextTable(NamedTuple):
    """Cells as text. Columns whose heading begins with "paper" or "tutorial" hold numbers that are not ours."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: tuple[str, ...]  # sentences


def markdown(table: TextTable) -> str:
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


def make_folder(path: Path) -> Path:
    """Raises InputError where there can be no folder."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot use {path} as a folder ({error.strerror}); give another with --out") from error
    return path


def write_text(path: Path, text: str) -> None:
    """In one stroke: whoever reads the file, even after a kill, finds the old text or the new. Raises InputError."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); give another folder with --out") from error


def write_json(path: Path, data: dict) -> None:
    write_text(path, json.dumps(data, indent=2) + "\n")


def read_json(path: Path) -> dict | None:
    """What `write_json` wrote; None where there is no such file. Raises InputError when it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove it, and it is measured again") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a JSON object, not {type(data).__name__}; remove it")
    return data
