"""Every unit of a layer at the moments of its training that a run has kept (Fig. 4, of all units)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfjax.data import Source
from zfjax.paper.evolution.measure import Moment
from zfjax.paper.patches import window_of
from zfjax.paper.top_activations import Winners, project_winners
from zfjax.runs.run import Run
from zfjax.terminal import meter
from zfjax.web.gallery.collect import strongest_kept

GROUP_BYTES = 128 << 20  # of the pictures and patches of units that are yielded together


class Evolved(NamedTuple):
    """Some units of a layer at T moments, the last one last."""

    layer: str
    units: list[int]
    projections: np.ndarray  # float32 [units, T, h, w, C], signed: their strongest activations in pixels; 0 if silent
    patches: np.ndarray  # the same windows of the images in 0..255, NaN outside the image; 0 if silent


def strongest_at(
    load: Callable[[int], Run],
    moments: Sequence[Moment],
    source: Source,
    last: Mapping[str, Winners],
    *,
    indices: Sequence[int] | None = None,
    work: Path,
    data: dict | None = None,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, Winners]:
    """The strongest activation of every unit at each of the moments: {layer: arrays [C, T]}.

    load: the run at a step. last: the winners [C, k] of the last of the moments, by layer, as `collect` finds them on
    the same source and indices. Each moment before takes a pass over these images, kept in parts in a folder of its own
    below `work`, as `collect` keeps them. One network is in memory at a time.
    """
    found = {layer: [_strongest(winners)] for layer, winners in last.items()}
    options: dict[str, Any] = {"indices": indices, "data": data, "batch_size": batch_size, "progress": progress}
    for moment in reversed(moments[:-1]):
        there = strongest_kept(load(moment.step), source, list(last), work=work / f"step-{moment.step}", **options)
        for layer, winners in there.items():
            found[layer].insert(0, winners)
    return {layer: _side_by_side(each) for layer, each in found.items()}


def evolve_units(
    load: Callable[[int], Run],
    moments: Sequence[Moment],
    source: Source,
    winners: Mapping[str, Winners],
    units: Mapping[str, Sequence[int]],
    *,
    batch_size: int = 32,
    progress: bool = False,
    **options: Any,
) -> Iterator[Evolved]:
    """The pictures of chosen units at all the moments, some units of a layer at a time: at most 128 MB, and one unit's
    at least.

    winners: of `strongest_at`. units: {layer: numbers of units}. options: overlap and norm of `project_winners`.
    `load` is called for each moment of each group: what it has read it may keep, where there is room.
    """
    arch, steps = load(moments[-1].step).arch, [moment.step for moment in moments]
    options |= {"batch_size": batch_size}
    wanted = sum(map(len, units.values())) * len(steps)
    with meter(total=wanted, desc="evolution", unit=" pictures", disable=not progress) as bar:
        for layer, chosen in units.items():
            shape = (len(steps), *window_of(arch, layer), arch.channels)
            size = max(1, GROUP_BYTES // (2 * 4 * math.prod(shape)))
            for start in range(0, len(chosen), size):
                group = list(chosen[start : start + size])
                pictures, patches = np.zeros((2, len(group), *shape), np.float32)
                for place, step in enumerate(steps):
                    then = {layer: Winners(*(column[:, place : place + 1] for column in winners[layer]))}
                    features = project_winners(load(step), source, then, {layer: group}, **options)[layer]
                    for picture, patch, feature in zip(pictures, patches, features, strict=True):
                        if len(feature.projections):
                            picture[place], patch[place] = feature.projections[0], feature.patches[0]
                    bar.update(len(group))
                yield Evolved(layer, group, pictures, patches)


def _strongest(winners: Winners) -> Winners:
    return Winners(*(np.asarray(column)[:, :1] for column in winners))


def _side_by_side(each: Sequence[Winners]) -> Winners:
    return Winners(*(np.concatenate(columns, axis=1) for columns in zip(*each, strict=True)))
