"""The pictures of all units of a layer: strips of the top nine, of lower rows, and sheets of covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zfjax.arch import Arch
from zfjax.data import Source
from zfjax.descent import Norm
from zfjax.ops import Overlap
from zfjax.paper.patches import sees_all, window_of
from zfjax.paper.top_activations import FeatureMap, Winners, project_winners
from zfjax.runs.run import Run
from zfjax.terminal import meter
from zfjax.web.gallery.cells import BLANK, GUTTER, Cell, cell_of, is_exact, patch_cells, projection_cells, sheet, strip
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.formats import MAX_SIDE, Format, encode, suffix
from zfjax.web.gallery.statistics import ROW, joined, present

_CHUNK_BYTES = 256 << 20  # of the windows that are drawn together
COVER_PX = 64


@dataclass(frozen=True)
class Style:
    """How pictures are drawn and kept. thumb: the largest side of a cell. photos: whether patches are kept."""

    thumb: int
    format: Format
    percentile: float
    photos: bool
    overlap: Overlap
    norm: Norm


class Place(NamedTuple):
    """Where a layer's pictures lie, and their shape."""

    folder: str  # "img/RUN/LAYER", in the gallery
    window: Cell
    cell: Cell
    cover: Cell
    exact: bool
    whole: bool  # every unit sees all of the image
    patches: bool  # whether strips have them: not of whole images, which are shown once for all
    columns: int  # of a sheet of covers
    suffix: str

    def unit(self, kind: str, number: int) -> str:
        """The file of a unit's strip."""
        return f"{self.folder}/{kind}{number:04d}.{self.suffix}"

    def sheets(self, kind: str, units: int) -> list[str]:
        """The sheets of covers, names in the folder."""
        count = -(-units // self.columns**2)
        return [f"covers-{kind}{number:02d}.{self.suffix}" for number in range(count)]


def place_of(arch: Arch, layer: str, folder: str, style: Style) -> Place:
    """folder: "img/RUN/LAYER"."""
    window = window_of(arch, layer)
    exact, whole = is_exact(window), sees_all(arch, layer)
    cover = cell_of(window, COVER_PX)
    return Place(
        folder,
        window,
        cell_of(window, style.thumb),
        cover,
        exact,
        whole,
        style.photos and not whole,
        min(32, MAX_SIDE // (max(cover) + 2 * GUTTER)),
        suffix(style.format, exact=exact),
    )


def draw_units(
    run: Run,
    source: Source,
    layer: str,
    rows: Sequence[Winners],
    place: Place,
    style: Style,
    building: Building,
    progress: bool,
) -> None:
    """Strips of all units of a layer and its sheets of covers, into the gallery.

    rows: the top nine, and the lower rows; [units, k] each.
    """
    together = joined(rows)
    units = len(together.value)
    covers = {kind: np.full((units, *place.cover, 3), BLANK, np.uint8) for kind in "pi"}
    pictures = int(present(together).sum())
    bar = meter(total=pictures, desc=f"drawing {layer}", unit=" projections", disable=not progress)
    with bar, ThreadPoolExecutor() as pool:
        for chunk in _chunks(units, together.value.shape[1], run.arch.channels, place.window):
            found = project_winners(
                run, source, {layer: together}, {layer: chunk}, overlap=style.overlap, norm=style.norm
            )[layer]
            splits = [counts_of(rows, feature.index) for feature in found]
            jobs = [pool.submit(_draw, *each, place, style, building) for each in zip(found, splits, strict=True)]
            for feature, job in zip(found, jobs, strict=True):
                for kind, cover in job.result().items():
                    covers[kind][feature.index] = cover
                bar.update(len(feature.activations))
    for kind, cells in covers.items():
        for number, name in enumerate(place.sheets(kind, units)):
            some = cells[number * place.columns**2 : (number + 1) * place.columns**2]
            building.write(
                f"{place.folder}/{name}",
                encode(sheet(some, place.columns), style.format, place.cover, exact=place.exact),
            )


def _chunks(units: int, pictures: int, channels: int, window: Cell) -> Iterator[range]:
    one = 2 * 4 * pictures * channels * window[0] * window[1]
    size = max(1, _CHUNK_BYTES // one)
    return (range(start, min(start + size, units)) for start in range(0, units, size))


def counts_of(rows: Sequence[Winners], unit: int) -> list[int]:
    """How many pictures of each row there are."""
    return [int(present(row)[unit].sum()) for row in rows]


def _draw(
    feature: FeatureMap, counts: list[int], place: Place, style: Style, building: Building
) -> dict[str, np.ndarray]:
    """Writes a unit's strips; returns its covers."""
    for kind, data in strips_of(feature, counts, place, style).items():
        building.write(place.unit(kind, feature.index), data)
    return covers_of(feature, place, style)


def strips_of(feature: FeatureMap, counts: Sequence[int], place: Place, style: Style) -> dict[str, bytes]:
    """{"u": the top nine, "q": the lower rows}, as files, of those that there are. counts: pictures of each row."""
    top, *lower = counts
    spots = [ROW * row + place for row, count in enumerate(lower) for place in range(count)]
    parts = {"u": (slice(0, top), range(top), top), "q": (slice(top, None), spots, ROW * len(lower))}
    found = {}
    for kind, (part, columns, width) in parts.items():
        if len(columns):
            cells = [projection_cells(feature.projections[part], place.cell, style.percentile, feature.patches[part])]
            if place.patches:
                cells.insert(0, patch_cells(feature.patches[part], place.cell))
            rows = strip([_at(each, columns, width) for each in cells])
            found[kind] = encode(rows, style.format, place.cell, exact=place.exact, top=kind == "u")
    return found


def covers_of(feature: FeatureMap, place: Place, style: Style) -> dict[str, np.ndarray]:
    """{"p": of the strongest projection, "i": of its patch}, uint8 [*cover, 3], of those that there are."""
    if not len(feature.activations):
        return {}
    covers = {"p": projection_cells(feature.projections[:1], place.cover, style.percentile, feature.patches[:1])[0]}
    return covers | ({"i": patch_cells(feature.patches[:1], place.cover)[0]} if style.photos else {})


def _at(cells: np.ndarray, columns: Sequence[int], width: int) -> np.ndarray:
    """The cells in these of `width` columns, white in the others."""
    row = np.full((width, *cells.shape[1:]), BLANK, np.uint8)
    row[list(columns)] = cells
    return row
