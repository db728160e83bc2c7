"""All maps of a layer for an image."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from zfjax.paper.view import Drawn, View


@dataclass(frozen=True)
class Options:
    """Activations of whole layers; --layers and --images choose (without --images: one, classified rightly)."""

    per_map: bool = False
    """Scale each map on its own instead of all by one; shows weak maps, hides which are strong."""


def draw(view: View, options: Options) -> Drawn:
    """One picture for each layer and image. Raises InputError for layers and images that there are not."""
    from zfjax.paper.pictures import choose_pictures
    from zfjax.paper.units.activations_draw import draw_activations
    from zfjax.paper.units.activations_measure import layer_maps

    run, layers = view.run, view.chosen_layers()
    pictures = choose_pictures(view, 1)
    maps = layer_maps(run, pictures.canvases, layers)
    crops = run.preprocess.visible(pictures.canvases)
    paths = []
    for layer in layers:
        height, width, count = maps[layer].shape[1:]
        for place, name in enumerate(pictures.names):
            paths.append(view.path(f"activations_{layer}_{_slug(name)}"))
            title = f"{layer}: {count:,} activations" if height == 1 else f"{layer}: {count} maps of {height}×{width}"
            caption = f"Image: {name}, {_class(view, pictures, place)}. {view.origin}"
            scale = {"per_map": options.per_map, "percentile": view.percentile}
            draw_activations(crops[place], maps[layer][place], paths[-1], title=title, caption=caption, **scale)
    return Drawn(paths, maps)


def _class(view: View, pictures, place: int) -> str:
    name = view.run.class_names[int(np.asarray(pictures.labels)[place])]
    return name if pictures.known[place] else f"taken for {name}"


def _slug(name: str) -> str:
    """ "val 17" -> "val17", "my dog.jpg" -> "mydog": a name for a file."""
    return re.sub(r"[^\w-]", "", re.sub(r"\.\w+$", "", name)) or "image"
