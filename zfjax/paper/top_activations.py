"""Fig. 2: what the strongest activations of a map have in common, seen in pixels."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from zfjax.arch import Arch
from zfjax.convnet import Forward, forward
from zfjax.data import Source, eval_batches
from zfjax.deconvnet import Units, project
from zfjax.paper.features.draw import FeatureMap
from zfjax.paper.mining import Winners, mine
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run

UNITS = 32  # projected at a time; 32 windows of a conv5 unit take 55 MB at conv1's maps


class _Unit(NamedTuple):
    """A winner, and where its pictures go."""

    image: int
    channel: int
    row: int
    col: int
    projection: np.ndarray  # [size, size, channels]
    patch: np.ndarray


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

    indices: the images to search; None: all.
    """
    maps = {layer: run.arch.row(layer).shape[2] for layer in layers}
    count = len(source) if indices is None else len(indices)
    batches = eval_batches(source, batch_size=min(batch_size, count), indices=indices)
    look = functools.partial(see, run.arch)
    with tqdm(total=count, desc="searching", unit=" images", disable=not progress) as bar:
        return mine(look, run.variables, _counted(batches, bar), maps, top)


def see(arch: Arch, variables: tuple[dict, Preprocess], images: jax.Array) -> Forward:
    """The network on the centre crops of uint8 canvases [N, S, S, C]. variables: parameters and preprocessing."""
    params, preprocess = variables  # as arguments: closed over, 250 MB of weights would be constants of the program
    return forward(arch, params, preprocess.centre(images))


_look = jax.jit(see, static_argnames="arch")
_down = jax.jit(project, static_argnames=("arch", "layer", "overlap", "norm"))


def project_winners(
    run: Run,
    source: Source,
    winners: dict[str, Winners],
    maps: dict[str, Sequence[int]],
    *,
    overlap: str = "sum",
    norm: str = "identity",
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
    batch_size = max(1, min(batch_size, len(images)))
    with tqdm(total=sum(map(len, wanted.values())), desc="projecting", unit=" units", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=batch_size, indices=images) if images else ():
            seen = _look(run.arch, run.variables, batch["image"])
            slots = {int(image): slot for slot, image in enumerate(batch["index"])}
            crops = _visible(run, batch["image"])
            for layer, units in wanted.items():
                for chunk in _chunks([unit for unit in units if unit.image in slots], UNITS):
                    places = _places(chunk, slots)
                    found = _down(run.arch, run.params, seen, layer, places, overlap=overlap, norm=norm)
                    for unit, pixels, top, left in zip(chunk, *map(np.asarray, found), strict=False):
                        unit.projection[:] = pixels
                        unit.patch[:] = cut_patch(crops[slots[unit.image]], int(top), int(left), len(pixels))
                    bar.update(len(chunk))
    return features


def cut_patch(image: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    """The window [size, size, C] of an image [H, W, C] whose corner is at (top, left); NaN outside the image."""
    patch = np.full((size, size, image.shape[2]), np.nan, np.float32)
    rows, columns = (
        slice(max(0, start), max(0, min(start + size, length)))
        for start, length in zip((top, left), image.shape, strict=False)
    )
    patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return patch


def _counted(batches: Iterator[dict], bar: tqdm) -> Iterator[dict]:
    for batch in batches:
        yield batch
        bar.update(int(batch["mask"].sum()))


def _blank(run: Run, layer: str, winners: Winners, number: int) -> FeatureMap:
    """Room for a map's pictures, so that they are there once only (2.6 GB for all maps of ZFNet)."""
    alive = winners.value[number][_alive(winners, number)]
    size = run.arch.receptive_field(layer).size
    pictures = (len(alive), size, size, run.arch.channels)
    return FeatureMap(number, np.zeros(pictures, np.float32), np.zeros(pictures, np.float32), alive)


def _alive(winners: Winners, number: int) -> np.ndarray:
    """The ranks of a map's winners that there are; zero is what a silent unit of a rectified layer has."""
    value = winners.value[number]
    return np.flatnonzero(np.isfinite(value) & (value != 0))


def _units(features: list[FeatureMap], winners: Winners) -> Iterator[_Unit]:
    for feature in features:
        ranks = _alive(winners, feature.index)
        for rank, projection, patch in zip(ranks, feature.projections, feature.patches, strict=True):
            image, row, col = (int(column[feature.index, rank]) for column in winners[1:])
            yield _Unit(image, feature.index, row, col, projection, patch)


def _chunks(spots: list, size: int) -> Iterator[list]:
    return (spots[start : start + size] for start in range(0, len(spots), size))


def _places(units: list[_Unit], slots: dict[int, int]) -> Units:
    """Padded to a fixed number with copies of the last, so that one compiled program serves every chunk."""
    padded = [*units, *[units[-1]] * (UNITS - len(units))]
    columns = zip(*((slots[unit.image], unit.channel, unit.row, unit.col) for unit in padded), strict=True)
    return Units(*map(np.array, columns))


def _visible(run: Run, images: np.ndarray) -> np.ndarray:
    """The centre crops as they were stored, 0..255."""
    start = (images.shape[1] - run.arch.image_size) // 2
    inside = slice(start, start + run.arch.image_size)
    return images[:, inside, inside]
