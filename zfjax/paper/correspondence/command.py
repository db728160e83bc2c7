"""Table 1 and Fig. 8: whether covering the same part of different objects changes their features in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zfjax.draw.markdown import aligned
from zfjax.errors import InputError
from zfjax.paper.correspondence.portraits import choose_portraits
from zfjax.paper.default_layers import five_and_seven
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.files import write_text

if TYPE_CHECKING:
    from zfjax.data.keypoints import Portrait
    from zfjax.paper.correspondence.measure import Summary

SHOWN = 10  # rows of the picture: a page


@dataclass(frozen=True)
class Options:
    """Table 1 and Fig. 8; --layers says which layers are compared."""

    keypoints: str = ""
    """JSON file with images and the places of their parts; empty: the faces of the data set scenes."""
    parts: str = ""
    """Parts to cover, e.g. nose,left_eye; empty: all that every image has."""
    count: int | None = 5
    """Images to compare, chosen at random (or by --images among scenes); None: all."""
    unrecommended: bool = False
    """Take the images too that the file of keypoints calls not recommended."""
    size: int | None = None
    """Side of the grey square in pixels; None: a fifth of the image's. The paper does not give it."""
    draws: int = 100
    """Random placings of the square for the rows to compare with."""
    examples: int = 4
    """Random placings that are shown."""


class Result(NamedTuple):
    """The rows of Table 1, H of every pair of images; and what they were measured on."""

    layers: list[str]
    parts: dict[str, dict[str, Summary]]  # {part: {layer: mean and sd over the pairs}}
    controls: dict[str, dict[str, Summary]]  # "random", "random, same place": over pairs and placings
    lower: dict[str, dict[str, float]]  # {part: {layer: share of random placings whose mean is below the part's}}
    shares: dict[str, np.ndarray]  # {layer: [placings, pairs]}: first the parts, then both kinds of random placings
    images: list[str]
    size: int  # of the square, in pixels
    draws: int
    table: str  # aligned Markdown


def draw(view: View, options: Options) -> Drawn:
    """Prints the table, and saves it beside the picture. Raises LeftOut without keypoints."""
    from zfjax.paper.correspondence.draw import draw_correspondence
    from zfjax.paper.correspondence.measure import random_centres, square_centres

    arch = view.run.arch
    layers = view.chosen_layers() if view.layers else five_and_seven(arch)
    portraits, origin = choose_portraits(view, options)
    size = _square(options, arch.image_size)
    names = list(portraits[0].parts)
    parts = square_centres([[portrait.parts[name] for portrait in portraits] for name in names], size)
    rng = np.random.default_rng(view.seed)
    square = {"size": size, "image_size": arch.image_size}
    apart = random_centres(rng, options.draws, len(portraits), **square)
    same = random_centres(rng, options.draws, 1, **square).repeat(len(portraits), axis=1)
    shares = _measure(view, portraits, np.concatenate([parts, apart, same]), layers, size)
    result = _result(shares, names, options.draws, [portrait.name for portrait in portraits], size)
    path = view.path("correspondence")
    note = _note(view, result, origin)
    text = f"{result.table}\n\n{_table_note(result)} {note}\n"
    print(text, flush=True)
    pictures = _pictures(view, portraits, np.concatenate([parts, apart[: options.examples]]), size)
    heads = ["image", *(name.replace("_", " ") for name in names), "random places", *[""] * options.examples]
    title = f"{len(portraits)} images with one part covered at a time, and with random places covered"
    caption = f"Left to right: the image, each part covered, random placings of the square (as Fig. 8). {note}"
    draw_correspondence(pictures, heads[: pictures.shape[1]], path, title=title, caption=caption)
    write_text(path.with_suffix(".md"), f"# Correspondence (Table 1)\n\n{text}")
    return Drawn([path, path.with_suffix(".md")], result)


def _square(options: Options, image_size: int) -> int:
    size = max(1, round(image_size / 5)) if options.size is None else options.size
    if not 1 <= size <= image_size:
        raise InputError(f"--correspondence.size must lie between 1 and the image's {image_size} pixels, not {size}")
    for name, least in {"draws": 1, "examples": 0}.items():
        if getattr(options, name) < least:
            raise InputError(f"--correspondence.{name} must be at least {least}, not {getattr(options, name)}")
    return size


