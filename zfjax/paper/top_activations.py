"""The strongest activations of every map over a data set, and what they have in common, seen in pixels (Fig. 2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax import ops
from zfjax.arch import Arch
from zfjax.convnet import Forward
from zfjax.data import Source, eval_batches
from zfjax.deconvnet import Norm, Units, project
from zfjax.model import Model, on_canvases
from zfjax.paper.patches import cut_pictures, window_of
from zfjax.runs.run import Run
from zfjax.terminal import Meter, meter

UNITS = 32  # projected at a time; 32 windows of a conv5 unit take 55 MB at conv1's maps

Batch = dict[str, np.ndarray]


class Winners(NamedTuple):
    """The k strongest activations of every map, strongest first, at most one an image (Fig. 2); arrays [maps, k]."""

    value: jax.Array | np.ndarray  # -inf where there were fewer than k images
    image: jax.Array | np.ndarray  # the image's number in its source
    row: jax.Array | np.ndarray
    col: jax.Array | np.ndarray


Choose = Callable[[str, Winners], list[int]]  # (layer, its winners [maps, k]) -> the maps to show


class FeatureMap(NamedTuple):
    """What Fig. 2 shows of one feature map: its k strongest activations, at most one per image."""

    index: int
    projections: np.ndarray  # [k, h, w, C] signed, C = 1 or 3, one window of the layer each (`window_of`)
    patches: np.ndarray  # [k, h, w, C] in 0..255, the same windows of the images, NaN outside the image
    activations: np.ndarray  # [k], strongest first


class _Unit(NamedTuple):
    """A winner, and where its pictures go."""

    image: int
    channel: int
    row: int
    col: int
    projection: np.ndarray  # [h, w, channels]
    patch: np.ndarray


def no_winners(maps: int, k: int) -> Winners:
    """Where a search begins."""
    place = jnp.full((maps, k), -1, jnp.int32)
    return Winners(jnp.full((maps, k), -jnp.inf, jnp.float32), place, place, place)


def responds(winners: Winners) -> np.ndarray:
    """Which winners there are, bool of their shape: zero is what a silent unit of a rectified layer has, and a value
    like others of a map that has weaker ones, below it."""
    value = np.asarray(winners.value)
    there = np.isfinite(value)
    return there & ((value != 0) | (np.where(there, value, 0) < 0).any(axis=-1, keepdims=True))


def update(winners: Winners, activations: jax.Array, index: jax.Array, mask: jax.Array) -> tuple[Winners, jax.Array]:
    """Lets the images of one batch compete; returns the winners, and each map's maximum in each image [N, maps].

    activations: [N, h, w, maps]. index: int [N], the images' numbers. mask: bool [N], False for rows that only fill up
    the batch. Of equal values the earlier image wins, and within an image the first place in row-major order.
    """
    maxima, row, col = ops.peaks(activations)
    value = jnp.where(mask[:, None], maxima.astype(jnp.float32), -jnp.inf)
    number = jnp.broadcast_to(index[:, None], row.shape)
    challengers = Winners(*(column.T for column in (value, number, row, col)))
    both = jax.tree.map(lambda old, new: jnp.concatenate([old, new.astype(old.dtype)], axis=1), winners, challengers)
    _, best = jax.lax.top_k(both.value, winners.value.shape[1])  # of equal ones it takes the first: the earlier image
    return jax.tree.map(lambda column: jnp.take_along_axis(column, best, axis=1), both), maxima


@functools.partial(jax.jit, static_argnames="model")
def compete(model: Model, params: Any, winners: dict[str, Winners], batch: dict) -> tuple[dict, dict]:
    """`update` of every layer that has winners."""
    seen = model(params, batch["image"]).activations
    found = {layer: update(old, seen[layer], batch["index"], batch["mask"]) for layer, old in winners.items()}
    return {layer: new for layer, (new, _) in found.items()}, {layer: maxima for layer, (_, maxima) in found.items()}


def mine(
    model: Model,
    params: Any,
    batches: Iterable[Batch],
    layers: dict[str, int],
    k: int,
    watch: Callable[[Batch, dict[str, jax.Array]], None] | None = None,
) -> dict[str, Winners]:
    """The winners of every map of the named layers, over all batches, with memory for the winners only.

    model: (params, images) -> Forward, one object for every call, as `zfjax.model.on_canvases` gives it: it is
    compiled once. batches: as `zfjax.data.eval_batches` yields them. layers: {layer: number of its maps}. watch: called
    with each batch and {layer: each map's maximum in each of its images [N, maps]}. Returns NumPy arrays.
    """
    winners = {name: no_winners(maps, k) for name, maps in layers.items()}
    for batch in batches:
        winners, maxima = compete(model, params, winners, {key: batch[key] for key in ("image", "index", "mask")})
        if watch:
            watch(batch, maxima)
    return jax.tree.map(np.asarray, winners)


def search(
    model: Model,
    params: Any,
    source: Source,
    layers: dict[str, int],
    top: int,
    *,
    indices: Sequence[int] | None,
    batch_size: int,
    progress: bool,
) -> dict[str, Winners]:
    """`mine` over a source, or the images of `indices`."""
    count = len(source) if indices is None else len(indices)
    batches = eval_batches(source, batch_size=min(batch_size, count), indices=indices)
    with meter(total=count, desc="searching", unit=" images", disable=not progress) as bar:
        return mine(model, params, counted(batches, bar), layers, top)


def strongest_activations(
    run: Run,
    source: Source,
    layers: Sequence[str],
    *,
    top: int = 9,
    indices: Sequence[int] | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, Winners]:
    """The `top` strongest activations of every map of the layers over a source: arrays [maps, top] (section 4).

    indices: the images to search; None: all. Raises InputError for an unknown layer.
    """
    maps, options = number_of_maps(run.arch, layers), {"indices": indices, "batch_size": batch_size}
    return search(on_canvases(run.arch), run.variables, source, maps, top, progress=progress, **options)


def number_of_maps(arch: Arch, layers: Sequence[str]) -> dict[str, int]:
    """{layer: number of its maps}; raises InputError for an unknown layer."""
    return {layer: arch.row(layer).shape[2] for layer in layers}


def counted(batches: Iterable[Batch], bar: Meter) -> Iterator[Batch]:
    """The same batches, whose images a progress bar counts once they are done."""
    for batch in batches:
        yield batch
        bar.update(int(batch["mask"].sum()))


@functools.partial(jax.jit, static_argnames="model")
def _look(model: Model, params: Any, images: jax.Array) -> Forward:
    return model(params, images)


_down = jax.jit(project, static_argnames=("arch", "layer", "overlap", "norm"))


def project_winners(
    run: Run,
    source: Source,
    winners: dict[str, Winners],
    maps: Mapping[str, Sequence[int]],
    *,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    batch_size: int = 64,
    progress: bool = False,
) -> dict[str, list[FeatureMap]]:
    """Projections of the winners of the chosen maps, beside the patches of the images that they see.

    winners: of `strongest_activations` on the same source. maps: {layer: numbers of maps}. A map has fewer pictures
    than winners where it was silent. Every image is passed through the network once, whatever number of maps it won.
    """
    features = {layer: [_blank(run, layer, winners[layer], number) for number in maps[layer]] for layer in maps}
    wanted = {layer: list(_units(features[layer], winners[layer])) for layer in maps}
    images = sorted({unit.image for units in wanted.values() for unit in units})
    # by what is asked for, not by what is found: the moments of Fig. 4 share one compiled program
    asked = sum(len(maps[layer]) * winners[layer].value.shape[1] for layer in maps)
    batch_size, model = max(1, min(batch_size, asked)), on_canvases(run.arch)
    with meter(total=sum(map(len, wanted.values())), desc="projecting", unit=" units", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=batch_size, indices=images) if images else ():
            seen = _look(model, run.variables, batch["image"])
            slots = {int(image): slot for slot, image in enumerate(batch["index"])}
            crops = run.preprocess.visible(batch["image"])
            for layer, units in wanted.items():
                for chunk in _chunks([unit for unit in units if unit.image in slots], UNITS):
                    places = _places(chunk, slots)
                    found = _down(run.arch, run.params, seen, layer, places, overlap=overlap, norm=norm)
                    for unit, pixels, top, left in zip(chunk, *map(np.asarray, found), strict=False):
                        image, window = crops[slots[unit.image]], unit.patch.shape[:2]
                        unit.projection[:], unit.patch[:] = cut_pictures(pixels, image, int(top), int(left), window)
                    bar.update(len(chunk))
    return features


def _blank(run: Run, layer: str, winners: Winners, number: int) -> FeatureMap:
    """Room for a map's pictures, so that they are there once only (2.6 GB for all maps of ZFNet)."""
    alive = np.asarray(winners.value[number])[responds(winners)[number]]
    pictures = (len(alive), *window_of(run.arch, layer), run.arch.channels)
    return FeatureMap(number, np.zeros(pictures, np.float32), np.zeros(pictures, np.float32), alive)


def _units(features: list[FeatureMap], winners: Winners) -> Iterator[_Unit]:
    for feature in features:
        ranks = np.flatnonzero(responds(winners)[feature.index])
        for rank, projection, patch in zip(ranks, feature.projections, feature.patches, strict=True):
            image, row, col = (int(column[feature.index, rank]) for column in winners[1:])
            yield _Unit(image, feature.index, row, col, projection, patch)


def _chunks(spots: list, size: int) -> Iterator[list]:
    return (spots[start : start + size] for start in range(0, len(spots), size))


def _places(units: list[_Unit], slots: dict[int, int]) -> Units:
    """Padded to a fixed number with copies of the last, so that one compiled program serves every chunk."""
    padded = [*units, *[units[-1]] * (UNITS - len(units))]
    columns = zip(*((slots[unit.image], unit.channel, unit.row, unit.col) for unit in padded), strict=True)
    return Units(*(jnp.array(column) for column in columns))
