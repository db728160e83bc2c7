"""Fig. 2: the strongest activations of each map in pixels, beside the patches that caused them."""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.paper.view import Drawn, Figure, View


@dataclass(frozen=True)
class Options:
    """Fig. 2; --layers, --maps, --num_maps and --top choose what is drawn."""


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer. Raises InputError for maps that there are not, before the search."""
    from zfjax.paper.features.draw import draw_features
    from zfjax.paper.features.measure import find_features
    from zfjax.paper.patches import sees_all

    source, layers = view.source, view.chosen_layers()
    for layer in layers:
        view.chosen_maps(layer)
    features = find_features(
        view.run,
        source,
        layers,
        view.responding_maps,
        top=view.top,
        indices=view.searched(source),
        overlap=view.overlap,
        norm=view.norm,
        batch_size=view.batch_size,
        progress=view.progress,
    )
    paths = []
    for layer, found in features.items():
        paths.append(view.path(f"features_{layer}"))
        count, there = len(found.maps), len(found.winners.value)
        quiet = f"{found.silent} respond to no image" if found.silent else "each responds to some image"
        chosen = "" if view.maps else f" at random of {there} ({quiet})"
        images = " ".join([f"{len(view.searched(source)):,}", *view.split_name(source).split(), "images"])
        title = f"{layer}: the {view.top} strongest of {images} for {count} maps"
        caption = f"{count} maps{chosen}. {view.origin} {view.about(source)}"
        style = {"percentile": view.percentile, "whole": sees_all(view.run.arch, layer)}
        draw_features(found.maps, paths[-1], title=title, caption=caption, **style)
    return Drawn(paths, features)


FIGURE = Figure("Fig. 2, the strongest activations of each map in pixels.", Options, draw, takes=("layers", "maps"))
