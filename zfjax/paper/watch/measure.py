"""A few maps of a few layers over a few images, the same ones every time: how a network that learns is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zfjax.arch import Arch
from zfjax.data import Source
from zfjax.paper.top_activations import FeatureMap, project_winners, strongest_activations
from zfjax.runs.run import Run

IMAGES, MAPS, TOP = 64, 8, 4  # with their pages 2 s an epoch for three layers of zf-mini, on a busy CPU


def look(run: Run, source: Source, layers: Sequence[str]) -> dict[str, list[FeatureMap]]:
    """The TOP strongest activations of each of MAPS maps of the layers, in pixels: {layer: [a FeatureMap a map]}.

    A map that responds to none of the images has no pictures.
    """
    winners = strongest_activations(run, source, layers, top=TOP, indices=watched_images(source))
    return project_winners(run, source, winners, {layer: watched_maps(run.arch, layer) for layer in layers})


def watched_images(source: Source) -> list[int]:
    """IMAGES of them, evenly spread, since folders bring one class after the other; all where they are fewer."""
    count = min(IMAGES, len(source))
    return np.linspace(0, len(source) - 1, count).round().astype(int).tolist()


def watched_maps(arch: Arch, layer: str) -> list[int]:
    """MAPS of a layer at random, always the same; all where they are fewer."""
    maps = arch.row(layer).shape[2]
    return sorted(np.random.default_rng(0).choice(maps, min(MAPS, maps), replace=False).tolist())