def _measure(view: View, portraits: list[Portrait], places: np.ndarray, layers: list[str], size: int) -> dict:
    from zfjax.convnet import forward
    from zfjax.paper.correspondence.measure import correspondence, select_features

    run, arch = view.run, view.run.arch
    canvases = np.stack([portrait.canvas for portrait in portraits])
    images = run.preprocess.centre(canvases)

    def predict(params, images):
        return select_features(forward(arch, params, images).activations, layers)

    options = {"size": size, "batch_size": view.batch_size, "progress": view.progress}
    shares = correspondence(predict, run.params, np.asarray(images), places, **options)
    return {layer: shares[layer] for layer in layers}  # in the order asked for


def _pictures(view: View, portraits: list[Portrait], places: np.ndarray, size: int) -> np.ndarray:
    """[N, 1 + K, S, S, C] in 0..255: each image as it is, and covered with the mean image in K places."""
    import jax

    from zfjax.paper.occlusion.measure import occlude

    preprocess = view.run.preprocess
    mean = np.clip(preprocess.visible_mean(), 0, 255)
    cover = jax.jit(lambda image, place: occlude(image, *place, size=size, fill=mean))
    rows = []
    for number, portrait in enumerate(portraits[:SHOWN]):
        image = preprocess.visible(portrait.canvas).astype(np.float32)
        rows.append([image, *(np.asarray(cover(image, placing[number])) for placing in places)])
    return np.array(rows)


def _result(shares: dict[str, np.ndarray], names: list[str], draws: int, images: list[str], size: int) -> Result:
    from zfjax.paper.correspondence.measure import summary

    count = len(names)
    parts = {name: {layer: summary(shares[layer][row]) for layer in shares} for row, name in enumerate(names)}
    kinds = {"random": np.s_[count : count + draws], "random, same place": np.s_[count + draws :]}
    controls = {kind: {layer: summary(shares[layer][rows]) for layer in shares} for kind, rows in kinds.items()}
    means = {layer: shares[layer][kinds["random"]].mean(axis=1) for layer in shares}
    lower = {
        name: {layer: float((means[layer] < row[layer].mean).mean()) for layer in shares} for name, row in parts.items()
    }
    return Result(
        list(shares), parts, controls, lower, shares, images, size, draws, _table(parts, controls, lower, draws)
    )


def _table(parts: dict, controls: dict, lower: dict, draws: int) -> str:
    """Ours, then the paper's; the paper's columns only beside the layers that they belong to."""
    from zfjax.paper.numbers import CORRESPONDENCE

    layers = list(next(iter(parts.values())))
    papers = {"pool5": "layer 5", "fc7": "layer 7"}
    cited = [papers[layer] for layer in layers if layer in papers]
    cells = [["covered", *(f"{layer}" for layer in layers), *(f"random below, {layer}" for layer in layers)]]
    cells[0] += [f"paper, {name}" for name in cited]
    for name, row in {**parts, **controls}.items():
        shown = name.replace("_", " ")
        paper = next(
            (values for key, values in CORRESPONDENCE.items() if shown == key or shown.startswith(f"{key} ")), {}
        )
        below = [f"{round(lower[name][layer] * draws)} of {draws}" if name in lower else "" for layer in layers]
        ours = [f"{row[layer].mean:.3f} ± {row[layer].sd:.3f}" for layer in layers]
        cells.append([shown, *ours, *below, *(_pair(paper.get(name)) for name in cited)])
    return aligned(cells[0], cells[1:])


def _pair(value: tuple[float, float] | None) -> str:
    return f"{value[0]:.3f} ± {value[1]:.3f}" if value else ""


def _table_note(result: Result) -> str:
    """What the table shows."""
    count = len(result.images)
    cited = " The paper's columns: its Table 1, five dogs, trained on ImageNet." if "paper" in result.table else ""
    return (
        f"Share of components in which the sign (−1, 0, 1) of the change differs between two images, mean ± standard "
        f"deviation over the {count * (count - 1) // 2} pairs of {count} images; lower is more alike. Random: "
        f"{result.draws} placings of the square within the image, for each image on its own; same place: at one place "
        f"for all images. Random below: random placings whose mean is lower than the part's.{cited}"
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
)
