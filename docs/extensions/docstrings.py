"""The package's docstrings for autodoc: plain sentences with `code` in them, whose parameters become a list."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"`([^`]+)`")
_MARKUP = re.compile(r"([*|_\\`])")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", _skip_field)
    return {"parallel_read_safe": True}


def process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Replaces the lines of a docstring by reStructuredText, in place."""
    parameters = _parameters(thing)
    made: list[str] = []
    for paragraph in "\n".join(lines).strip().split("\n\n"):
        if paragraph.startswith("    "):
            made += ["::", "", *(f"    {line}" for line in paragraph.splitlines()), ""]
        else:
            made += _parts(paragraph, parameters)
    if what in ("class", "exception"):
        made += _fields(thing)
    lines[:] = made


def _skip_field(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """A NamedTuple's own words on its fields are "Alias for field number 0"; their lines of source say more."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def _parameters(thing: Any) -> set[str]:
    try:
        return set(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return set()


def _parts(paragraph: str, parameters: set[str]) -> list[str]:
    """A paragraph, cut where a parameter is explained, where a new thought begins a line, and before the errors."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True)) or "(?!)"
    one = rf"(?:{names})(?: \[[^\]]*\])?"  # `bias [C]` says the shape at once
    named = rf"{one}(?:, {one})*: "
    text = re.sub(r"\.\n(?=[A-Z])|\n(?=\* )", lambda found: f"{found[0]}\n", paragraph)
    text = re.sub(rf"(?:^|(?<=\. )|(?<=\.\n))(?={named})", "\n\n", text)
    text = re.sub(r"(?<=\. )(?=Raises )", "\n\n", text)
    text = re.sub(r"^(Raises [^.]*(?:\.\S[^.]*)*\.) (?=[A-Z])", r"\1\n\n", text, flags=re.MULTILINE)
    made = []
    for part in filter(None, map(str.strip, text.split("\n\n"))):
        line = " ".join(part.split())
        if found := re.match(named, line):
            explained = ", ".join(f"**{_escaped(each)}**" for each in found[0].removesuffix(": ").split(", "))
            made += [f"* {explained}: {restructured(line[found.end() :])}", ""]
        else:
            made += [f"* {restructured(line[2:])}" if line.startswith("* ") else restructured(line), ""]
    return made


def restructured(line: str) -> str:
    """A line with `code` in it as reStructuredText, in which nothing else is markup."""
    pieces = _CODE.split(line)  # text and code in turn
    text = "".join(_escaped(piece) if i % 2 == 0 else f"\\ ``{piece}``\\ " for i, piece in enumerate(pieces))
    return re.sub(r"^([-+#•]|\(?\w+[.)])(?=\s)", r"\\\1", text)


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _fields(thing: type) -> list[str]:
    """The fields of a NamedTuple or dataclass as they stand in its source, for the shapes in their comments."""
    try:
        source = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return []
    body = ast.parse(source).body[0]
    fields = [node for node in getattr(body, "body", []) if isinstance(node, ast.AnnAssign)]
    text = source.splitlines()
    shown = [line for node in fields for line in text[node.lineno - 1 : node.end_lineno]]
    return [".. code-block:: python", "", *shown, ""] if shown else []
