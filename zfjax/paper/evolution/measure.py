"""Fig. 4: how features evolve during training, and how soon each layer settles (section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from zfjax import ops
from zfjax.data import Source, eval_batches
from zfjax.deconvnet import Norm
from zfjax.model import on_canvases
from zfjax.paper.silent import choose_maps
from zfjax.paper.top_activations import (
    Batch,
    Choose,
    FeatureMap,
    Winners,
    counted,
    mine,
    number_of_maps,
    project_winners,
    responds,
)
from zfjax.runs.run import Run
from zfjax.terminal import meter


class Moment(NamedTuple):
    """A state of the network that a run has kept."""

    name: str
    epoch: float
    step: int


class LayerEvolution(NamedTuple):
    """What Fig. 4 shows of one layer at T moments, the last one last."""

    winners: Winners  # arrays [T, maps]: the strongest activation of every map over all images
    responding: int  # how many of the maps respond to any image at the last moment
    maps: list[int]  # the chosen ones
    projections: np.ndarray  # [chosen maps, T, h, w, C] signed: their strongest activations in pixels
    images: np.ndarray  # int [chosen maps, T], number of the image that each comes from, -1 where the map was silent
    jumps: np.ndarray  # [T - 1], see `jumps`
    similarity: np.ndarray  # [T], see `similarity`
    settled: float  # the epoch from which on it is as in the end; that of the last moment if never before
    map_similarity: np.ndarray  # [T, maps], see `map_similarity`
    patches: np.ndarray  # as `projections`, what they see in 0..255, NaN outside the image; 0 where a map was silent


class Evolution(NamedTuple):
    """A network at T moments of its training, the last one last."""

    moments: tuple[Moment, ...]
    layers: dict[str, LayerEvolution]
    threshold: float  # of the similarity, from which on a layer counts as settled


def evolve(
    load: Callable[[int], Run],
    moments: Sequence[Moment],
    source: Source,
    layers: Sequence[str],
    choose: Choose,
    *,
    indices: Sequence[int] | None = None,
    sample: int = 512,
    threshold: float = 0.9,
    seed: int = 0,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    batch_size: int = 32,
    progress: bool = False,
) -> Evolution:
    """Searches the images with the network as it was at each of the moments, one in memory at a time. Layers
    that are silent at the last one are left out (`choose_maps`).

    load: the run at a step. choose: the maps to project of a layer, from its winners [maps, 1] at the last moment.
    indices: the images to search; None: all. sample: how many of them, at random, to measure `similarity` on.
    threshold: of `settled_at`.
    """
    searched = np.arange(len(source)) if indices is None else np.asarray(indices)
    sampled = np.random.default_rng(seed).choice(searched, min(sample, len(searched)), replace=False)
    maps, found = {}, []
    with meter(total=len(moments) * len(searched), desc="searching", unit=" images", disable=not progress) as bar:
        for moment in reversed(moments):  # the last first: it decides which maps are shown
            run = load(moment.step)
            batches = eval_batches(source, batch_size=min(batch_size, len(searched)), indices=searched)
            winners, peaks = _search(run, layers, counted(batches, bar), sampled)
            maps = maps or choose_maps(layers, choose, winners)
            features = project_winners(run, source, winners, maps, overlap=overlap, norm=norm)
            found.append({layer: (winners[layer], peaks[layer], features[layer]) for layer in maps})
    evolved = {layer: _layer(moments, [each[layer] for each in found[::-1]], threshold) for layer in maps}
    return Evolution(tuple(moments), evolved, threshold)


def jumps(images: np.ndarray) -> np.ndarray:
    """Share of the maps whose strongest image is another one than at the moment before: [T, maps] -> [T - 1].

    The jumps that the paper points out in Fig. 4. Two images that nearly tie may change places for ever, so a layer
    that still jumps has not necessarily changed; `similarity` looks at more than one image.
    """
    return (images[1:] != images[:-1]).mean(axis=1)


def map_similarity(peaks: Sequence[np.ndarray]) -> np.ndarray:
    """How much each map already responds as it will in the end: [T, maps] numbers, those of the last moment 1.

    peaks: for each moment [images, maps], the maximum of every map in each of some images. For each map, Pearson's
    correlation over the images between its responses then and at the last moment. What a unit responds to is what
    Fig. 4 shows; the correlation leaves out that responses grow with the weights, and needs no choice of pictures. It
    says "as in the end", not "as good as it gets": a falling learning rate settles a layer too, and since all maps
    respond to contrast, it begins above zero.

    A map that responds alike to all images at the last moment has no end to compare with and is NaN; one that does so
    earlier counts as 0.
    """
    centred = [np.asarray(each, np.float64) - np.mean(each, axis=0, dtype=np.float64) for each in peaks]
    last = centred[-1]
    alive = np.linalg.norm(last, axis=0) > 0
    scores = []
    for each in centred:
        lengths = np.linalg.norm(each, axis=0) * np.linalg.norm(last, axis=0)
        products = (each * last).sum(axis=0)
        scores.append(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))
    return np.where(alive, np.array(scores), np.nan)


def similarity(scores: np.ndarray) -> np.ndarray:
    """[T, maps] of `map_similarity` -> the mean over the maps that have an end to compare with: [T] numbers, the last
    of them 1; NaN for a layer without any such map."""
    known = ~np.isnan(scores[-1])
    return scores[:, known].mean(axis=1) if known.any() else np.full(len(scores), np.nan)


def settled_at(similarity: np.ndarray, threshold: float = 0.9) -> int:
    """The moment from which on a layer's similarity to the end stays at or above the threshold: an index into [T].

    T - 1 for one that is only as in the end when the end comes, and for a layer of NaN.
    """
    below = np.flatnonzero(~(np.asarray(similarity)[:-1] >= threshold))
    return int(below[-1]) + 1 if below.size else 0


def _layer(
    moments: Sequence[Moment], found: list[tuple[Winners, np.ndarray, list[FeatureMap]]], threshold: float
) -> LayerEvolution:
    """found: for each moment winners [maps, 1], maxima [images, maps] and the chosen maps."""
    each, peaks, features = zip(*found, strict=True)
    winners = Winners(*(np.stack(column)[..., 0] for column in zip(*each, strict=True)))
    maps, alive, alike = [feature.index for feature in features[-1]], responds(winners), map_similarity(peaks)
    mean = similarity(alike)
    return LayerEvolution(
        winners,
        int(alive[-1].sum()),
        maps,
        _pictures([[feature.projections for feature in then] for then in features]),
        np.where(alive, winners.image, -1)[:, maps].T,
        jumps(np.asarray(winners.image)),
        mean,
        moments[settled_at(mean, threshold)].epoch,
        alike,
        _pictures([[feature.patches for feature in then] for then in features]),
    )


def _pictures(found: list[list[np.ndarray]]) -> np.ndarray:
    """For each moment and map [0 or 1, h, w, C] -> [maps, T, h, w, C], zero where the map was silent."""
    first = [[each[0] if len(each) else np.zeros(each.shape[1:], np.float32) for each in then] for then in found]
    return np.swapaxes(np.array(first), 0, 1)


def _search(run: Run, layers: Sequence[str], batches: Iterable[Batch], sampled: np.ndarray) -> tuple[dict, dict]:
    """Winners [maps, 1] and, of the sampled images alone, maxima [images, maps] of every layer."""
    peaks = {layer: [] for layer in layers}

    def keep(batch: Batch, maxima: dict[str, jax.Array]) -> None:
        rows = np.isin(batch["index"], sampled) & batch["mask"]
        if rows.any():
            for layer in layers:
                peaks[layer].append(np.asarray(maxima[layer])[rows])

    maps = number_of_maps(run.arch, layers)
    winners = mine(on_canvases(run.arch), run.variables, batches, maps, 1, watch=keep)
    return winners, {layer: np.concatenate(peaks[layer]) for layer in layers}
