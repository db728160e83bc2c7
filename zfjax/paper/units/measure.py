"""What units respond to: their strongest images (as Girshick et al. 2014 show pool5), and all maps for one image."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.convnet import Forward
from zfjax.data import Source
from zfjax.model import Model, on_canvases
from zfjax.paper.silent import choose_maps
from zfjax.paper.top_activations import Choose, Winners, number_of_maps, responds, search
from zfjax.runs.run import Run


class Strongest(NamedTuple):
    """The images that a unit, or a direction, responds to most; strongest first."""

    name: str
    images: np.ndarray  # uint8 [k, S, S, C], centre crops
    boxes: np.ndarray  # int [k, 4]: top, left, height and width of what it sees, which may stick out over the image
    values: np.ndarray  # [k]
    numbers: np.ndarray  # int [k], the images' in their source


class Seen(NamedTuple):
    """An image, and all maps of some layers."""

    image: np.ndarray  # uint8 [S, S, C], what the network sees of it
    maps: dict[str, np.ndarray]  # {layer: activations [h, w, C]}; h = w = 1 for dense layers


def random_directions(rng: np.random.Generator, channels: int, count: int) -> np.ndarray:
    """Unit vectors in the space of a layer's maps, uniform over the sphere: float32 [channels, count]."""
    vectors = rng.normal(size=(channels, count))
    return (vectors / np.linalg.norm(vectors, axis=0)).astype(np.float32)


def along(activations: jax.Array, directions: jax.Array) -> jax.Array:
    """The component of every place's activations in each direction: [N, h, w, C], [C, D] -> [N, h, w, D]."""
    return jnp.einsum("nhwc,cd->nhwd", activations, directions, precision="highest")


def strongest_units(
    run: Run,
    source: Source,
    directions: dict[str, np.ndarray],
    choose: Choose,
    *,
    top: int = 9,
    indices: Sequence[int] | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, list[Strongest]]:
    """The strongest images of the maps that `choose` names, then those of the directions, for each layer.

    directions: {layer: [C, D]}, D >= 0; these layers are searched. indices: the images to search; None: all.
    Layers that are silent on all of them are left out (`choose_maps`).
    """
    options = {"top": top, "indices": indices, "batch_size": batch_size, "progress": progress}
    units, mixed = strongest_places(run, source, directions, **options)
    found = {}
    for layer, chosen in choose_maps(directions, choose, units).items():
        maps = {number: f"map {number}" for number in chosen}
        mixtures = {number: f"direction {number + 1}" for number in range(directions[layer].shape[1])}
        found[layer] = show_strongest(run, source, layer, units[layer], maps)
        found[layer] += show_strongest(run, source, layer, mixed[layer], mixtures)
    return found


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
    wanted = number_of_maps(run.arch, [*directions])
    wanted |= {_key(layer): vectors.shape[1] for layer, vectors in directions.items() if vectors.shape[1]}
    variables, options = (run.variables, directions), {"indices": indices, "batch_size": batch_size}
    found = search(_with_directions(run.arch), variables, source, wanted, top, progress=progress, **options)
    none = Winners(*(np.zeros((0, top)) for _ in Winners._fields))
    return {layer: found[layer] for layer in directions}, {layer: found.get(_key(layer), none) for layer in directions}


def _key(layer: str) -> str:
    return f"{layer} directions"


@functools.cache
def _with_directions(arch: Arch) -> Model:
    """`on_canvases`, with the components along the directions as layers of their own."""

    def model(params: Any, canvases: jax.Array) -> Forward:
        variables, directions = params
        seen = on_canvases(arch)(variables, canvases)
        components = {_key(layer): along(seen.activations[layer], vectors) for layer, vectors in directions.items()}
        return seen._replace(activations={**seen.activations, **components})

    return model


def show_strongest(run: Run, source: Source, layer: str, winners: Winners, rows: dict[int, str]) -> list[Strongest]:
    """The winners' images and receptive fields. rows: {row of the winners: its name}.

    A silent unit, 0 everywhere, and images that there are not are left out.
    """
    fields, size = [run.arch.receptive_field(layer, axis) for axis in (0, 1)], run.arch.image_size
    shown = []
    for row, name in rows.items():
        alive, value = responds(winners)[row], np.asarray(winners.value[row])
        numbers = np.asarray(winners.image[row])[alive].astype(int)
        places = (winners.row[row, alive], winners.col[row, alive])
        corners = [place * field.stride + field.offset for place, field in zip(places, fields, strict=True)]
        boxes = np.stack([*corners, *(np.full(len(numbers), field.size) for field in fields)], axis=1).astype(int)
        images = [run.preprocess.visible(source[int(number)]["image"]) for number in numbers]
        empty = np.zeros((0, size, size, run.arch.channels), np.uint8)
        shown.append(Strongest(name, np.stack(images) if images else empty, boxes, value[alive], numbers))
    return shown


def layer_maps(run: Run, canvases: np.ndarray, layers: Sequence[str]) -> list[Seen]:
    """All maps of the layers for each of some uint8 canvases [N, S, S, channels]. Raises InputError for an unknown
    layer."""
    wanted, model = tuple(number_of_maps(run.arch, layers)), on_canvases(run.arch)
    # one image at a time: of 96 maps of 110x110 a batch of many would fill the memory that one picture needs
    found = [jax.device_get(_look(model, run.variables, canvas[None], wanted)) for canvas in canvases]
    crops = run.preprocess.visible(canvases)
    return [Seen(crop, {layer: maps[layer][0] for layer in wanted}) for crop, maps in zip(crops, found, strict=True)]


@functools.partial(jax.jit, static_argnames=("model", "layers"))
def _look(model: Model, params: Any, canvases: jax.Array, layers: tuple[str, ...]) -> dict[str, jax.Array]:
    activations = model(params, canvases).activations
    return {layer: activations[layer] for layer in layers}
