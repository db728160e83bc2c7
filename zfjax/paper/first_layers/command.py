"""Fig. 6: the filters of the first layer; and the first two layers of several runs side by side, with the measures
behind the diagnosis of section 4.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from zfjax.paper.default_layers import first_convolutions
from zfjax.paper.view import Drawn, Figure, LeftOut, View
from zfjax.runtime.ranges import check_flags
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.first_layers.measure import Selection


@dataclass(frozen=True)
class FiltersOptions:
    """Filters of the first layer."""

    order: Literal["index", "rms"] = "index"
    """By number, or the strongest first."""
    per_filter: bool = False
    """Scale each on its own instead of all by one gain."""


@dataclass(frozen=True)
class SelectionOptions:
    """Fig. 6; --num_maps and --maps choose what is drawn of the second layer."""

    faint: float = 0.1
    """A filter whose RMS is below this share of the 90th percentile counts as dead, as does one whose map never
    responds."""
    images: int = 32
    """Images, at random, that are shifted pixel by pixel to measure the aliasing of the second layer."""


def filters(view: View, options: FiltersOptions) -> Drawn:
    """Raises LeftOut for a network whose first layer is no convolution."""
    from zfjax.paper.first_layers.draw import draw_filters

    run = view.run
    if not (layers := first_convolutions(run.arch)):
        first = run.arch.layers[0].name
        raise LeftOut(f"{run.arch.name} has no filters to draw: its first layer, {first}, is no convolution")
    kernel = np.asarray(run.params[layers[0]]["kernel"])
    path = view.path(f"filters_{layers[0]}")
    size = "x".join(map(str, kernel.shape[:2]))
    title = f"{run.arch.name}: the {kernel.shape[3]} filters of {layers[0]}, {size} pixels"
    scale = {"per_filter": options.per_filter, "order": options.order, "percentile": view.percentile}
    draw_filters(kernel, path, title=title, caption=view.origin, layer=layers[0], **scale)
    return Drawn([path], kernel)


def selection(views: Sequence[View], options: SelectionOptions) -> Drawn:
    """One picture of all runs, and a printed line for each. Raises LeftOut for a network that does not begin with
    convolutions, two at least."""
    from zfjax.paper.first_layers.draw import draw_selection, table

    check_flags(options, "selection")
    for view in views:
        _first_two(view)
    selections = [_examine(view, options) for view in views]
    for view, each in zip(views, selections, strict=True):
        say(f"{view.name}: {', '.join(f'{name} {value}' for name, value in table(each))}")
    names = [view.name for view in views]
    path = views[0].path("_".join(["selection", *names]))
    columns = {f"{view.name} ({view.run.arch.name})": each for view, each in zip(views, selections, strict=True)}
    caption = f"{_definitions(options)} {' '.join(f'{view.origin} {view.about(view.source)}' for view in views)}"
    title = f"The first two layers of {' and '.join(names)}"
    draw_selection(columns, path, title=title, caption=caption, percentile=views[0].percentile)
    return Drawn([path], selections)


def _first_two(view: View) -> tuple[str, str]:
    """The first layer and the second convolution; raises LeftOut where these are none."""
    names = first_convolutions(view.run.arch)
    if len(names) < 2:
        raise LeftOut(f"the network of {view.name}, {view.run.arch.name}, does not begin with two convolutions")
    return names[0], names[1]


def _examine(view: View, options: SelectionOptions) -> Selection:
    """The measures of one run, with the images of its view."""
    from zfjax.paper.first_layers.measure import examine

    layers = _first_two(view)
    view.chosen_maps(layers[1])
    return examine(
        view.run,
        view.source,
        layers,
        view.responding_maps,
        indices=view.searched(view.source),
        faint=options.faint,
        shifted=options.images,
        seed=view.seed,
        overlap=view.overlap,
        norm=view.norm,
        batch_size=view.batch_size,
        progress=view.progress,
    )


def _definitions(options: SelectionOptions) -> str:
    return (
        f"Dead: RMS below {options.faint:g} of the 90th percentile, or a map that responds to no image. Frequencies: "
        "share of the other filters with most energy below 1/3, from there to 2/3, and above 2/3 of Nyquist. Aliasing: "
        "share of the variance of the second layer's responses, when an image is shifted between the first layer's "
        f"grid points, that the responses on the grid do not tell (0 to 1; at most {options.images} images). "
        "The definitions are ours, not the paper's."
    )


FIGURES = {
    "filters": Figure("Fig. 6, those of the first layer.", FiltersOptions, filters),
    "selection": Figure(
        "Fig. 6, the first two layers of all runs side by side, with measures.",
        SelectionOptions,
        selection,
        comparison=True,
        takes=("maps",),
    ),
}
