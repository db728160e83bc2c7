"""Builds a gallery: one search of the images for each run, then the pictures of one layer after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.layers import Dense
from zfjax.paper.patches import sees_all
from zfjax.paper.view import View
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.terminal import meter
from zfjax.web.gallery.budget import Amount, expected_bytes
from zfjax.web.gallery.collect import collect
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.gallery_file import gallery_data, run_data
from zfjax.web.gallery.layer_file import Extras, Kin, layer_data, used_images
from zfjax.web.gallery.layer_pictures import Style, draw_units, place_of
from zfjax.web.gallery.nearest import matches, nearest
from zfjax.web.gallery.scripts import script
from zfjax.web.gallery.sources import draw_sources
from zfjax.web.gallery.statistics import LOWER, LayerStatistics
from zfjax.web.table import layer_slugs, slugs, table

PAGES = Path(__file__).parents[1] / "pages"
NEAREST, MATCHES = 5, 3


class Shown(NamedTuple):
    """A run in the gallery. slugs: {layer: its name in links and paths}, of the layers whose units are shown."""

    view: View
    slug: str
    slugs: dict[str, str]


def shown_runs(views: Sequence[View], dense: bool) -> list[Shown]:
    """The runs and their layers: those of --layers, else as Fig. 2 has them; dense: the fully connected ones too.

    Raises InputError for runs that look at different images.
    """
    first = views[0]
    for view in views[1:]:
        if (view.dataset.name, len(view.source)) != (first.dataset.name, len(first.source)):
            raise InputError(
                f"{view.name} is of {view.dataset.name} ({len(view.source):,} images) and {first.name} of "
                f"{first.dataset.name} ({len(first.source):,}); give --dataset, the images for both"
            )
    names = slugs(view.name for view in views)
    return [Shown(view, names[view.name], layer_slugs(view.run.arch, _layers(view, dense))) for view in views]


def _layers(view: View, dense: bool) -> list[str]:
    every = view.run.arch.rows if dense and not view.layers else ()
    return view.chosen_layers() + [row.name for row in every if isinstance(row.layer, Dense)]


def settings_of(shown: Sequence[Shown], style: Style, extras: dict[str, Any]) -> dict[str, Any]:
    """All that decides the files."""
    first = shown[0].view
    source = first.source
    pages = hashlib.sha256(b"".join(path.read_bytes() for path in page_files()))
    return {
        "runs": [[each.view.name, run_fingerprint(each.view.run), each.view.run.step, each.slugs] for each in shown],
        "data": [first.dataset.name, first.split, len(first.searched(source)), first.class_map],
        "style": vars(style),
        "extras": extras,
        "top": first.top,
        "seed": first.seed,
        "pages": pages.hexdigest()[:16],
    }


def page_files() -> list[Path]:
    """What the gallery's page is made of; live* is the microscope's."""
    return [
        path for path in sorted(PAGES.iterdir()) if path.suffix in (".html", ".js", ".css") and "live" not in path.name
    ]


def estimate(shown: Sequence[Shown], style: Style) -> int:
    """Bytes that the gallery will have, before any image is looked at."""
    first, layers, pictured = shown[0].view, [], 0
    for each in shown:
        view = each.view
        for layer, slug in each.slugs.items():
            place = place_of(view.run.arch, layer, slug, style)
            units = view.run.arch.row(layer).shape[2]
            layers.append((place, Amount(units, view.top, len(LOWER), 0, 0, False)))
            pictured += units * view.top
    images = min(pictured, len(first.searched(first.source))) if style.photos else 0
    return expected_bytes(layers, images, style.format)


def build(shown: Sequence[Shown], style: Style, building: Building, command: str) -> dict:
    """Writes all files; returns the manifest."""
    first = shown[0].view
    found = [_collect(each, building) for each in shown]
    winners = [[(layer.top, *layer.lower) for layer in each.values()] for each in found]
    numbers = set().union(*(used_images(rows) for each in winners for rows in each))
    thumbnails = _pictured(shown, found) if style.photos else set()
    sources = draw_sources(
        first.source,
        first.run.preprocess,
        sorted(numbers),
        thumbnails,
        bool(first.dataset.class_names),
        style.format,
        building,
        progress=first.progress,
    )
    labels = {int(number): label for number, (_, _, label) in sources["images"].items()}
    for each, statistics in zip(shown, found, strict=True):
        _build_run(each, statistics, list(zip(shown, found, strict=True)), labels, style, building)
    runs = [_run(each, statistics) for each, statistics in zip(shown, found, strict=True)]
    data = gallery_data(first, runs, sources, building.settings, photos=style.photos)
    building.write("data/gallery.js", script("gallery", data))
    for path in page_files():
        building.write(path.name if path.suffix == ".html" else f"pages/{path.name}", path.read_bytes())
    return building.finish(command)


def _collect(each: Shown, building: Building) -> dict[str, LayerStatistics]:
    view = each.view
    return collect(
        view.run,
        view.source,
        list(each.slugs),
        top=view.top,
        indices=view.searched(view.source),
        work=building.work / each.slug,
        data={"name": view.dataset.name, "split": view.split, "fingerprint": view.dataset.fingerprint()},
        batch_size=view.batch_size,
        seed=view.seed,
        progress=view.progress,
    )


def _pictured(shown: Sequence[Shown], found: Sequence[dict[str, LayerStatistics]]) -> set[int]:
    """Images of the top nine, and all of units that see the whole of one: of a patch from a lower row the name will
    do, or ImageNet's 12,000 small pictures would be 24,000."""
    pictured = set()
    for each, statistics in zip(shown, found, strict=True):
        for layer, layer_found in statistics.items():
            rows = [layer_found.top, *(layer_found.lower if sees_all(each.view.run.arch, layer) else ())]
            pictured |= used_images(rows)
    return pictured


