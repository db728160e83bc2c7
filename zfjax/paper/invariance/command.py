"""Fig. 5: shift, scale and rotation, what they do to the features of two layers and to the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.ranges import check_flags

if TYPE_CHECKING:
    from zfjax.paper.pictures import Pictures

PAPER_SIZE = 224  # pixels; shifts are given for an image of this size
FILLS = {"mean": "the mean image", "zero": "black", "edge": "the nearest pixels"}


@dataclass(frozen=True)
class Options:
    """Fig. 5. The ranges are read off the paper's axes; its text gives none, and neither fill nor interpolation."""

    layers: str = ""
    """Layers whose features are compared, e.g. norm1,fc7 or layer*.0; empty: the first block's output and the last
    hidden layer."""
    num_images: int = 5
    """How many images to choose where --images names none."""
    shift: float = 60.0
    """Largest vertical shift either way, in pixels of an image of 224; it shrinks with the network's image."""
    shift_steps: int = 20
    """Shifts either way; each is rounded to whole pixels, so that none blurs the image."""
    scale: float = 1.8
    """Largest factor of enlargement; the smallest is 1."""
    scale_steps: int = 17
    """Factors, 1 and the largest included."""
    rotation: float = 350.0
    """Largest rotation in degrees, counterclockwise; the smallest is 0."""
    rotation_steps: int = 36
    """Angles, 0 and the largest included."""
    fill: Literal["mean", "zero", "edge"] = "mean"
    """What comes in from outside the image: the mean image, black, or the nearest pixel."""
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    """Between the pixels of the image."""
    normalised: bool = False
    """Divide distances by the norm of the untransformed image's features, so that layers can be compared."""


def draw(view: View, options: Options) -> Drawn:
    """One picture. The result is {"shift", "scale", "rotation": Invariance}.

    Raises InputError for ranges and layers that there are not.
    """
    transforms = amounts(options, view.run.arch.image_size)
    layers = view.run.arch.select(options.layers)
    from zfjax.paper.invariance.draw import draw_invariance
    from zfjax.paper.invariance.measure import measure_invariance
    from zfjax.paper.pictures import choose_pictures

    pictures = choose_pictures(view, options.num_images)
    curves = measure_invariance(
        view.run,
        pictures.canvases,
        pictures.labels,
        transforms,
        layers=layers,
        fill=options.fill,
        interpolation=options.interpolation,
        batch_size=view.batch_size,
        progress=view.progress,
    )
    path = view.path("invariance")
    title = f"{view.run.arch.name}: features and answers under vertical shift, scale and rotation"
    caption = f"{_summary(curves)} {_choices(view, options)} {_answers(view, pictures)} {view.origin}"
    draw_invariance(curves, _legend(view, pictures), path, title=title, caption=caption, normalised=options.normalised)
    return Drawn([path], curves)


def amounts(options: Options, image_size: int) -> dict[str, np.ndarray]:
    """What is done to the images: {"shift": whole pixels down, "scale": factors, "rotation": degrees}."""
    check_flags(options, "invariance")
    largest = max(1, round(options.shift * image_size / PAPER_SIZE))
    return {
        "shift": np.unique(np.round(np.linspace(-largest, largest, 2 * options.shift_steps + 1))),
        "scale": np.linspace(1, options.scale, options.scale_steps),
        "rotation": np.linspace(0, options.rotation, options.rotation_steps),
    }


def _legend(view: View, pictures: Pictures) -> list[str]:
    names = view.run.shown_names
    return [f"{names[label]} ({name})" for label, name in zip(pictures.labels, pictures.names, strict=True)]


def _summary(curves: dict) -> str:
    """How drastically each layer changes under small transformations, in a sentence."""
    from zfjax.paper.invariance.sensitivity import sensitivity

    found = {name: sensitivity(name, each) for name, each in curves.items()}
    early = {
        layer: " / ".join(f"{100 * np.nanmean(found[name][layer].early):.0f}" for name in curves)
        for layer in next(iter(found.values()))
    }
    shares = ", ".join(f"{layer} {shares} %" for layer, shares in early.items())
    return (
        f"At a tenth of the range the distance has reached this share of its largest ({' / '.join(curves)}, mean over "
        f"the images; a straight line: 10 %): {shares}."
    )


def _choices(view: View, options: Options) -> str:
    taken, usual = ((each.shift, each.scale, each.rotation) for each in (options, Options()))
    side = view.run.arch.image_size
    shrunk = f", its {PAPER_SIZE} pixels shrunk to {side}" if side != PAPER_SIZE else ""
    return (
        f"The ranges {'are' if taken == usual else 'are not'} those of the axes of the paper's figure{shrunk}. Outside "
        f"the image: {FILLS[options.fill]}; {options.interpolation} interpolation: choices of this figure, the paper "
        f"states neither."
    )


def _answers(view: View, pictures: Pictures) -> str:
    if pictures.known.all():
        return f"Images of {view.dataset.name}, {view.split} split, by number; the class is the true one."
    return "The class is the most probable one of the untransformed image."


FIGURE = Figure("Fig. 5, features and answers under shift, scale and rotation.", Options, draw, takes=("images",))
