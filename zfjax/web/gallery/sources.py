"""The images that units respond to: their names, their classes, and small pictures of them, each once for all units."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from zfjax.draw.tiles import rgb8
from zfjax.runtime.files import read_json, write_json
from zfjax.terminal import meter
from zfjax.web.gallery.cells import GUTTER, resized, sheet
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.formats import Format, encode, suffix
from zfjax.web.gallery.shown import Shown

CELL_PX, COLUMNS = 64, 16
_A_SHEET = COLUMNS**2


def first_of_each_look(shown: Sequence[Shown]) -> dict[tuple, Shown]:
    """{how a network is shown images: the first run of those that are shown them so}."""
    return {_look(each): each for each in reversed(shown)}


def _look(each: Shown) -> tuple:
    preprocess = each.view.run.preprocess
    return preprocess.smallest_side, preprocess.crop, preprocess.colours, preprocess.resampling


def draw_sources(
    shown: Sequence[Shown], numbers: Sequence[int], pictured: Iterable[int], format: Format, building: Building
) -> dict[str, Any]:
    """Sheets of the images `pictured` as each run's network sees them, and the names and classes of all of `numbers`,
    as the page's data. What a stop left is not read again.
    """
    kept = building.work / "sources.json"
    if (there := read_json(kept)) is not None:
        return there
    order = sorted(pictured)
    rest = sorted(set(numbers) - set(order))
    images, drawn = _draw(shown[0], order, rest, format, building)
    sheets = {_look(shown[0]): drawn}
    for look, each in first_of_each_look(shown).items():
        if look not in sheets:
            _, sheets[look] = _draw(each, order, [], format, building, folder=f"{each.slug}/")
    shape = {"cell": CELL_PX, "gutter": GUTTER, "columns": COLUMNS, "rows": COLUMNS}
    found = {**shape, "sheets": {each.slug: sheets[_look(each)] for each in shown}, "images": images}
    write_json(kept, found)
    return found


def _draw(
    each: Shown, order: list[int], rest: list[int], format: Format, building: Building, folder: str = ""
) -> tuple[dict[str, list], list[str]]:
    """Sheets of the images `order`; {number: [its place in the sheets or -1, name, class or -1]} of all, and the
    sheets' files."""
    view = each.view
    labelled = bool(view.dataset.class_names)

    def read(number: int, place: int) -> tuple[np.ndarray | None, list]:
        record = view.source[number]
        small = None
        if place >= 0:
            seen = view.run.preprocess.visible(record["image"])[None]
            small = resized(rgb8(seen / 255), (CELL_PX, CELL_PX))[0]
        label = int(record["label"]) if labelled else -1
        return small, [place, _shown(view.source.describe(number)), label]

    images, sheets, cells = {}, [], []
    both, places = [*order, *rest], [*range(len(order)), *[-1] * len(rest)]
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(read, both, places)
        bar = meter(jobs, desc="images", total=len(both), unit=" images", disable=not view.progress)
        for number, (small, facts) in zip(both, bar, strict=True):
            images[str(number)] = facts
            cells += [] if small is None else [small]
            if cells and (len(cells) == _A_SHEET or number == order[-1]):
                sheets.append(f"img/src/{folder}s{len(sheets):02d}.{suffix(format, exact=False)}")
                rows = sheet(np.stack(cells), COLUMNS)
                building.write(sheets[-1], encode(rows, format, (CELL_PX, CELL_PX), exact=False))
                cells = []
    return images, sheets


def _shown(name: str) -> str:
    """A file's name without its folders, which say how somebody's disk is laid out."""
    return Path(name).name if os.path.exists(name) else name
