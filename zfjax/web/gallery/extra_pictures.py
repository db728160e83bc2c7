"""What not every gallery has of a layer's units: their evolution, other methods, the square that covers them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from zfjax.paper.patches import cut_patch
from zfjax.paper.top_activations import Winners
from zfjax.runs.run import Run, load_run
from zfjax.web.gallery.cells import Cell, patch_cells, projection_cells, resized, strip
from zfjax.web.gallery.evolution import evolve_units
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.formats import encode
from zfjax.web.gallery.layer_pictures import Place, Style
from zfjax.web.gallery.methods import METHODS, methods_of
from zfjax.web.gallery.occlusion import occlusion_of
from zfjax.web.gallery.scripts import short
from zfjax.web.gallery.shown import Shown, Wanted
from zfjax.web.gallery.statistics import present


class Extras(NamedTuple):
    """As the page's data; None of what there is not."""

    evolution: dict[str, Any] | None
    methods: list[str] | None
    occlusion: dict[str, Any] | None


class Drawing(NamedTuple):
    """One layer's strips being written."""

    each: Shown
    layer: str
    top: Winners
    place: Place
    style: Style
    building: Building

    @property
    def alive(self) -> list[int]:
        """The units that respond to any image."""
        return np.flatnonzero(present(self.top)[:, 0]).tolist()

    def write(self, kind: str, unit: int, cells: np.ndarray) -> None:
        """One row of cells as a strip of its own."""
        data = encode(strip([cells]), self.style.format, self.place.cell, exact=self.place.exact)
        self.building.write(self.place.unit(kind, unit), data)

    def write_signed(self, kind: str, units: Sequence[int], pictures: np.ndarray, patches: np.ndarray) -> None:
        """pictures: [units, columns, h, w, C], signed. patches: [units, columns or 1, h, w, C], the same windows of the
        images, NaN outside the image."""
        with ThreadPoolExecutor() as pool:
            for job in [pool.submit(self._signed, kind, *one) for one in zip(units, pictures, patches, strict=True)]:
                job.result()

    def _signed(self, kind: str, unit: int, pictures: np.ndarray, patches: np.ndarray) -> None:
        self.write(kind, unit, projection_cells(pictures, self.place.cell, self.style.percentile, patches))


def draw_extras(drawing: Drawing, wanted: Wanted, strongest: Winners | None) -> Extras:
    """Strips of all that is wanted and there. strongest: of `strongest_at`, arrays [C, T]."""
    return Extras(
        _draw_evolution(drawing, strongest) if strongest else None,
        _draw_methods(drawing) if wanted.methods else None,
        _draw_occlusion(drawing) if wanted.occlusion else None,
    )


def loader(each: Shown) -> Any:
    """The run at a step; what was read is kept, for every group of units needs all of them."""

    @functools.cache
    def load(step: int) -> Run:
        return each.view.run if step == each.view.run.step else load_run(each.view.ckpt, step)

    return load


def _draw_evolution(drawing: Drawing, strongest: Winners) -> dict[str, Any]:
    each, view = drawing.each, drawing.each.view
    units = {drawing.layer: drawing.alive}
    options = {"overlap": drawing.style.overlap, "norm": drawing.style.norm, "batch_size": view.batch_size}
    groups = evolve_units(
        loader(each), each.moments, view.source, {drawing.layer: strongest}, units, progress=view.progress, **options
    )
    for group in groups:
        drawing.write_signed("e", group.units, group.projections, group.patches)
    values = np.where(present(strongest), strongest.value, 0)
    return {"moments": [moment.name for moment in each.moments], "values": short(values)}


def _draw_methods(drawing: Drawing) -> list[str]:
    view = drawing.each.view
    options = {"overlap": drawing.style.overlap, "norm": drawing.style.norm, "progress": view.progress}
    for group in methods_of(view.run, view.source, drawing.layer, drawing.top, drawing.alive, **options):
        drawing.write_signed("m", group.units, group.pictures, group.patches[:, None])
    return [name.replace("_", " ") for name in METHODS]


def _draw_occlusion(drawing: Drawing) -> dict[str, Any]:
    """The map's shades go from the unit's weakest activation under the square, black, to its strongest, white."""
    view, units = drawing.each.view, len(drawing.top.value)
    low, high = np.zeros(units, np.float32), np.zeros(units, np.float32)
    groups = occlusion_of(view.run, view.source, drawing.layer, drawing.top, drawing.alive, progress=view.progress)
    for group in groups:
        for unit, activations in zip(group.units, group.activations, strict=True):
            low[unit], high[unit] = activations.min(), activations.max()
            span = high[unit] - low[unit]
            shades = (activations - low[unit]) / span if span else np.ones_like(activations)
            cell = _enlarged(np.rint(255 * shades).astype(np.uint8), drawing.place.cell)
            drawing.write("o", unit, np.concatenate([_patch(drawing, unit), cell]))
    return {"low": short(low), "high": short(high)}


def _enlarged(shades: np.ndarray, cell: Cell) -> np.ndarray:
    """uint8 [R, S] -> uint8 [1, *cell, 3], each place a block."""
    rows, columns = (np.arange(side) * count // side for side, count in zip(cell, shades.shape, strict=True))
    return np.repeat(shades[rows][:, columns][None, ..., None], 3, axis=-1)


def _patch(drawing: Drawing, unit: int) -> np.ndarray:
    """What the unit sees of its strongest image, uint8 [1, *cell, 3]; grey where no photos are kept."""
    view, place = drawing.each.view, drawing.place
    if not drawing.style.photos:
        return np.full((1, *place.cell, 3), 237, np.uint8)
    image, row, col = (int(np.asarray(column)[unit, 0]) for column in drawing.top[1:])
    seen = view.run.preprocess.visible(view.source[image]["image"])
    if place.whole:
        return resized(patch_cells(seen[None].astype(np.float32), place.window), place.cell)
    fields = [view.run.arch.receptive_field(drawing.layer, axis) for axis in (0, 1)]
    top, left = (at * field.stride + field.offset for at, field in zip((row, col), fields, strict=True))
    return patch_cells(cut_patch(seen, top, left, place.window)[None], place.cell)
