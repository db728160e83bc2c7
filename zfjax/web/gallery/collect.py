"""One look at every image for all units of all layers, in parts that outlive a kill."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax import ops
from zfjax.data import Source, eval_batches
from zfjax.errors import InputError
from zfjax.layers import Shape
from zfjax.model import Model, on_canvases
from zfjax.paper.top_activations import Winners, no_winners, update
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.runs.run import Run
from zfjax.runtime.files import make_folder, own_folder
from zfjax.terminal import Meter, meter
from zfjax.web.gallery.parts import LayerPart, Part, place_type, read_part, sample_bytes, write_part
from zfjax.web.gallery.statistics import LayerStatistics, merge, summarise

SAMPLE = 20_000  # images whose maxima are kept
SAMPLE_BYTES = 256 << 20  # of these maxima and their places: 20,000 images of 2,236 units, 6,500 of ZFNet's 9,500
PART_IMAGES, PART_BYTES = 2048, 64 << 20


class _Search(NamedTuple):
    """What stays the same from part to part."""

    run: Run
    source: Source
    shapes: dict[str, Shape]
    top: int
    numbers: np.ndarray  # int64 [N], the images to search
    sampled: np.ndarray  # bool [N]
    batch_size: int
    data: dict

    @property
    def images_per_part(self) -> int:
        """Whole batches, so that the batches of all parts are those of one long search."""
        images = min(PART_IMAGES, PART_BYTES // sample_bytes(self.shapes))
        return max(1, images // self.batch_size) * self.batch_size

    def settings(self, chosen: slice, fingerprint: str) -> dict:
        """All that decides what is in a part. Of its images that also change where their source stays, as files do,
        the first one's pixels count, and what `data` says of the others."""
        numbers, sampled = self.numbers[chosen], self.sampled[chosen]
        return {
            "version": 1,
            "run": fingerprint,
            "layers": list(self.shapes),
            "top": self.top,
            "batch_size": self.batch_size,
            "data": self.data,
            "source": len(self.source),
            "images": zlib.crc32(numbers.tobytes()),
            "sampled": zlib.crc32(sampled.tobytes()),
            "pixels": zlib.crc32(self.source[int(numbers[0])]["image"].tobytes()),
        }


def collect(
    run: Run,
    source: Source,
    layers: Sequence[str],
    *,
    indices: Sequence[int] | None = None,
    work: Path,
    data: dict | None = None,
    top: int = 9,
    sample: int = SAMPLE,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, LayerStatistics]:
    """The statistics of every unit of the layers over a source, or the images of `indices`, with one pass over them.

    work: a folder for this search alone, in which some thousand images at a time are kept: whoever is killed loses no
    more than these, and what was measured with another network, other images or otherwise, or is damaged, is measured
    again. The result is the same to the bit however often it was stopped. data: what tells the data set from others,
    plain data, such as its name, its split and `Dataset.fingerprint()`.
    top: how many of the strongest activations; they are those of `strongest_activations`. Sums, maxima and these are of
    all images. Quantiles, histograms, weaker images and `peaks` are of at most `sample` images, drawn with `seed`, and
    of fewer where they would take more than 256 MB: M images of C units take 6 M C bytes, and the largest layer's
    twice. The sample of fewer images is a part of that of more.
    Raises InputError for an unknown layer, no images, and a folder that cannot be written.
    """
    search = _search(run, source, layers, indices, top, max(1, sample), seed, batch_size, data)
    return summarise(_parts(search, work, progress), search.shapes, top, seed)


def strongest_kept(
    run: Run,
    source: Source,
    layers: Sequence[str],
    *,
    indices: Sequence[int] | None = None,
    work: Path,
    data: dict | None = None,
    top: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, Winners]:
    """`strongest_activations` in parts that are kept as `collect` keeps them, without its statistics."""
    search = _search(run, source, layers, indices, top, 0, 0, batch_size, data)
    parts = _parts(search, work, progress)
    found = next(parts).layers
    winners = {layer: each.top for layer, each in found.items()}
    for part in parts:
        winners = {layer: merge(winners[layer], part.layers[layer].top) for layer in winners}
    return winners


