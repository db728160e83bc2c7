"""A report as data, and its two forms: Markdown beside its pictures, and one HTML page that holds everything."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import quote

import jinja2

from zfjax.draw.encoded import small
from zfjax.draw.markdown import Table, literal
from zfjax.runtime.files import write_text
from zfjax.terminal import visible

Verdict = Literal["holds", "does not hold", "undecided", "not testable here"]
WIDEST_PX = (
    1984  # of a picture in the page: twice the width that the page's text has, for screens that show twice as fine
)


@dataclass(frozen=True)
class Picture:
    """A file below the report's folder, as a relative path; what it is called, and what it says under the picture."""

    path: str
    title: str
    caption: str = ""


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
    decided: str  # the interval that decided it, or why none could


@dataclass(frozen=True)
class Document:
    """conditions: name -> value, what the numbers depend on (data, sizes, epochs, machine, versions). remark: what a
    reader of the claims must know. how: how they are judged."""

    title: str
    conditions: dict[str, str]
    claims: tuple[Claim, ...]
    sections: tuple[Section, ...]
    remark: str = ""
    how: str = ""


def section_from_dict(stored: dict) -> Section:
    """The inverse of `dataclasses.asdict` after a way through JSON."""
    tables = map(_table, stored["tables"])
    pictures = tuple(map(_picture, stored["pictures"]))
    return Section(stored["title"], stored["text"], tuple(tables), pictures, stored["measures"])


def _picture(stored: dict) -> Picture:
    title = stored.get("title", stored["caption"])  # earlier versions had a caption alone
    return Picture(stored["path"], title, stored["caption"] if "title" in stored else "")


def _table(stored: dict) -> Table:
    note = stored["note"]
    sentences = (note,) * bool(note) if isinstance(note, str) else tuple(note)  # earlier versions wrote one text
    return Table(stored["title"], tuple(stored["columns"]), tuple(map(tuple, stored["rows"])), sentences)


def write_report(document: Document, folder: Path) -> tuple[Path, Path]:
    """Writes report.md and report.html into the folder that the pictures are in; returns their paths."""
    loader = jinja2.PackageLoader("zfjax.paper.report")
    options = {"loader": loader, "trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    written = []
    # Whatever is put into a template goes through these: tags and quotes of HTML are escaped after that.
    for name, escape, shown in (("report.md", False, literal), ("report.html", True, visible)):
        environment = jinja2.Environment(autoescape=escape, finalize=functools.partial(_texts, shown), **options)
        embedded = functools.partial(_embedded, folder)
        environment.filters |= {"embedded": embedded, "counts": _counts, "quote": quote}
        environment.tests["of_the_paper"] = lambda column: column.startswith("paper")
        text = environment.get_template(f"{name}.jinja").render(document=document)
        write_text(folder / name, text)
        written.append(folder / name)
    return tuple(written)


class Embedded(NamedTuple):
    """A picture within the page: its bytes as an address, and its size as it is shown, in pixels; none of a drawing."""

    address: str
    width: int | None
    height: int | None


def _embedded(folder: Path, path: str) -> Embedded:
    file = folder / path
    if file.suffix == ".svg":
        return Embedded(_address("image/svg+xml", file.read_bytes()), None, None)
    data, (width, height) = small(file, WIDEST_PX)
    return Embedded(_address("image/webp", data), width, height)


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _texts(shown: Callable[[str], str], value: Any) -> Any:
    return shown(value) if isinstance(value, str) else value  # an absent remark is none of Jinja's texts


def _counts(claims: Sequence[Claim]) -> str:
    """ "5 hold, 2 do not hold, 1 undecided, 2 not testable here"."""
    said = {verdict: verdict for verdict in get_args(Verdict)} | {"holds": "hold", "does not hold": "do not hold"}
    numbers = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in said}
    return ", ".join(f"{number} {said[verdict]}" for verdict, number in numbers.items() if number)
