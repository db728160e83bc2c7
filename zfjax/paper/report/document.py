"""A report as data, and its two forms: Markdown beside its pictures, and one HTML page that holds everything."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import jinja2

from zfjax.draw.markdown import Table, literal
from zfjax.runtime.files import write_text
from zfjax.terminal import visible

Verdict = Literal["holds", "does not hold", "not testable here"]


@dataclass(frozen=True)
class Picture:
    """A file below the report's folder, as a relative path, and what it shows."""

    path: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One figure or table of the paper, done again. measures: the numbers that claims are judged by."""

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    measures: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper as an inequality, with what came out here."""

    claim: str
    inequality: str
    measured: str
    verdict: Verdict


@dataclass(frozen=True)
class Document:
    """conditions: name -> value, what the numbers depend on (data, sizes, epochs, machine, versions). remark: what a
    reader of the claims must know."""

    title: str
    conditions: dict[str, str]
    claims: tuple[Claim, ...]
    sections: tuple[Section, ...]
    remark: str = ""


def section_from_dict(stored: dict) -> Section:
    """The inverse of `dataclasses.asdict` after a way through JSON."""
    tables = map(_table, stored["tables"])
    pictures = tuple(Picture(**picture) for picture in stored["pictures"])
    return Section(stored["title"], stored["text"], tuple(tables), pictures, stored["measures"])


def _table(stored: dict) -> Table:
    note = stored["note"]
    sentences = (note,) * bool(note) if isinstance(note, str) else tuple(note)  # earlier versions wrote one text
    return Table(stored["title"], tuple(stored["columns"]), tuple(map(tuple, stored["rows"])), sentences)


def write_report(document: Document, folder: Path) -> tuple[Path, Path]:
    """Writes report.md and report.html into the folder that the pictures are in; returns their paths."""
    mime = {".png": "image/png", ".svg": "image/svg+xml"}

    def embedded(path: str) -> str:
        data = base64.b64encode((folder / path).read_bytes()).decode()
        return f"data:{mime[Path(path).suffix]};base64,{data}"

    loader = jinja2.PackageLoader("zfjax.paper.report")
    options = {"loader": loader, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    written = []
    # Whatever is put into a template goes through these: tags and quotes of HTML are escaped after that.
    for name, escape, shown in (("report.md", False, literal), ("report.html", True, visible)):
        environment = jinja2.Environment(autoescape=escape, finalize=functools.partial(_texts, shown), **options)
        environment.filters |= {"embedded": embedded, "counts": _counts, "quote": quote}
        environment.tests["of_the_paper"] = lambda column: column.startswith("paper")
        text = environment.get_template(f"{name}.jinja").render(document=document)
        write_text(folder / name, text)
        written.append(folder / name)
    return tuple(written)


def _texts(shown: Callable[[str], str], value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value  # an absent remark is none of Jinja's texts


def _counts(claims: Sequence[Claim]) -> str:
    """ "5 hold, 2 do not hold, 2 not testable here"."""
    said = {"holds": "hold", "does not hold": "do not hold", "not testable here": "not testable here"}
    numbers = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in said}
    return ", ".join(f"{number} {said[verdict]}" for verdict, number in numbers.items() if number)
