"""Table 1 and Fig. 8: whether covering the same part of different objects changes their features in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zfjax.draw.markdown import aligned, literal
from zfjax.errors import InputError
from zfjax.paper.correspondence.options import Options
from zfjax.paper.correspondence.portraits import choose_portraits
from zfjax.paper.correspondence.table import text_table
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.files import write_text
from zfjax.runtime.ranges import check_flags
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.correspondence.measure import Result

SHOWN = 10  # rows of the picture: a page


def draw(view: View, options: Options) -> Drawn:
    """Prints the table, and saves it beside the picture. Raises LeftOut without keypoints."""
    from zfjax.paper.correspondence.draw import draw_correspondence
    from zfjax.paper.correspondence.measure import measure_correspondence

    layers = view.chosen_layers() if view.layers else []
    portraits, origin = choose_portraits(view, options)
    _check(options, view.run.arch.image_size)
    placings = {"size": options.size, "draws": options.draws, "examples": options.examples, "seed": view.seed}
    common = {"batch_size": view.batch_size, "progress": view.progress}
    result = measure_correspondence(view.run, portraits, layers=layers, shown=SHOWN, **placings, **common)
    path, table, note = view.path("correspondence"), text_table(result), _note(view, result, origin)
    text = f"{aligned(table.columns, table.rows)}\n\n{literal(' '.join((*table.note, note)))}\n"
    say(*text.split("\n"))
    title = f"{len(portraits)} images with one part covered at a time, and with random places covered"
    draw_correspondence(result, path, title=title, caption=note)
    write_text(path.with_suffix(".md"), f"# {literal(table.title)}\n\n{text}")
    return Drawn([path, path.with_suffix(".md")], result)


def _check(options: Options, image_size: int) -> None:
    check_flags(options, "correspondence")
    if options.size is not None and not 1 <= options.size <= image_size:
        raise InputError(
            f"--correspondence.size must lie between 1 and the image's {image_size} pixels, not {options.size}"
        )


def _note(view: View, result: Result, origin: str) -> str:
    """What was covered, and of what."""
    side = view.run.arch.image_size
    shown = f" The first {SHOWN} are shown." if len(result.images) > SHOWN else ""
    return (
        f"Covered by a square of {result.size}×{result.size} of {side}×{side} pixels with the mean image's colours, 0 "
        f"in the input; the paper states no size. Left and right as the keypoints name them. "
        f"{origin[0].upper()}{origin[1:]}.{shown} {view.origin}"
    )


FIGURE = Figure(
    "Table 1 and Fig. 8, whether covering the same part of different objects changes features alike.",
    Options,
    draw,
    takes=("layers", "images"),
)
