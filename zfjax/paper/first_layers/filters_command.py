"""Fig. 6a-c: the filters of the first layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zfjax.paper.view import Drawn, LeftOut, View


@dataclass(frozen=True)
class Options:
    """Filters of the first layer."""

    order: Literal["index", "rms"] = "index"
    """By number, or the strongest first."""
    per_filter: bool = False
    """Scale each on its own instead of all by one gain."""


def draw(view: View, options: Options) -> Drawn:
    """Raises LeftOut for a network whose first layer is no convolution."""
    from zfjax.paper.first_layers.filters_draw import draw_filters

    run, first = view.run, view.run.arch.layers[0].name
    kernel = run.params[first]["kernel"] if first in run.params else None
    if getattr(kernel, "ndim", 0) != 4:
        raise LeftOut(f"{run.arch.name} has no filters to draw: its first layer, {first}, is no convolution")
    path = view.path(f"filters_{first}")
    size = "x".join(map(str, kernel.shape[:2]))
    title = f"{run.arch.name}: the {kernel.shape[3]} filters of {first}, {size} pixels"
    scale = {"per_filter": options.per_filter, "order": options.order, "percentile": view.percentile}
    draw_filters(kernel, path, title=title, caption=view.origin, layer=first, **scale)
    return Drawn([path], kernel)
