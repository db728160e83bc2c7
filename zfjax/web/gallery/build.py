"""Builds a gallery: one search of the images for each run, then the pictures of one layer after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zfjax.paper.patches import sees_all
from zfjax.paper.top_activations import Winners
from zfjax.paper.view import View
from zfjax.terminal import say
from zfjax.web.gallery.budget import expected_bytes, expected_sources
from zfjax.web.gallery.collect import collect
from zfjax.web.gallery.evolution import strongest_at
from zfjax.web.gallery.extra_pictures import Drawing, draw_extras, loader
from zfjax.web.gallery.folder import Building
from zfjax.web.gallery.gallery_file import gallery_data, run_data
from zfjax.web.gallery.layer_file import layer_data, used_images
from zfjax.web.gallery.layer_pictures import Style, draw_units, place_of
from zfjax.web.gallery.nearest import Neighbours, matches, nearest, shared_peaks
from zfjax.web.gallery.scripts import script
from zfjax.web.gallery.shown import Shown, Wanted, page_files
from zfjax.web.gallery.sources import draw_sources, first_of_each_look
from zfjax.web.gallery.statistics import LayerStatistics, present, without_silence
from zfjax.web.table import table

NEAREST, MATCHES = 5, 3


def build(shown: Sequence[Shown], style: Style, wanted: Wanted, building: Building, command: str) -> dict:
    """Writes all files; returns the manifest."""
    first = shown[0].view
    found = [_collect(each, building) for each in shown]
    winners = [[(layer.top, *layer.lower) for layer in each.values()] for each in found]
    numbers = set().union(*(used_images(rows) for each in winners for rows in each))
    thumbnails = _pictured(shown, found) if style.photos else set()
    expected = sum(expected_bytes(each, layers, style, wanted) for each, layers in zip(shown, found, strict=True))
    expected += sum(expected_sources(each, sorted(thumbnails), style) for each in first_of_each_look(shown).values())
    units = sum(len(layer.maximum) for layers in found for layer in layers.values())
    say(f"{units:,} units; the gallery will take about {expected / 1e6:.1f} MB")
    sources = draw_sources(shown, sorted(numbers), thumbnails, style.format, building)
    labels = {int(number): label for number, (_, _, label) in sources["images"].items()}
    for each, statistics in zip(shown, found, strict=True):
        _build_run(each, statistics, list(zip(shown, found, strict=True)), labels, style, wanted, building)
    runs = [_run(each, statistics) for each, statistics in zip(shown, found, strict=True)]
    data = gallery_data(first, runs, sources, building.settings, photos=style.photos)
    building.write("data/gallery.js", script("gallery", data))
    for path in page_files():
        building.write(path.name if path.suffix == ".html" else f"pages/{path.name}", path.read_bytes())
    return building.finish(command)


def _collect(each: Shown, building: Building) -> dict[str, LayerStatistics]:
    view = each.view
    found = collect(
        view.run,
        view.source,
        list(each.slugs),
        top=view.top,
        indices=view.searched(view.source),
        work=building.work / each.slug,
        data=_data(view),
        batch_size=view.batch_size,
        seed=view.seed,
        progress=view.progress,
    )
    return {layer: without_silence(statistics) for layer, statistics in found.items()}


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
    wanted: Wanted,
    building: Building,
) -> None:
    """Layer after layer; one whose data is there is whole."""
    view, left = each.view, {}
    for layer, slug in each.slugs.items():
        if not building.has(f"data/{each.slug}/{slug}.js"):
            left[layer] = slug
    strongest = _strongest(each, {layer: statistics[layer].top for layer in left}, building) if left else {}
    for layer, slug in left.items():
        found = statistics[layer]
        place = place_of(view.run.arch, layer, f"img/{each.slug}/{slug}", style)
        draw_units(view.run, view.source, layer, [found.top, *found.lower], place, style, building, view.progress)
        drawing = Drawing(each, layer, found.top, place, style, building)
        data = layer_data(
            found,
            place,
            labels,
            nearest(found.peaks, NEAREST),
            _matches(each, layer, found, everyone),
            draw_extras(drawing, wanted, strongest.get(layer)),
        )
        building.write(f"data/{each.slug}/{slug}.js", script(f"{each.slug}/{slug}", data))


def _strongest(each: Shown, tops: dict[str, Winners], building: Building) -> dict[str, Winners]:
    """{layer: the strongest activation of each unit at each moment}; none of a run that has kept but one."""
    view = each.view
    if not each.moments:
        return {}
    return strongest_at(
        loader(each),
        each.moments,
        view.source,
        tops,
        indices=view.searched(view.source),
        work=building.work / f"{each.slug}-evolution",
        data=_data(view),
        batch_size=view.batch_size,
        progress=view.progress,
    )


def _data(view: View) -> dict[str, Any]:
    """What tells the images from others."""
    return {"name": view.dataset.name, "split": view.split, "fingerprint": view.dataset.fingerprint()}


def _matches(
    each: Shown, layer: str, found: LayerStatistics, everyone: list[tuple[Shown, dict[str, LayerStatistics]]]
) -> dict[str, tuple[str, Neighbours]]:
    """{other run: (its layer, its units that respond most alike)}: the layer of that name, else the one as far up."""
    known = {}
    for other, statistics in everyone:
        if other is each:
            continue
        there, here = list(statistics), list(each.slugs)
        partner = (
            layer if layer in there else there[round(here.index(layer) / max(1, len(here) - 1) * (len(there) - 1))]
        )
        known[other.slug] = (other.slugs[partner], matches(*shared_peaks(found, statistics[partner]), MATCHES))
    return known


def _run(each: Shown, statistics: dict[str, LayerStatistics]) -> dict:
    layers = table(each.view.run.arch, each.slugs)
    for entry in layers:
        if found := statistics.get(entry["name"]):
            entry |= {"dead": int((~present(found.top)[:, 0]).sum()), "cover": _covers(found)}
    return run_data(each.view, each.slug, layers)


def _covers(found: LayerStatistics) -> list[int]:
    """Nine units for the drawing: evenly among those that respond, from the most seldom active to the most often."""
    alive = np.flatnonzero(present(found.top)[:, 0])
    order = alive[np.argsort(found.density[alive], kind="stable")]
    spread = np.linspace(0, len(order) - 1, min(9, len(order))).round().astype(int)
    return order[spread].tolist()
