"""A unit's strongest image as several methods explain it, in the window that the unit sees."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.convnet import forward
from zfjax.data import Source
from zfjax.deconvnet import Projection, Units, project
from zfjax.descent import Norm
from zfjax.ops import Overlap
from zfjax.paper.patches import cut_pictures, window_of
from zfjax.paper.top_activations import Winners, responds
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.terminal import meter
from zfjax.windows import Corner, cut

METHODS = ("deconvnet", "guided_backprop", "gradient", "gradient_x_input")  # names of zfjax.paper.methods
UNITS = 32  # explained at a time, each in an image of its own


class Explained(NamedTuple):
    """Some units of a layer, each in its strongest image."""

    units: list[int]
    pictures: np.ndarray  # float32 [units, METHODS, h, w, C], signed; 0 of a unit that is silent
    patches: np.ndarray  # float32 [units, h, w, C], what the unit sees in 0..255, NaN outside the image; 0 if silent


def methods_of(
    run: Run,
    source: Source,
    layer: str,
    winners: Winners,
    units: Sequence[int],
    *,
    overlap: Overlap = "sum",
    norm: Norm = "identity",
    progress: bool = False,
) -> Iterator[Explained]:
    """What METHODS say of the strongest activation of each of the units, 32 units at a time.

    winners: of the layer, arrays [C, k], as `collect` finds them on the same source. overlap, norm: of the deconvnet,
    which starts from the activation as `project_winners` does; the others are those of `zfjax.attribution`, exact and
    of this activation alone, computed in its window instead of the whole image.
    """
    alive, shape = responds(winners)[:, 0], (*window_of(run.arch, layer), run.arch.channels)
    options: dict[str, Any] = {"layer": layer, "overlap": overlap, "norm": norm}
    with meter(total=len(units), desc=f"methods, {layer}", unit=" units", disable=not progress) as bar:
        for start in range(0, len(units), UNITS):
            group = [int(unit) for unit in units[start : start + UNITS]]
            pictures = np.zeros((len(group), len(METHODS), *shape), np.float32)
            patches = np.zeros((len(group), *shape), np.float32)
            there = [place for place, unit in enumerate(group) if alive[unit]]
            if there:
                canvases, asked = _asked(source, winners, [group[place] for place in there])
                found = _explain(run.arch, run.variables, canvases, asked, **options)
                seen = run.preprocess.visible(canvases)[np.asarray(asked.image)]
                for place, image, each, top, left in zip(there, seen, *map(np.asarray, found), strict=False):
                    for picture, pixels in zip(pictures[place], each, strict=True):
                        picture[:], patches[place] = cut_pictures(pixels, image, int(top), int(left), shape[:2])
            yield Explained(group, pictures, patches)
            bar.update(len(group))


def _asked(source: Source, winners: Winners, units: list[int]) -> tuple[np.ndarray, Units]:
    """Canvases [32, S, S, C], each image once, and 32 units in them; both filled up, so that one program serves all."""
    numbers, place = np.unique(np.asarray(winners.image)[units, 0], return_inverse=True)
    canvases = np.stack([source[int(number)]["image"] for number in numbers])
    canvases = np.concatenate([canvases, np.repeat(canvases[-1:], UNITS - len(canvases), axis=0)])
    columns = place, np.array(units), np.asarray(winners.row)[units, 0], np.asarray(winners.col)[units, 0]
    filled = [np.concatenate([column, np.repeat(column[-1:], UNITS - len(units))]) for column in columns]
    return canvases, Units(*(jnp.asarray(column, jnp.int32) for column in filled))


@functools.partial(jax.jit, static_argnames=("arch", "layer", "overlap", "norm"))
def _explain(
    arch: Arch,
    variables: tuple[dict, Preprocess],
    canvases: Any,
    units: Units,
    *,
    layer: str,
    overlap: Overlap,
    norm: Norm,
) -> Projection:
    """Pixels [32, METHODS, h, w, C] of one receptive field each, as `project` has them."""
    params, preprocess = variables
    images = preprocess.centre(canvases)
    seen = forward(arch, params, images)
    down = functools.partial(project, arch, params, seen, layer, units)
    deconvnet = down(overlap=overlap, norm=norm)
    gradient, guided = (down(norm="vjp", seed="one", rectify=rule).pixels for rule in ("activation", "both"))
    inputs = cut(images, units.image, Corner(deconvnet.top, deconvnet.left), gradient.shape[1:3])
    pictures = {
        "deconvnet": deconvnet.pixels,
        "guided_backprop": guided,
        "gradient": gradient,
        "gradient_x_input": gradient * inputs,
    }
    return deconvnet._replace(pixels=jnp.stack([pictures[name] for name in METHODS], axis=1))
