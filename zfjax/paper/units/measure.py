"""What a unit responds to most, in whole images (as Girshick et al. 2014 show pool5), beside random directions."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from zfjax.arch import Arch
from zfjax.convnet import Forward
from zfjax.data import Source, eval_batches
from zfjax.paper.mining import Winners, mine
from zfjax.paper.top_activations import see
from zfjax.runs.run import Run


class Strongest(NamedTuple):
    """The images that a unit, or a direction, responds to most; strongest first."""

    name: str
    images: np.ndarray  # uint8 [k, S, S, C], centre crops
    boxes: np.ndarray  # int [k, 3]: top, left and side of the receptive field, which may stick out over the image
    values: np.ndarray  # [k]
    numbers: np.ndarray  # int [k], the images' in their source


def random_directions(rng: np.random.Generator, channels: int, count: int) -> np.ndarray:
    """Unit vectors in the space of a layer's maps, uniform over the sphere: float32 [channels, count]."""
    vectors = rng.normal(size=(channels, count))
    return (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)


def along(activations: jax.Array, directions: jax.Array) -> jax.Array:
    """The component of every place's activations in each direction: [N, h, w, C], [C, D] -> [N, h, w, D]."""
    return jnp.einsum("nhwc,cd->nhwd", activations, directions, precision="highest")


def strongest_places(
    run: Run,
    source: Source,
    directions: dict[str, np.ndarray],
    *,
    top: int = 9,
    indices: Sequence[int] | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> tuple[dict[str, Winners], dict[str, Winners]]:
    """The `top` strongest activations of every map, and of every direction, of the layers in one pass over a source.

    directions: {layer: [C, D]}, D >= 0; these layers are searched. A direction is a unit that reads all maps of one
    place with these weights (Szegedy et al. 2013 ask whether single maps are special among them). Arrays [maps, top]
    and [D, top], at most one place an image.
    """
    count = len(source) if indices is None else len(indices)
    batch_size = min(batch_size, count)
    batches = eval_batches(source, batch_size=batch_size, indices=indices)
    batches = tqdm(
        batches, total=math.ceil(count / batch_size), desc="searching", unit=" batches", disable=not progress
    )
    wanted = {layer: len(vectors) for layer, vectors in directions.items()}
    wanted |= {_key(layer): vectors.shape[1] for layer, vectors in directions.items() if vectors.shape[1]}
    found = mine(functools.partial(_look, run.arch), (*run.variables, directions), batches, wanted, top)
    none = Winners(*(np.zeros((0, top)) for _ in Winners._fields))
    return {layer: found[layer] for layer in directions}, {layer: found.get(_key(layer), none) for layer in directions}


def _key(layer: str) -> str:
    return f"{layer} directions"


def _look(arch: Arch, variables: tuple, images: jax.Array) -> Forward:
    """`see`, with the components along the directions as layers of their own."""
    params, preprocess, directions = variables
    seen = see(arch, (params, preprocess), images)
    components = {_key(layer): along(seen.activations[layer], vectors) for layer, vectors in directions.items()}
    return seen._replace(activations={**seen.activations, **components})


def show_strongest(run: Run, source: Source, layer: str, winners: Winners, rows: dict[int, str]) -> list[Strongest]:
    """The winners' images and receptive fields. rows: {row of the winners: its name}.

    A silent unit, 0 everywhere, and images that there are not are left out.
    """
    field, size = run.arch.receptive_field(layer), run.arch.image_size
    shown = []
    for row, name in rows.items():
        alive = np.flatnonzero(np.isfinite(winners.value[row]) & (winners.value[row] != 0))
        numbers = winners.image[row, alive].astype(int)
        corners = np.stack([winners.row[row, alive], winners.col[row, alive]], axis=1) * field.stride + field.offset
        boxes = np.concatenate([corners, np.full((len(alive), 1), field.size)], axis=1).astype(int)
        images = [run.preprocess.visible(source[int(number)]["image"]) for number in numbers]
        empty = np.zeros((0, size, size, run.arch.channels), np.uint8)
        shown.append(Strongest(name, np.stack(images) if images else empty, boxes, winners.value[row, alive], numbers))
    return shown
