"""Fig. 6d in numbers: what a layer's response loses because the first one looks at every stride-th pixel only."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.model import Model, network
from zfjax.runs.run import Run

NEIGHBOURS = 4  # shifts on the grid, two on each side, from which those between are told
POSITIONS = 16  # of a map, at random, in each image


def aliasing(responses: np.ndarray, stride: int) -> float:
    """Share of the responses' variance between the first layer's grid points that those on the grid do not tell: 0..1.

    responses: [3 * stride + 1, samples, maps], of one unit under shifts of its image by 0, 1, 2, ... pixels. Shifts by
    whole strides move the first layer's map by whole places. By the sampling theorem those tell all others if the
    first layer holds no frequencies above half a cycle a stride; what is above comes out as false low frequencies,
    which depend on where the grid happens to lie (section 4.1: "aliasing artifacts caused by the large stride 4").
    So each response between the two middle grid points is fitted by least squares from the four grid points and a
    constant, over the samples; the result is the mean of 1 - R^2 over these shifts and all maps that respond.
    0 for stride 1, where nothing lies between; NaN where no map responds.
    Raises ValueError for another number of shifts.
    """
    if len(responses) != (NEIGHBOURS - 1) * stride + 1:
        raise ValueError(f"stride {stride} takes {(NEIGHBOURS - 1) * stride + 1} shifts, got {len(responses)}")
    if stride == 1:
        return 0.0
    lost = [
        _unexplained(responses[::stride, :, number], responses[between, :, number])
        for number in range(responses.shape[2])
        for between in range(stride + 1, 2 * stride)
    ]
    lost = np.array(lost)
    return float(lost[~np.isnan(lost)].mean()) if not np.isnan(lost).all() else float("nan")


def _unexplained(known: np.ndarray, wanted: np.ndarray) -> float:
    """1 - R^2 of the best linear guess at wanted [samples] from known [k, samples]; NaN if it is constant."""
    wanted, known = wanted.astype(np.float64), known.astype(np.float64)
    scale = np.square(wanted - wanted.mean()).sum()
    if not scale:
        return float("nan")
    design = np.stack([*known, np.ones(len(wanted))], axis=1)
    guess = design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    return float(np.square(wanted - guess).sum() / scale)


def shifted_responses(run: Run, canvases: np.ndarray, layer: str, stride: int, axis: int, seed: int = 0) -> np.ndarray:
    """Responses of a layer under shifts of the image by 0 to 3 * stride pixels: [3 * stride + 1, samples, maps].

    canvases: uint8 [N, S, S, C]. axis: 1, downwards, or 2, to the right. The image moves round in a ring, and samples
    are random positions whose receptive fields the seam does not touch (all positions where there are none).
    """
    shifts = (NEIGHBOURS - 1) * stride + 1
    places = _places(run.arch, layer, shifts - 1, axis)
    rng = np.random.default_rng(seed)
    chosen = np.stack([places[rng.permutation(len(places))[:POSITIONS]] for _ in canvases])
    look = functools.partial(_look, network(run.arch), run.variables, canvases, chosen, layer=layer, axis=axis)
    responses = [np.asarray(look(shift)) for shift in range(shifts)]
    return np.stack(responses).reshape(shifts, -1, run.arch.row(layer).shape[2])


def _places(arch: Arch, layer: str, room: int, axis: int) -> np.ndarray:
    """(row, column) of the units whose receptive field is in the image, `room` pixels from where that moves."""
    (rows, columns, _), fields = arch.row(layer).shape, [arch.receptive_field(layer, axis) for axis in (0, 1)]
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    size, stride, offset = (np.array(values) for values in zip(*fields, strict=True))
    start = grid * stride + offset
    least = np.where(np.arange(2) == axis - 1, room, 0)
    inside = ((start >= least) & (start + size <= arch.image_size)).all(axis=1)
    return grid[inside] if inside.any() else grid


@functools.partial(jax.jit, static_argnames=("model", "layer", "axis"))
def _look(model: Model, variables: Any, canvases, places, shift, *, layer: str, axis: int) -> jax.Array:
    """[N, positions, maps] of the shifted images. places: int [N, positions, 2]."""
    params, preprocess = variables
    images = preprocess.centre(canvases)
    maps = model(params, jnp.roll(images, shift, axis=axis)).activations[layer]
    return maps[jnp.arange(len(maps))[:, None], places[..., 0], places[..., 1]]
