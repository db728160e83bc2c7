"""The images that units respond to: their names, their classes, and small pictures of them, each once for all units."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zfjax.data import Source
from zfjax.draw.tiles import rgb8
from zfjax.preprocess import Preprocess
from zfjax.runtime.files import read_json, write_json
from zfjax.terminal import meter
from zfjax.web.gallery.cells import GUTTER, resized, sheet
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.formats import Format, encode, suffix

CELL_PX, COLUMNS = 64, 16
_A_SHEET = COLUMNS**2


def draw_sources(
    source: Source,
    preprocess: Preprocess,
    numbers: Sequence[int],
    shown: Iterable[int],
    labelled: bool,
    format: Format,
    building: Building,
    *,
    progress: bool,
) -> dict[str, Any]:
    """Sheets of the images `shown`, and the names and classes of all of `numbers`, as the page's data.

    labelled: whether their labels are classes. What a stop left is not read again.
    """
    kept = building.work / "sources.json"
    if (there := read_json(kept)) is not None:
        return there
    order = sorted(shown)
    places = {number: place for place, number in enumerate(order)}
    rest = sorted(set(numbers) - places.keys())
    images, sheets, cells = {}, [], []

    def read(number: int) -> tuple[np.ndarray | None, int, str]:
        record = source[number]
        small = None
        if number in places:
            seen = preprocess.visible(record["image"])[None]
            small = resized(rgb8(seen / 255), (CELL_PX, CELL_PX))[0]
        return small, int(record["label"]) if labelled else -1, source.describe(number)

    with ThreadPoolExecutor() as pool:
        both = [*order, *rest]
        bar = meter(pool.map(read, both), desc="images", total=len(both), unit=" images", disable=not progress)
        for number, (small, label, name) in zip(both, bar, strict=True):
            images[str(number)] = [places.get(number, -1), _shown(name), label]
            cells += [] if small is None else [small]
            if cells and (len(cells) == _A_SHEET or number == order[-1]):
                sheets.append(f"img/src/s{len(sheets):02d}.{suffix(format, exact=False)}")
                building.write(
                    sheets[-1], encode(sheet(np.stack(cells), COLUMNS), format, (CELL_PX, CELL_PX), exact=False)
                )
                cells = []
    shape = {"cell": CELL_PX, "gutter": GUTTER, "columns": COLUMNS, "rows": COLUMNS}
    found = {**shape, "sheets": sheets, "images": images}
    write_json(kept, found)
    return found


def _shown(name: str) -> str:
    """A file's name without its folders, which say how somebody's disk is laid out."""
    return Path(name).name if os.path.exists(name) else name
