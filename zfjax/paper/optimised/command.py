"""--figure=optimised: pictures made to excite maps and classes, beside the images that do so most."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from zfjax.errors import InputError
from zfjax.paper.default_layers import strongest_layer
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.ranges import check_flags


@dataclass(frozen=True)
class Options:
    """Feature visualisation; --layers (else the last convolution and the classes), --maps and --top choose."""

    units: int = 10
    """How many maps or classes to choose of each layer where --maps names none (in place of --num_maps)."""
    variants: int = 2
    """Pictures of each, which begin from other noise."""
    diversity: float = 0.0
    """What the likeness of two of them costs, as a share of what images reach; much puts rectified units out."""
    steps: int = 64
    """Of the way up from noise."""
    rate: float = 0.02
    """Size of a step (Adam's); larger ones, and more of them, give more contrast."""
    decay: float = 1.0
    """Fine detail counts 1 / frequency to this power; 1 as in photos, less gives more detail."""


def draw(view: View, options: Options) -> Drawn:
    """One picture a layer. Raises InputError for maps that there are not, before the search."""
    from zfjax.paper.features.measure import find_features
    from zfjax.paper.optimised.draw import draw_optimised
    from zfjax.paper.optimised.measure import Effort, colours_of, optimise
    from zfjax.paper.patches import sees_all

    check_flags(options, "optimised")
    if options.diversity and options.variants > view.batch_size:
        needed = f"{options.variants} need a --batch_size of as many, not {view.batch_size}"
        raise InputError(f"--optimised.diversity compares the variants of a map within a batch: {needed}")
    arch, source, answer = view.run.arch, view.source, view.run.arch.layer_names[-1]
    layers = view.asked_layers() or list(dict.fromkeys([strongest_layer(arch), answer]))
    for layer in layers:
        view.chosen_maps(layer)
    effort = Effort(options.variants, options.steps, options.rate, options.decay, options.diversity)
    few = dataclasses.replace(view, num_maps=options.units)
    search = {"top": view.top, "indices": view.searched(source), "batch_size": view.batch_size}
    search |= {"overlap": view.overlap, "norm": view.norm, "progress": view.progress}
    features = find_features(view.run, source, layers, few.responding_maps, **search)
    common = {"effort": effort, "mixing": colours_of(view.run, view.dataset.train, view.seed), "seed": view.seed}
    common |= {"batch_size": view.batch_size, "progress": view.progress}
    paths, shown = [], {}
    for layer, found in features.items():
        shown[layer] = optimise(view.run, layer, found.maps, **common)
        classes = layer == answer and arch.row(layer).shape == (1, 1, len(view.run.class_names))
        names = [view.run.shown_names[each.index] if classes else f"map {each.index}" for each in found.maps]
        kind = "classes" if classes else "maps"
        paths.append(view.path(f"optimised_{layer}"))
        title = f"{layer}: pictures made to excite {len(names)} {kind}, beside the {view.top} strongest images"
        draw_optimised(
            dict(zip(names, shown[layer], strict=True)),
            paths[-1],
            title=title,
            caption=f"{_choices(options, view.seed)} {view.origin} {view.about(source)}",
            percentile=view.percentile,
            whole=sees_all(arch, layer),
        )
    return Drawn(paths, shown)


def _choices(options: Options, seed: int) -> str:
    apart = (
        f", variants kept apart with weight {options.diversity:g}" if options.variants > 1 and options.diversity else ""
    )
    return (
        f"{options.steps:,} steps of Adam of {options.rate:g} on the spectrum, which counts 1 / frequency to the power "
        f"{options.decay:g}, with colours as in the training images, under random shifts, turns and scales (Olah et "
        f"al. 2017){apart}; seed {seed}."
    )


FIGURE = Figure(
    "pictures made to excite maps and classes, beside the images that do so most.",
    Options,
    draw,
    on_demand=True,
    takes=("layers", "maps"),
)
