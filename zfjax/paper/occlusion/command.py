"""Fig. 7: what a square that covers part of the image does to its strongest map and to the answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zfjax.draw.markdown import markdown
from zfjax.errors import InputError
from zfjax.paper.default_layers import strongest_layer
from zfjax.paper.occlusion.table import truth_table
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.files import write_text
from zfjax.runtime.ranges import check_flags
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.occlusion.measure import Square
    from zfjax.paper.occlusion.truth import Truth

GREY = 128.0


@dataclass(frozen=True)
class Options:
    """Fig. 7. Size, stride and fill of the square are choices: the paper's text gives none."""

    layer: str = ""
    """Layer whose strongest map is followed; empty: the last convolution."""
    size: int | None = None
    """Side of the square in pixels of the network's image; None: a quarter of the image."""
    stride: int | None = None
    """Pixels from one place of the square to the next; None: 8 on an image of 224, in proportion on others."""
    fill: str = "mean"
    """What the square shows: mean (the mean image), grey (128), or a number in 0..255."""
    others: int = 3
    """Projections of the map from other images."""
    truth: int = 0
    """So many scenes, classified rightly, are covered besides, and it is printed how often the class and the map are
    lowest with the square in the object's true box; 0: none."""


def draw(view: View, options: Options) -> Drawn:
    """One picture, a row an image, and a table beside it where --occlusion.truth asks for one. The result is a list of
    (Occlusion, its map in other images as a FeatureMap).

    Raises InputError for a layer that there is not, for a square that will not do, and for truths of other images.
    """
    from zfjax.paper.occlusion.draw import draw_occlusion
    from zfjax.paper.occlusion.measure import occlude_images, square_for, strongest_elsewhere
    from zfjax.paper.pictures import choose_pictures

    check_flags(options, "occlusion")
    run = view.run
    layer = run.arch.row(options.layer or strongest_layer(run.arch)).name
    square = square_for(run.arch.image_size, options.size, options.stride, fill_value(options.fill))
    if options.truth and view.dataset.name != "scenes":
        raise InputError(f"--occlusion.truth: no boxes of objects are known in {view.dataset.name}, only in scenes")
    pictures = choose_pictures(view)
    common = {"overlap": view.overlap, "norm": view.norm, "progress": view.progress, "batch_size": view.batch_size}
    images = occlude_images(run, pictures.canvases, pictures.labels, layer=layer, square=square, **common)
    others_of = view.source if options.others and view.has_dataset else None  # it is opened for other images alone
    search = {"count": options.others, "indices": others_of and view.searched(others_of)}
    others = strongest_elsewhere(run, others_of, pictures.canvases, images, layer, **search, **common)
    path = view.path("occlusion")
    title = f"{run.arch.name}: a square over the image, the strongest map of {layer} and the answer"
    choices = _choices(square, run.arch.image_size, options.fill)
    caption = f"{choices} {_class(bool(pictures.known.all()))} {view.origin} {_data(view, options)}"
    style = {"title": title, "caption": caption, "percentile": view.percentile}
    draw_occlusion(images, others, pictures.names, run.shown_names, path, **style)
    found = list(zip(images, others, strict=True))
    if not options.truth:
        return Drawn([path], found)
    table = markdown(truth_table(against_boxes(view, options.truth, layer=layer, square=square, **common)))
    write_text(path.with_suffix(".md"), table)
    say("", *table.removesuffix("\n").split("\n"))
    return Drawn([path, path.with_suffix(".md")], found)


def against_boxes(view: View, count: int, **options: Any) -> list[Truth]:
    """Of so many of the view's scenes, classified rightly as far as there are such. options: of `occlude_images`."""
    from zfjax.paper.occlusion.measure import occlude_images
    from zfjax.paper.occlusion.truth import against_scenes
    from zfjax.paper.pictures import choose_pictures

    pictures = choose_pictures(dataclasses.replace(view, images=""), count)
    found = occlude_images(view.run, pictures.canvases, pictures.labels, **options)
    return against_scenes(found, pictures.numbers, view.split, view.run.preprocess)


def fill_value(text: str) -> float | None:
    """ "mean" -> None, "grey" -> 128, "20" -> 20. Raises InputError for anything else."""
    named = {"mean": None, "grey": GREY}
    if text in named:
        return named[text]
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 255:
        raise InputError(f"--occlusion.fill is mean, grey or a number in 0..255, not {text!r}")
    return value


def _choices(square: Square, side: int, fill: str) -> str:
    shown = {"mean": "the mean image", "grey": f"grey ({GREY:g})"}.get(fill, f"grey value {fill}")
    return (
        f"Square of {square.size} on an image of {side} pixels, every {square.stride} pixels, cut off at the "
        f"border, showing {shown}: choices of this figure, the paper's text states none."
    )


def _class(known: bool) -> str:
    return "The class is the true one." if known else "The class is the most probable one of the uncovered image."


def _data(view: View, options: Options) -> str:
    if not (options.others and view.has_dataset):
        return ""
    searched = len(view.searched(view.source))
    split = f", {view.split} split" if view.split_name(view.source) else ""
    return f"The other images are the strongest among {searched:,} of {view.dataset.name}{split}."


FIGURE = Figure(
    "Fig. 7, map and answer under a square that covers part of the image.", Options, draw, takes=("images",)
)
