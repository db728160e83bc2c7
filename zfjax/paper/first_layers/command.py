"""Fig. 6: the first two layers of several runs side by side, and the measures behind the diagnosis of section 4.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.view import Drawn, LeftOut, View


@dataclass(frozen=True)
class Options:
    """Fig. 6; --num_maps and --maps choose what is drawn of the second layer."""

    faint: float = 0.1
    """A filter whose RMS is below this share of the 90th percentile counts as dead, as does one whose map never
    responds."""
    images: int = 32
    """Images, at random, that are shifted pixel by pixel to measure the aliasing of the second layer."""


class Selection(NamedTuple):
    """One run in numbers; shares are 0..1. The definitions are ours: the paper gives no numbers."""

    name: str
    layers: tuple[str, str]
    stride: int  # of the first layer
    faint: float  # share of the first layer's filters with hardly any weight
    silent: float  # share of them whose map responds to no image
    dead: float  # either
    bands: np.ndarray  # [3], shares of the others with most energy in low, mid, high frequencies
    dominance: float  # largest by median RMS
    aliasing: float  # of the second layer
    maps: list[int]  # of the second layer, those drawn
    projections: np.ndarray  # [maps, h, w, C]


def draw(views: Sequence[View], options: Options) -> Drawn:
    """One picture of all runs, and a printed line for each. Raises LeftOut for a network that does not begin with
    convolutions, two at least."""
    from zfjax.paper.first_layers.draw import draw_selection

    if not 0 <= options.faint <= 1:
        raise InputError(f"--selection.faint is a share, 0 to 1, not {options.faint}")
    if options.images < 1:
        raise InputError(f"--selection.images must be at least 1, not {options.images}")
    for view in views:
        first_two(view)
    selections = [examine(view, options) for view in views]
    for each in selections:
        print(f"{each.name}: {', '.join(f'{name} {value}' for name, value in table(each))}", flush=True)
    names = [view.name for view in views]
    path = views[0].path("_".join(["selection", *names]))
    columns = [_column(*pair) for pair in zip(views, selections, strict=True)]
    caption = f"{_definitions(options)} {' '.join(f'{view.origin} {view.about(view.source)}' for view in views)}"
    title = f"The first two layers of {' and '.join(names)}"
    draw_selection(columns, path, title=title, caption=caption, percentile=views[0].percentile)
    return Drawn([path], selections)


def first_two(view: View) -> tuple[str, str]:
    """The first layer and the second convolution; raises LeftOut where these are none."""
    from zfjax.layers import Conv

    layers = view.run.arch.layers
    names = [layer.name for layer in layers if isinstance(layer, Conv)]
    if len(names) < 2 or names[0] != layers[0].name:
        raise LeftOut(f"the network of {view.name}, {view.run.arch.name}, does not begin with two convolutions")
    return names[0], names[1]


def examine(view: View, options: Options) -> Selection:
    """The measures of one run, with the images of its view."""
    from zfjax.paper.first_layers.measure import band_shares, dominance, faint_filters
    from zfjax.paper.top_activations import project_winners, strongest_activations

    run, source, (first, second) = view.run, view.source, first_two(view)
    kernel = np.asarray(run.params[first]["kernel"])
    view.chosen_maps(second)
    search = {"indices": view.searched(source), "batch_size": view.batch_size, "progress": view.progress}
    winners = strongest_activations(run, source, (first, second), top=1, **search)
    faint, silent = faint_filters(kernel, options.faint), winners[first].value[:, 0] == 0
    maps = view.responding_maps(second, winners[second])
    down = {"overlap": view.overlap, "norm": view.norm, "progress": view.progress}
    features = project_winners(run, source, winners, {second: maps}, **down)[second]
    features = [each for each in features if len(each.projections)]  # a map asked for may be silent
    return Selection(
        view.name,
        (first, second),
        run.arch.receptive_field(first).stride,
        float(faint.mean()),
        float(silent.mean()),
        float((faint | silent).mean()),
        band_shares(kernel[..., ~(faint | silent)]),
        dominance(kernel),
        _aliasing(view, second, run.arch.receptive_field(first).stride, options.images),
        [each.index for each in features],
        np.concatenate([each.projections for each in features]),
    )


def _aliasing(view: View, layer: str, stride: int, count: int) -> float:
    """The mean over shifts down and to the right."""
    from zfjax.paper.first_layers.aliasing import aliasing, shifted_responses

    there = len(view.searched(view.source))
    chosen = np.random.default_rng(view.seed).choice(there, min(count, there), replace=False)
    canvases = np.stack([view.source[int(number)]["image"] for number in chosen])
    responses = (shifted_responses(view.run, canvases, layer, stride, axis, view.seed) for axis in (1, 2))
    return float(np.mean([aliasing(each, stride) for each in responses]))


def table(selection: Selection) -> list[tuple[str, str]]:
    """The measures as text."""
    low, mid, high = (f"{100 * share:.0f}" for share in selection.bands)
    return [
        ("stride", f"{selection.stride}"),
        ("dead filters", f"{100 * selection.dead:.1f} %"),
        ("low / mid / high frequencies", f"{low} / {mid} / {high} %"),
        ("largest / median RMS", f"{selection.dominance:.2f}"),
        ("aliasing of the second layer", f"{selection.aliasing:.3f}"),
    ]


def _column(view: View, selection: Selection):
    from zfjax.paper.first_layers.draw import Column

    kernel = np.asarray(view.run.params[selection.layers[0]]["kernel"])
    return Column(f"{view.name} ({view.run.arch.name})", kernel, selection.projections, table(selection))


def _definitions(options: Options) -> str:
    return (
        f"Dead: RMS below {options.faint:g} of the 90th percentile, or a map that responds to no image. Frequencies: "
        "share of the other filters with most energy below 1/3, from there to 2/3, and above 2/3 of Nyquist. Aliasing: "
        "share of the variance of the second layer's responses, when an image is shifted between the first layer's "
        f"grid points, that the responses on the grid do not tell (0 to 1; at most {options.images} images). "
        "The definitions are ours, not the paper's."
    )
