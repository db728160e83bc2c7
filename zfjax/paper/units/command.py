"""The images that units respond to most, beside those of random directions of the same layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.view import Drawn, View


@dataclass(frozen=True)
class Options:
    """Units and their strongest images; --layers, --maps and --top choose what is drawn."""

    units: int = 8
    """How many maps to choose where --maps names none (in place of --num_maps: a row takes much room)."""
    directions: int = 4
    """Random directions of the layer to show below the maps; 0: none."""


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer, by default of the last layer of maps. Raises InputError for maps that there are not."""
    from zfjax.paper.units.draw import draw_maximal_activations
    from zfjax.paper.units.measure import random_directions, show_strongest, strongest_places

    for name, least in {"units": 1, "directions": 0}.items():
        if getattr(options, name) < least:
            raise InputError(f"--maximal_activations.{name} must be at least {least}, not {getattr(options, name)}")
    run, source, layers = view.run, view.source, _layers(view)
    rng, shapes = np.random.default_rng(view.seed), run.arch.shapes()
    for layer in layers:
        view.chosen_maps(layer)
    directions = {layer: random_directions(rng, shapes[layer][2], options.directions) for layer in layers}
    search = {"top": view.top, "indices": view.searched(source), "batch_size": view.batch_size}
    units, mixed = strongest_places(run, source, directions, progress=view.progress, **search)
    paths, result = [], {}
    for layer in layers:
        maps = view.responding_maps(layer, units[layer])
        if not view.maps:
            maps = sorted(rng.permutation(maps)[: options.units].tolist())
        mixtures = {row: f"direction {row + 1}" for row in range(options.directions)}
        rows = show_strongest(run, source, layer, units[layer], {number: f"map {number}" for number in maps})
        rows += show_strongest(run, source, layer, mixed[layer], mixtures)
        path = view.path(f"maximal_activations_{layer}")
        title = f"{layer}: the {view.top} images that each map responds to most"
        caption = f"{_explain(view, layer, options.directions)} {view.origin} {view.about(source)}"
        draw_maximal_activations([row[:4] for row in rows], path, title=title, caption=caption)
        paths, result = [*paths, path], {**result, layer: rows}
    return Drawn(paths, result)


def _layers(view: View) -> list[str]:
    """Those asked for, else the last that has maps: pool5, or the last dense layer where there are none."""
    from zfjax.layers import AvgPool, Conv, MaxPool

    if view.layers:
        return view.chosen_layers()
    spatial = [layer.name for layer in view.run.arch.layers if isinstance(layer, Conv | MaxPool | AvgPool)]
    return spatial[-1:] or view.chosen_layers()[-1:]


def _explain(view: View, layer: str, directions: int) -> str:
    field, side = view.run.arch.receptive_field(layer), view.run.arch.image_size
    whole = ", larger than the image" if field.size > side else ""
    chosen = "the maps asked for" if view.maps else "a random choice of the maps that respond to any image"
    text = (
        f"Rows: {chosen}; at most one place an image, strongest first. White: the activation, and the receptive field "
        f"of the unit that has it, {field.size}×{field.size} px{whole}, cut off at the border."
    )
    if directions:
        text += (
            f" Directions: {directions} random unit vectors over the {view.run.arch.shapes()[layer][2]} maps, whose "
            f"value is their dot product with the activations of one place; single maps are but one basis of many."
        )
    return text