def _build_run(
    each: Shown,
    statistics: dict[str, LayerStatistics],
    everyone: list[tuple[Shown, dict[str, LayerStatistics]]],
    labels: dict[int, int],
    style: Style,
    building: Building,
) -> None:
    """Layer after layer; one whose data is there is whole."""
    view, left = each.view, {}
    for layer, slug in each.slugs.items():
        if not building.has(f"data/{each.slug}/{slug}.js"):
            left[layer] = slug
    pictures = sum(2 * _pictures(statistics[layer]) for layer in left)
    with meter(total=pictures, desc=f"drawing {view.name}", unit=" pictures", disable=not view.progress) as bar:
        for layer, slug in left.items():
            found = statistics[layer]
            place = place_of(view.run.arch, layer, f"img/{each.slug}/{slug}", style)
            draw_units(view.run, view.source, layer, [found.top, *found.lower], place, style, building, bar)
            data = layer_data(
                found,
                place,
                labels,
                Kin(*nearest(found.peaks, NEAREST)),
                _matches(each, layer, found, everyone),
                Extras(),
                whole=sees_all(view.run.arch, layer),
            )
            building.write(f"data/{each.slug}/{slug}.js", script(f"{each.slug}/{slug}", data))


def _pictures(found: LayerStatistics) -> int:
    from zfjax.paper.top_activations import responds

    return sum(int(responds(row).sum()) for row in (found.top, *found.lower))


def _matches(
    each: Shown, layer: str, found: LayerStatistics, everyone: list[tuple[Shown, dict[str, LayerStatistics]]]
) -> dict[str, tuple[str, Kin]]:
    """{other run: (its layer, its units that respond most alike)}: the layer of that name, else the one as far up."""
    known = {}
    for other, statistics in everyone:
        if other is each:
            continue
        there, here = list(statistics), list(each.slugs)
        partner = (
            layer if layer in there else there[round(here.index(layer) / max(1, len(here) - 1) * (len(there) - 1))]
        )
        known[other.slug] = (other.slugs[partner], Kin(*matches(found.peaks, statistics[partner].peaks, MATCHES)))
    return known


def _run(each: Shown, statistics: dict[str, LayerStatistics]) -> dict:
    layers = table(each.view.run.arch, each.slugs)
    for entry in layers:
        if found := statistics.get(entry["name"]):
            entry |= {"dead": int((found.maximum <= 0).sum()), "cover": _covers(found)}
    return run_data(each.view, each.slug, layers)


def _covers(found: LayerStatistics) -> list[int]:
    """Nine units for the drawing: evenly among those that respond, from the most seldom active to the most often."""
    alive = np.flatnonzero(found.maximum > 0)
    order = alive[np.argsort(found.density[alive], kind="stable")]
    spread = np.linspace(0, len(order) - 1, min(9, len(order))).round().astype(int)
    return order[spread].tolist()
