"""Fig. 2: the strongest activations of each map in pixels, beside the patches that caused them."""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.paper.view import Drawn, View


@dataclass(frozen=True)
class Options:
    """Fig. 2; --layers, --maps, --num_maps and --top choose what is drawn."""


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer. Raises InputError for maps that there are not, before the search."""
    from zfjax.paper.features.draw import draw_features
    from zfjax.paper.top_activations import project_winners, strongest_activations

    run, source, layers = view.run, view.source, view.chosen_layers()
    for layer in layers:
        view.chosen_maps(layer)
    winners = strongest_activations(
        run,
        source,
        layers,
        top=view.top,
        indices=view.searched(source),
        batch_size=view.batch_size,
        progress=view.progress,
    )
    maps = {layer: view.responding_maps(layer, winners[layer]) for layer in layers}
    features = project_winners(run, source, winners, maps, overlap=view.overlap, norm=view.norm, progress=view.progress)
    paths = []
    for layer in layers:
        paths.append(view.path(f"features_{layer}"))
        silent = int((winners[layer].value[:, 0] == 0).sum())
        chosen = "" if view.maps else f" at random of {len(winners[layer].value)} ({silent} respond to no image)"
        split = "training" if view.split == "train" else "validation"
        count = len(view.searched(source))
        title = f"{layer}: the {view.top} strongest of {count:,} {split} images for {len(maps[layer])} maps"
        caption = f"{len(maps[layer])} maps{chosen}. {view.origin} {view.about(source)}"
        draw_features(features[layer], paths[-1], title=title, caption=caption, percentile=view.percentile)
    return Drawn(paths, features)
