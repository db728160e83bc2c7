"""What the live page computes: pictures through the network once, then maps and projections of them at a click.

Every program is compiled for one picture and one unit. All that is asked runs in the one thread that computes.
"""

from __future__ import annotations

import functools
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

import jax
import numpy as np

from zfjax.arch import Arch
from zfjax.convnet import Forward, forward
from zfjax.deconvnet import Units, project
from zfjax.draw.tiles import display_limit, rgb8, with_limit
from zfjax.errors import InputError
from zfjax.layers import Dropout, Identity
from zfjax.ops import Overlap
from zfjax.paper.patches import cut_patch, cut_pictures, sees_all, window_of
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run

MOST_HELD = 8  # images; one of VGG-16 takes 110 MB
OVERLAPS = get_args(Overlap)
METHODS = {
    "deconvnet": "unpooling, rectifying and filtering, down to pixels (Zeiler & Fergus 2013)",
    "gradient": "how the activation changes with each pixel (Simonyan et al. 2013)",
    "guided_backprop": "the gradient, rectified on its way down as in the deconvnet (Springenberg et al. 2014)",
    "gradient_x_input": "the gradient times the picture (Shrikumar et al. 2016)",
}


class Gone(InputError):
    """An image that is not held, or no more."""


class Held(NamedTuple):
    """A picture that was passed through the network."""

    id: str
    name: str
    label: int  # of its class, -1 where nobody knows
    pixels: np.ndarray  # float32 [S, S, C] in 0..255
    inputs: jax.Array  # [1, S, S, C], what the network took
    seen: Forward
    probabilities: np.ndarray  # [K]

    @property
    def picture(self) -> np.ndarray:
        """To be shown: uint8 [S, S, C]."""
        return np.clip(np.rint(self.pixels), 0, 255).astype(np.uint8)


class Maps(NamedTuple):
    """All maps of a layer, each on its own scale from min(0, its minimum) to max(0, its maximum) as 0..255."""

    maxima: np.ndarray  # float32 [C]
    minima: np.ndarray  # float32 [C]
    places: np.ndarray  # int32 [C], row * w + column of each map's first maximum
    levels: np.ndarray  # uint8 [C, h, w]


class Shown(NamedTuple):
    """A projection as it is drawn, in its place of the picture."""

    pixels: np.ndarray  # uint8 [h, w, 3]
    top: int
    left: int
    value: float  # the activation
    gain: float  # the |value| that is drawn as full black or white


class Asked(NamedTuple):
    """A unit at its place, and how it is brought to pixels."""

    layer: str
    unit: int
    row: int
    col: int
    method: str = "deconvnet"
    overlap: Overlap = "sum"


def layers_of(arch: Arch) -> list[str]:
    """The layers that are looked at: all that change anything in a network that does not learn."""
    return [row.name for row in arch.rows if row.layer.relu or not isinstance(row.layer, Dropout | Identity)]


