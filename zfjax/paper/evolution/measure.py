"""Fig. 4: how features evolve during training, and how soon each layer settles (section 4)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from zfjax.arch import Arch
from zfjax.data import Source, eval_batches
from zfjax.deconvnet import Units, project
from zfjax.paper.mining import Winners, no_winners, update
from zfjax.paper.top_activations import see
from zfjax.runs.run import Run


class Evolution(NamedTuple):
    """A network at T moments of its training, the last one last; dicts by layer."""

    steps: tuple[int, ...]  # [T]
    winners: dict[str, Winners]  # arrays [T, maps]: the strongest activation of every map over all images
    maps: dict[str, list[int]]  # the chosen maps
    projections: dict[str, np.ndarray]  # [chosen maps, T, h, w, C]: their strongest activations in pixels
    jumps: dict[str, np.ndarray]  # [T - 1], see `jumps`
    similarity: dict[str, np.ndarray]  # [T], see `similarity`


def evolve(
    arch: Arch,
    load: Callable[[int], Run],
    steps: Sequence[int],
    source: Source,
    layers: Sequence[str],
    choose: Callable[[str, Winners], list[int]],
    *,
    indices: Sequence[int] | None = None,
    sample: int = 512,
    seed: int = 0,
    overlap: str = "sum",
    norm: str = "identity",
    batch_size: int = 32,
    progress: bool = False,
) -> Evolution:
    """Searches the images with the network as it was after each of the steps, one in memory at a time.

    load: the run at a step. choose: the maps to project of a layer, from its winners [maps, 1] at the last step.
    indices: the images to search; None: all. sample: how many of them, at random, to measure `similarity` on.
    """
    indices = np.arange(len(source)) if indices is None else np.asarray(indices)
    sampled = np.random.default_rng(seed).choice(indices, min(sample, len(indices)), replace=False)
    look = jax.jit(functools.partial(_look, arch, tuple(layers)))  # compiled once: parameters are arguments
    down = jax.jit(functools.partial(_down, arch, overlap=overlap, norm=norm), static_argnames="layer")
    maps, found = {}, []
    with tqdm(total=len(steps) * len(indices), desc="searching", unit=" images", disable=not progress) as bar:
        for step in reversed(steps):  # the last first: it decides which maps are shown
            run = load(step)
            batches = eval_batches(source, batch_size=min(batch_size, len(indices)), indices=indices)
            winners, peaks = _search(look, run, layers, batches, sampled, bar)
            maps = maps or {layer: choose(layer, winners[layer]) for layer in layers}
            shown = {
                layer: _project(down, run, source, layer, winners[layer], maps[layer], batch_size) for layer in maps
            }
            found.append((winners, peaks, shown))
    moments = found[::-1]
    winners, peaks, shown = ({layer: [each[k][layer] for each in moments] for layer in layers} for k in range(3))
    winners = {
        layer: Winners(*(np.stack(column)[..., 0] for column in zip(*winners[layer], strict=True))) for layer in layers
    }
    return Evolution(
        tuple(steps),
        winners,
        maps,
        {layer: np.stack(shown[layer], axis=1) for layer in layers},
        {layer: jumps(winners[layer].image) for layer in layers},
        {layer: similarity(peaks[layer]) for layer in layers},
    )


def jumps(images: np.ndarray) -> np.ndarray:
    """Share of the maps whose strongest image is another one than at the moment before: [T, maps] -> [T - 1].

    The jumps that the paper points out in Fig. 4. Two images that nearly tie may change places for ever, so a layer
    that still jumps has not necessarily changed; `similarity` looks at more than one image.
    """
    return (images[1:] != images[:-1]).mean(axis=1)


def similarity(peaks: Sequence[np.ndarray]) -> np.ndarray:
    """How much a layer already responds as it will in the end: [T] numbers, the last of them 1.

    peaks: for each moment [images, maps], the maximum of every map in each of some images. For each map, Pearson's
    correlation over the images between its responses then and at the last moment, averaged over the maps. What a unit
    responds to is what Fig. 4 shows; the correlation leaves out that responses grow with the weights, and needs no
    choice of pictures. It says "as in the end", not "as good as it gets": a falling learning rate settles a layer too,
    and since all maps respond to contrast, it begins above zero.

    A map that responds alike to all images at the last moment has no end to compare with and is left out; one that
    does so earlier counts as 0. NaN for a layer without any map to compare.
    """
    centred = [np.asarray(each, np.float64) - np.mean(each, axis=0, dtype=np.float64) for each in peaks]
    last = centred[-1]
    alive = np.linalg.norm(last, axis=0) > 0
    if not alive.any():
        return np.full(len(centred), np.nan)
    scores = []
    for each in centred:
        lengths = np.linalg.norm(each, axis=0) * np.linalg.norm(last, axis=0)
        products = (each * last).sum(axis=0)
        scores.append(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)[alive].mean())
    return np.array(scores)


def settled_at(similarity: np.ndarray, threshold: float = 0.9) -> int:
    """The moment from which on a layer's similarity to the end stays at or above the threshold: an index into [T].

    T - 1 for one that is only as in the end when the end comes, and for a layer of NaN.
    """
    below = np.flatnonzero(~(np.asarray(similarity)[:-1] >= threshold))
    return int(below[-1]) + 1 if below.size else 0


def _look(arch: Arch, layers: tuple[str, ...], variables, winners: dict[str, Winners], images, index, mask):
    """The winners after one more batch, and each map's maximum in each of its images: {layer: [N, maps]}."""
    activations = see(arch, variables, images).activations
    winners = {layer: update(winners[layer], activations[layer], index, mask) for layer in layers}
    return winners, {layer: activations[layer].max(axis=(1, 2)) for layer in layers}


def _search(look, run: Run, layers: Sequence[str], batches, sampled: np.ndarray, bar: tqdm) -> tuple[dict, dict]:
    """Winners [maps, 1] and, of the sampled images alone, maxima [images, maps] of every layer."""
    winners = {layer: no_winners(run.arch.row(layer).shape[2], 1) for layer in layers}
    peaks = {layer: [] for layer in layers}
    for batch in batches:
        winners, here = look(run.variables, winners, batch["image"], batch["index"], batch["mask"])
        rows = np.isin(batch["index"], sampled) & batch["mask"]
        if rows.any():
            for layer in layers:
                peaks[layer].append(np.asarray(here[layer])[rows])
        bar.update(int(batch["mask"].sum()))
    return jax.tree.map(np.asarray, winners), {layer: np.concatenate(peaks[layer]) for layer in layers}


def _project(
    down, run: Run, source: Source, layer: str, winners: Winners, maps: list[int], batch_size: int
) -> np.ndarray:
    """The winners of some maps in pixels: [maps, h, w, C]."""
    size, pictures = min(batch_size, len(maps)), []
    for start in range(0, len(maps), size):
        chunk = maps[start : start + size]
        padded = chunk + chunk[-1:] * (size - len(chunk))  # one shape, one compiled program
        images = np.stack([source[int(winners.image[number, 0])]["image"] for number in padded])
        units = Units(np.arange(size), np.array(padded), winners.row[padded, 0], winners.col[padded, 0])
        pictures.append(np.asarray(down(run.variables, images, units, layer=layer))[: len(chunk)])
    return np.concatenate(pictures)


def _down(arch: Arch, variables, images, units: Units, *, layer: str, overlap: str, norm: str) -> jax.Array:
    return project(arch, variables[0], see(arch, variables, images), layer, units, overlap=overlap, norm=norm).pixels