def _search(
    run: Run,
    source: Source,
    layers: Sequence[str],
    indices: Sequence[int] | None,
    top: int,
    sample: int,
    seed: int,
    batch_size: int,
    data: dict | None,
) -> _Search:
    shapes = {layer: run.arch.row(layer).shape for layer in layers}
    numbers = np.arange(len(source)) if indices is None else np.asarray(indices, np.int64)
    if not len(numbers):
        raise InputError("there are no images to search; give a larger --limit, or another data set")
    count = min(sample, max(1, SAMPLE_BYTES // sample_bytes(shapes)))
    sampled = np.zeros(len(numbers), bool)
    sampled[np.random.default_rng(seed).permutation(len(numbers))[:count]] = True
    return _Search(run, source, shapes, top, numbers, sampled, min(batch_size, len(numbers)), data or {})


def _parts(search: _Search, work: Path, progress: bool) -> Iterator[Part]:
    """All parts in order, each read where it lies there and measured where it does not."""
    folder, fingerprint = make_folder(own_folder(work)), run_fingerprint(search.run)
    images, size = range(len(search.source)), search.images_per_part
    digits = len(str(math.ceil(len(search.numbers) / size)))
    sound = 0
    with meter(total=len(search.numbers), desc="searching", unit=" images", disable=not progress) as bar:
        for number, start in enumerate(range(0, len(search.numbers), size)):
            chosen = slice(start, start + size)
            path, settings = folder / f"part-{number:0{digits}}.npz", search.settings(chosen, fingerprint)
            part = read_part(path, search.shapes, search.top, images, settings)
            if part is None:
                part = _measured(search, chosen, bar)
                write_part(path, part, settings)
            else:
                bar.update(len(search.numbers[chosen]))
            sound += int(part.count)
            yield part
    if not sound:
        raise InputError("all images that were searched are broken")


def _measured(search: _Search, chosen: slice, bar: Meter) -> Part:
    model = on_canvases(search.run.arch)
    layers = {layer: _Layer(shape) for layer, shape in search.shapes.items()}
    winners = {layer: no_winners(shape[2], search.top) for layer, shape in search.shapes.items()}
    numbers, sampled, images = search.numbers[chosen], search.sampled[chosen], [np.zeros(0, np.int32)]
    count = place = 0
    for batch in eval_batches(search.source, batch_size=search.batch_size, indices=numbers):
        given = {key: batch[key] for key in ("image", "index", "mask")}
        winners, seen = _look(model, search.run.variables, winners, given)
        rows = np.flatnonzero(batch["mask"])
        kept = rows[sampled[place + rows]]
        for layer, found in seen.items():
            layers[layer].add(jax.tree.map(np.asarray, found), rows, kept)
        images.append(batch["index"][kept])
        count, place = count + len(rows), place + len(batch["mask"])
        bar.update(min(place, len(numbers)) - (place - len(batch["mask"])))
    tops = jax.tree.map(np.asarray, winners)
    found = {layer: each.end(tops[layer]) for layer, each in layers.items()}
    return Part(np.array(count), np.concatenate(images).astype(np.int32), found)


class _Seen(NamedTuple):
    """A layer's maps on a batch, arrays [N, C]."""

    peak: Any  # float32
    place: Any  # row * width + col
    total: Any  # sum over the places
    above: Any  # at how many of them it is above zero


@functools.partial(jax.jit, static_argnames="model")
def _look(
    model: Model, params: Any, winners: Mapping[str, Winners], batch: dict
) -> tuple[dict[str, Winners], dict[str, _Seen]]:
    """The winners after this batch, and what of each of its images is added up or kept."""
    seen = model(params, batch["image"]).activations

    def one(old: Winners, maps: jax.Array) -> tuple[Winners, _Seen]:
        new, _ = update(old, maps, batch["index"], batch["mask"])
        peak, row, col = ops.peaks(maps)  # as in `update`; XLA computes it once
        sums = maps.astype(jnp.float32).sum(axis=(1, 2)), (maps > 0).sum(axis=(1, 2))
        return new, _Seen(peak.astype(jnp.float32), row * maps.shape[2] + col, *sums)

    found = {layer: one(old, seen[layer]) for layer, old in winners.items()}
    return {layer: new for layer, (new, _) in found.items()}, {layer: each for layer, (_, each) in found.items()}


class _Layer:
    """What a part adds up of one layer, batch by batch."""

    def __init__(self, shape: Shape):
        self.total, self.above = np.zeros(shape[2]), np.zeros(shape[2], np.int64)
        self.peaks = [np.zeros((0, shape[2]), np.float32)]
        self.places = [np.zeros((0, shape[2]), place_type(shape))]

    def add(self, seen: _Seen, rows: np.ndarray, kept: np.ndarray) -> None:
        """rows: of the batch, those that count. kept: those that were sampled."""
        self.total += seen.total[rows].sum(axis=0, dtype=np.float64)
        self.above += seen.above[rows].sum(axis=0, dtype=np.int64)
        self.peaks.append(seen.peak[kept])
        self.places.append(seen.place[kept].astype(self.places[0].dtype))

    def end(self, top: Winners) -> LayerPart:
        return LayerPart(top, self.total, self.above, np.concatenate(self.peaks), np.concatenate(self.places))
