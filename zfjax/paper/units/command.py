"""Units: the images that they respond to most, beside those of random directions; all maps of a layer for an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zfjax.paper.default_layers import last_maps_or_units
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.ranges import check_flags

if TYPE_CHECKING:
    from zfjax.paper.pictures import Pictures
    from zfjax.paper.top_activations import Winners


@dataclass(frozen=True)
class MaximalOptions:
    """Units and their strongest images; --layers, --maps and --top choose what is drawn."""

    units: int = 8
    """How many maps to choose where --maps names none (in place of --num_maps: a row takes much room)."""
    directions: int = 4
    """Random directions of the layer to show below the maps; 0: none."""


@dataclass(frozen=True)
class ActivationsOptions:
    """Activations of whole layers; --layers and --images choose (without --images: one, classified rightly)."""

    per_map: bool = False
    """Scale each map on its own instead of all by one; shows weak maps, hides which are strong."""


def maximal_activations(view: View, options: MaximalOptions) -> Drawn:
    """One picture a layer, by default of the last layer of maps. Raises InputError for maps that there are not."""
    from zfjax.paper.units.draw import draw_maximal_activations
    from zfjax.paper.units.measure import random_directions, strongest_units

    check_flags(options, "maximal_activations")
    source, layers = view.source, view.asked_layers() or last_maps_or_units(view.run.arch)
    rng, shapes = np.random.default_rng(view.seed), view.run.arch.shapes()
    for layer in layers:
        view.chosen_maps(layer)
    directions = {layer: random_directions(rng, shapes[layer][2], options.directions) for layer in layers}

    def choose(layer: str, winners: Winners) -> list[int]:
        maps = view.responding_maps(layer, winners)
        return maps if view.maps else sorted(rng.permutation(maps)[: options.units].tolist())

    search = {"top": view.top, "indices": view.searched(source), "batch_size": view.batch_size}
    found = strongest_units(view.run, source, directions, choose, progress=view.progress, **search)
    paths = []
    for layer, rows in found.items():
        paths.append(view.path(f"maximal_activations_{layer}"))
        title = f"{layer}: the {view.top} images that each map responds to most"
        caption = f"{_explain(view, layer, options.directions)} {view.origin} {view.about(source)}"
        draw_maximal_activations(rows, paths[-1], title=title, caption=caption)
    return Drawn(paths, found)


def _explain(view: View, layer: str, directions: int) -> str:
    (height, width), side = (
        (view.run.arch.receptive_field(layer, axis).size for axis in (0, 1)),
        view.run.arch.image_size,
    )
    whole = ", larger than the image" if max(height, width) > side else ""
    chosen = "the maps asked for" if view.maps else "a random choice of the maps that respond to any image"
    text = (
        f"Rows: {chosen}; at most one place an image, strongest first, its activation below. White line: the receptive "
        f"field of the unit that has it, {height}×{width} px{whole}, cut off at the border."
    )
    if directions:
        text += (
            f" Directions: {directions} random unit vectors over the {view.run.arch.shapes()[layer][2]} maps, whose "
            f"value is their dot product with the activations of one place; single maps are but one basis of many."
        )
    return text


def activations(view: View, options: ActivationsOptions) -> Drawn:
    """One picture for each layer and image. Raises InputError for layers and images that there are not."""
    from zfjax.paper.pictures import choose_pictures
    from zfjax.paper.units.draw import draw_activations
    from zfjax.paper.units.measure import layer_maps

    layers = view.chosen_layers()
    pictures = choose_pictures(view, 1)
    slugs = _slugs(pictures.names)
    found = layer_maps(view.run, pictures.canvases, layers)
    paths = []
    for layer in layers:
        for place, (name, seen) in enumerate(zip(pictures.names, found, strict=True)):
            maps = seen.maps[layer]
            height, width, count = maps.shape
            paths.append(view.path(f"activations_{layer}_{slugs[place]}"))
            title = f"{layer}: {count:,} activations" if height == 1 else f"{layer}: {count} maps of {height}×{width}"
            caption = f"Image: {name}, {_class(view, pictures, place)}. {view.origin}"
            scale = {"per_map": options.per_map, "percentile": view.percentile}
            draw_activations(seen.image, maps, paths[-1], title=title, caption=caption, **scale)
    return Drawn(paths, found)


def _class(view: View, pictures: Pictures, place: int) -> str:
    name = view.run.shown_names[int(np.asarray(pictures.labels)[place])]
    return name if pictures.known[place] else f"taken for {name}"


def _slugs(names: Sequence[str]) -> list[str]:
    """ "val 17" -> "val17", "my dog.jpg" -> "mydog": a name for the file of each, and a number where two are alike."""
    slugs = [re.sub(r"[^\w-]", "", re.sub(r"\.\w+$", "", name)) or "image" for name in names]
    return [f"{slug}_{place}" if slugs.count(slug) > 1 else slug for place, slug in enumerate(slugs, 1)]


FIGURES = {
    "maximal_activations": Figure(
        "the images that units, and random directions, respond to most.",
        MaximalOptions,
        maximal_activations,
        takes=("layers", "maps"),
    ),
    "activations": Figure(
        "all maps of a layer for an image.", ActivationsOptions, activations, takes=("layers", "images")
    ),
}
