"""A network's table as pages are told it: names, shapes, receptive fields, and names that are safe in addresses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from zfjax.paper.patches import sees_all

if TYPE_CHECKING:
    from zfjax.arch import Arch
    from zfjax.rows import Row

_LETTERS = 60  # of a slug; names come from others and may be as long as they like
# no names of files on Windows; pins is a page, gallery.js and src lie beside what runs are called
_RESERVED = re.compile(r"pins|gallery\.js|src|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def slugs(names: Iterable[str]) -> dict[str, str]:
    """{name: a name for files and addresses}: letters, digits, "._-" alone, and unique where case does not count."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_LETTERS].strip(".-") or "layer"
        plain = f"{plain}-" if _RESERVED.fullmatch(plain) else plain
        slug, number = plain, 1
        while slug.lower() in taken:
            number += 1
            slug = f"{plain}-{number}"
        taken.add(slug.lower())
        found[name] = slug
    return found


def layer_slugs(arch: Arch, shown: Collection[str]) -> dict[str, str]:
    """{layer: its slug} of the shown ones, in the order of the table; the same whatever else is shown."""
    return {name: slug for name, slug in slugs(arch.layer_names).items() if name in shown}


def table(arch: Arch, shown: Collection[str]) -> list[dict[str, Any]]:
    """Every layer as plain data, from the image up; those that are not `shown` have the slug "" and no units.

    "field": size, stride and offset along rows and along columns, as `Arch.receptive_field` has them; None where a
    unit sees the whole image.
    """
    named = layer_slugs(arch, shown)
    return [_entry(arch, row, named.get(row.name, "")) for row in arch.rows]


def _entry(arch: Arch, row: Row, slug: str) -> dict[str, Any]:
    field = None if sees_all(arch, row.name) else [list(arch.receptive_field(row.name, axis)) for axis in (0, 1)]
    return {
        "name": row.name,
        "slug": slug,
        "kind": type(row.layer).__name__,
        "inputs": list(row.inputs),
        "shape": list(row.shape),
        "field": field,
        "parameters": row.params,
        "relu": row.layer.relu,
        "units": row.shape[2] if slug else 0,
        "dead": 0,
        "cover": [],
    }
