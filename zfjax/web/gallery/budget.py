"""How large a gallery will be, told from a few units of each layer before all are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zfjax.draw.tiles import rgb8
from zfjax.paper.top_activations import project_winners
from zfjax.web.gallery.cells import projection_cells, resized, sheet, strip
from zfjax.web.gallery.formats import encode
from zfjax.web.gallery.layer_pictures import Style, counts_of, covers_of, place_of, strips_of
from zfjax.web.gallery.methods import METHODS
from zfjax.web.gallery.shown import Shown, Wanted
from zfjax.web.gallery.sources import CELL_PX
from zfjax.web.gallery.statistics import LayerStatistics, joined, present

_UNITS, _IMAGES = 8, 32  # that are drawn to see how large they are
_NUMBERS = 900  # bytes of what the page is told of a unit
_PAGES = 150_000


def expected_bytes(each: Shown, statistics: dict[str, LayerStatistics], style: Style, wanted: Wanted) -> int:
    """Of a run's units in the gallery, without the small pictures of the images."""
    return round(sum(_of_layer(each, layer, found, style, wanted) for layer, found in statistics.items())) + _PAGES


def expected_sources(each: Shown, numbers: Sequence[int], style: Style) -> int:
    """Of the small pictures of these images."""
    if not numbers:
        return 0
    some = [numbers[place] for place in _spread(len(numbers), _IMAGES)]
    seen = [each.view.run.preprocess.visible(each.view.source[number]["image"]) for number in some]
    cell = (CELL_PX, CELL_PX)
    small = np.concatenate([resized(rgb8(picture[None] / 255), cell) for picture in seen])
    return round(len(numbers) * len(encode(sheet(small, len(small)), style.format, cell, exact=False)) / len(small))


def _of_layer(each: Shown, layer: str, found: LayerStatistics, style: Style, wanted: Wanted) -> float:
    run, rows = each.view.run, [found.top, *found.lower]
    alive = np.flatnonzero(present(found.top)[:, 0])
    if not len(alive):
        return 0
    place, some = place_of(run.arch, layer, "", style), alive[_spread(len(alive), _UNITS)].tolist()
    features = project_winners(
        run, each.view.source, {layer: joined(rows)}, {layer: some}, overlap=style.overlap, norm=style.norm
    )[layer]
    size, covers = 0, {"p": [], "i": []}
    for feature in features:
        size += sum(map(len, strips_of(feature, counts_of(rows, feature.index), place, style).values()))
        cells = projection_cells(feature.projections, place.cell, style.percentile, feature.patches)
        for columns in (len(each.moments), len(METHODS) if wanted.methods else 0, 1 if wanted.occlusion else 0):
            if columns:
                picture = strip([np.resize(cells, (columns, *cells.shape[1:]))])
                size += len(encode(picture, style.format, place.cell, exact=place.exact))
        for kind, cover in covers_of(feature, place, style).items():
            covers[kind].append(cover)
    for cells in filter(None, covers.values()):
        size += len(encode(sheet(np.stack(cells), len(cells)), style.format, place.cover, exact=place.exact))
    return len(alive) * (size / len(some) + _NUMBERS)


def _spread(count: int, most: int) -> list[int]:
    """Some numbers below `count`, evenly."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()
