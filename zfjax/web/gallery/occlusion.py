"""What covering a part of its strongest image does to a unit: Fig. 7's square, moved over what the unit sees."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.attribution.occlusion import centres, place_occlusion_map
from zfjax.data import Source
from zfjax.paper.patches import sees_all, window_of
from zfjax.paper.top_activations import Winners, responds
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.terminal import meter
from zfjax.windows import Corner

PLACES = 12  # of the square along each side, about
SHARE = 4  # of the window's shorter side, how often the square's goes into it
_COPIES = 64  # of the image at a time, each covered at another place


class Occluder(NamedTuple):
    """A grey square, the mean image's colour, and where its centre goes in the window of a layer's units, in pixels."""

    size: int
    rows: np.ndarray  # int [R]
    columns: np.ndarray  # int [S]


class Occluded(NamedTuple):
    """Some units of a layer, each in its strongest image, at the place where it is strongest."""

    units: list[int]
    activations: np.ndarray  # float32 [units, R, S], for every place of the square; 0 of a unit that is silent


def occluder(arch: Arch, layer: str) -> Occluder:
    """For the units of a layer: a quarter as wide as what they see, a twelfth of it from one place to the next."""
    window = window_of(arch, layer)
    rows, columns = (np.asarray(centres(side, max(1, round(side / PLACES)))) for side in window)
    return Occluder(max(1, round(min(window) / SHARE)), rows, columns)


def occlusion_of(
    run: Run, source: Source, layer: str, winners: Winners, units: Sequence[int], *, progress: bool = False
) -> Iterator[Occluded]:
    """The strongest activation of each of the units while `occluder` covers one part after the other of what it sees.

    winners: of the layer, arrays [C, k], as `collect` finds them on the same source. Units that are strongest at one
    place of one image, as many of a fully connected layer are, are measured together and come together; silent ones
    come first. Exact, though of each layer below only what the square changes and the unit sees is computed again.
    """
    alive, square = responds(winners)[:, 0], occluder(run.arch, layer)
    silent = [int(unit) for unit in units if not alive[unit]]
    places: dict[tuple[int, int, int], list[int]] = {}
    for unit in (int(unit) for unit in units if alive[unit]):
        image, row, col = (int(np.asarray(column)[unit, 0]) for column in winners[1:])
        places.setdefault((image, row, col), []).append(unit)
    with meter(total=len(units), desc=f"occlusion, {layer}", unit=" units", disable=not progress) as bar:
        if silent:
            yield Occluded(silent, np.zeros((len(silent), len(square.rows), len(square.columns)), np.float32))
            bar.update(len(silent))
        for (image, row, col), there in sorted(places.items()):
            canvas, place = source[image]["image"], Corner(jnp.asarray(row), jnp.asarray(col))
            top, left = _corner(run.arch, layer, row, col)
            centre = jnp.asarray(top + square.rows), jnp.asarray(left + square.columns)
            found = _cover(run.arch, run.variables, canvas, place, *centre, layer=layer, size=square.size)
            yield Occluded(there, np.moveaxis(np.asarray(found)[..., there], -1, 0))
            bar.update(len(there))


def _corner(arch: Arch, layer: str, row: int, col: int) -> tuple[int, int]:
    """Where the window of a unit begins in the image."""
    if sees_all(arch, layer):
        return 0, 0
    down, right = (arch.receptive_field(layer, axis) for axis in (0, 1))
    return row * down.stride + down.offset, col * right.stride + right.offset


@functools.partial(jax.jit, static_argnames=("arch", "layer", "size"))
def _cover(
    arch: Arch,
    variables: tuple[dict, Preprocess],
    canvas: Any,
    place: Corner,
    rows: jax.Array,
    columns: jax.Array,
    *,
    layer: str,
    size: int,
) -> jax.Array:
    """[R, S, C]: all maps of the layer at one place."""
    params, preprocess = variables
    places = len(rows) * len(columns)
    copies = max(count for count in range(1, min(_COPIES, places) + 1) if places % count == 0)  # or two are compiled
    image, options = preprocess.centre(canvas[None])[0], {"size": size, "batch_size": copies}
    return place_occlusion_map(arch, params, image, layer, place, rows, columns, **options)