class Microscope:
    """A run, and the images last looked at."""

    def __init__(self, run: Run):
        self.run = run
        self.done = 0  # projections
        self.layers = layers_of(run.arch)
        # a walk down the table takes a millisecond of a click
        self._windows = {layer: window_of(run.arch, layer) for layer in self.layers}
        self._whole = {layer for layer in self.layers if sees_all(run.arch, layer)}
        self._held: OrderedDict[str, Held] = OrderedDict()

    @property
    def held(self) -> int:
        """How many images are held."""
        return len(self._held)

    def prepare(self, methods: Sequence[str] = ("deconvnet",)) -> Iterator[str]:
        """Compiles what a click needs, layer by layer; yields their names. Raises InputError as `take` does."""
        blank = self._look(np.asarray(self.run.preprocess.visible_mean(), np.float32), "", -1)
        for layer in self.layers:
            for method in methods:
                self._project(blank, Asked(layer, 0, 0, 0, method))
            yield layer

    def take(self, pixels: np.ndarray, name: str = "", label: int = -1) -> Held:
        """Passes a picture, [S, S, C] in 0..255, through the network, and holds it.

        Raises InputError where the network answers with what is no number.
        """
        image = self._look(pixels, name, label)
        self._held[image.id] = image
        while len(self._held) > MOST_HELD:
            self._held.popitem(last=False)
        return image

    def find(self, number: str) -> Held:
        """An image by its id; it now counts as the one used last. Raises Gone."""
        if number not in self._held:
            raise Gone(f"this picture is no longer held: the {MOST_HELD} used last are; show it again")
        self._held.move_to_end(number)
        return self._held[number]

    def maps(self, number: str, layer: str) -> Maps:
        """All maps of a layer."""
        maps = np.moveaxis(np.asarray(self.find(number).seen.activations[layer])[0], 2, 0)
        maxima, minima, places = maps.max((1, 2)), maps.min((1, 2)), maps.reshape(len(maps), -1).argmax(1)
        low = np.minimum(minima, 0)
        span = np.maximum(maxima, 0) - low
        scale = np.divide(255, span, out=np.zeros_like(span), where=span > 0)
        levels = np.rint((maps - low[:, None, None]) * scale[:, None, None])
        return Maps(maxima.astype("<f4"), minima.astype("<f4"), places.astype("<i4"), levels.astype(np.uint8))

    def project(self, number: str, asked: Asked) -> Shown:
        """A unit in pixels, by the display rule of the figures. Raises Gone, and InputError for a unit out of range."""
        image = self.find(number)
        shape = self.run.arch.row(asked.layer).shape
        for name, value, size in zip(("row", "col", "unit"), (asked.row, asked.col, asked.unit), shape, strict=True):
            if not 0 <= value < size:
                raise InputError(f"{asked.layer} has {name} 0 to {size - 1}; asked for {value}")
        shown = self._project(image, asked)
        self.done += 1
        return shown

    def _look(self, pixels: np.ndarray, name: str, label: int) -> Held:
        pixels = np.asarray(pixels, np.float32)
        inputs, seen, probabilities = _look(self.run.arch, self.run.variables, pixels)
        probabilities = np.asarray(probabilities)
        if not np.isfinite(probabilities).all():
            raise InputError(f"the network of step {self.run.step:,} answers with what is no number; take another step")
        return Held(secrets.token_hex(16), name, label, pixels, inputs, seen, probabilities)

    def _project(self, image: Held, asked: Asked) -> Shown:
        pixels, top, left = self._down(image, asked)
        value = float(np.asarray(image.seen.activations[asked.layer])[0, asked.row, asked.col, asked.unit])
        gain = display_limit(pixels)
        return Shown(rgb8(with_limit(pixels, gain)), top, left, value, gain)

    def _down(self, image: Held, asked: Asked) -> tuple[np.ndarray, int, int]:
        """Signed pixels [*window, C] of the unit's window, and its corner."""
        numbers: Any = np.array([[0], [asked.unit], [asked.row], [asked.col]], np.int32)
        options = _RULES.get(asked.method, _GRADIENT) if asked.method != "deconvnet" else {"overlap": asked.overlap}
        found = _down(self.run.arch, self.run.params, image.seen, asked.layer, Units(*numbers), **options)
        pixels, top, left = (np.asarray(each)[0] for each in found)
        corner = int(top), int(left)
        if asked.method == "gradient_x_input":
            pixels = pixels * np.nan_to_num(cut_patch(np.asarray(image.inputs)[0], *corner, pixels.shape[:2]), nan=0.0)
        pixels, _ = cut_pictures(pixels, image.pixels, *corner, self._windows[asked.layer])
        return (pixels, 0, 0) if asked.layer in self._whole else (pixels, *corner)


# Each of this one activation alone, in its window: what `zfjax.attribution` computes of the whole image.
_GRADIENT: dict[str, Any] = {"norm": "vjp", "seed": "one", "rectify": "activation"}
_RULES = {"guided_backprop": {**_GRADIENT, "rectify": "both"}}
_down = jax.jit(project, static_argnames=("arch", "layer", "overlap", "norm", "seed", "rectify"))


@functools.partial(jax.jit, static_argnames="arch")
def _look(arch: Arch, variables: tuple[dict, Preprocess], pixels: jax.Array) -> tuple[jax.Array, Forward, jax.Array]:
    params, preprocess = variables
    inputs = preprocess.normalise(pixels)[None]
    seen = forward(arch, params, inputs)
    return inputs, seen, jax.nn.softmax(seen.logits[0])
