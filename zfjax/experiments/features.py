"""Fig. 2: what the strongest activations of a map have in common, seen in pixels."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from tqdm import tqdm

from zfjax.convnet import Forward, forward
from zfjax.data import Source, centre_crop, eval_batches
from zfjax.deconvnet import Units, project
from zfjax.figures import FeatureMap
from zfjax.mining import Winners, mine
from zfjax.run import Run
from zfjax.table import Arch

UNITS = 32  # projected at a time: 32 windows of conv5 take 90 MB on the way down


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
        return mine(look, (run.params, run.mean), _counted(batches, bar), maps, top)


def see(arch: Arch, variables: tuple[dict, jax.Array], images: jax.Array) -> Forward:
    """The network on the centre crops of uint8 canvases [N, S, S, C]. variables: parameters and mean image."""
    params, mean = variables  # as arguments: closed over, 250 MB of weights would be constants of the program
    return forward(arch, params, centre_crop(images, mean, image_size=arch.image_size, scale=arch.recipe.input_scale))


def project_winners(
    run: Run,
    source: Source,
    winners: dict[str, Winners],
    maps: dict[str, Sequence[int]],
    *,
    overlap: str = "sum",
    norm: str = "identity",
    batch_size: int = 16,
    progress: bool = False,
) -> dict[str, list[FeatureMap]]:
    """Projections of the winners of the chosen maps, beside the patches of the images that they see.

    winners: of `strongest_activations` on the same source. maps: {layer: numbers of maps}. A map has fewer pictures
    than winners where it was silent. Every image is passed through the network once, whatever number of maps it won.
    """
    wanted = {layer: _alive(winners[layer], maps[layer]) for layer in maps}
    images = sorted({int(winners[layer].image[spot]) for layer, spots in wanted.items() for spot in spots})
    pictures: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
    look = jax.jit(functools.partial(see, run.arch))
    down = jax.jit(functools.partial(project, run.arch, overlap=overlap, norm=norm), static_argnames="layer")
    batch_size = max(1, min(batch_size, len(images)))
    with tqdm(total=sum(map(len, wanted.values())), desc="projecting", unit=" units", disable=not progress) as bar:
        for batch in eval_batches(source, batch_size=batch_size, indices=images) if images else ():
            seen = look((run.params, run.mean), batch["image"])
            slots = {int(image): slot for slot, image in enumerate(batch["index"])}
            crops = _visible(run, batch["image"])
            for layer, spots in wanted.items():
                here = [spot for spot in spots if int(winners[layer].image[spot]) in slots]
                for chunk in _chunks(here, UNITS):
                    units = _units(winners[layer], chunk, slots)
                    projection = jax.tree.map(np.asarray, down(run.params, seen, layer=layer, units=units))
                    for spot, image, pixels, top, left in zip(chunk, units.image, *projection, strict=False):
                        pictures[layer, *spot] = pixels, cut_patch(crops[image], int(top), int(left), len(pixels))
                    bar.update(len(chunk))
    return {layer: [_feature(run, layer, winners[layer], number, pictures) for number in maps[layer]] for layer in maps}


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


def _alive(winners: Winners, maps: Sequence[int]) -> list[tuple[int, int]]:
    """(map, rank) of the winners that there are; zero is what a silent unit of a rectified layer has."""
    value = winners.value
    return [
        (m, rank) for m in maps for rank in range(value.shape[1]) if np.isfinite(value[m, rank]) and value[m, rank] != 0
    ]


def _chunks(spots: list, size: int) -> Iterator[list]:
    return (spots[start : start + size] for start in range(0, len(spots), size))


def _units(winners: Winners, spots: list[tuple[int, int]], slots: dict[int, int]) -> Units:
    """Padded to a fixed number with copies of the last, so that one compiled program serves every chunk."""
    padded = [*spots, *[spots[-1]] * (UNITS - len(spots))]
    image, channel, row, col = zip(
        *((slots[int(winners.image[s])], s[0], int(winners.row[s]), int(winners.col[s])) for s in padded), strict=True
    )
    return Units(*map(np.array, (image, channel, row, col)))


def _visible(run: Run, images: np.ndarray) -> np.ndarray:
    """The centre crops as they were stored, 0..255."""
    start = (images.shape[1] - run.arch.image_size) // 2
    inside = slice(start, start + run.arch.image_size)
    return images[:, inside, inside]


def _feature(run: Run, layer: str, winners: Winners, number: int, pictures: dict) -> FeatureMap:
    ranks = [rank for rank in range(winners.value.shape[1]) if (layer, number, rank) in pictures]
    size, channels = run.arch.receptive_field(layer).size, run.arch.channels
    empty = np.zeros((0, size, size, channels), np.float32)
    columns = list(zip(*(pictures[layer, number, rank] for rank in ranks), strict=True)) or [empty, empty]
    projections, patches = map(np.asarray, columns)
    return FeatureMap(number, projections, patches, winners.value[number, ranks])
