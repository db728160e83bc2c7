"""Fig. 2: the strongest activations of each map over many images, projected down to pixels (section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zfjax import ops
from zfjax.data import Source
from zfjax.deconvnet import Norm
from zfjax.paper.silent import choose_maps
from zfjax.paper.top_activations import (
    Choose,
    FeatureMap,
    Winners,
    project_winners,
    responds,
    strongest_activations,
)
from zfjax.runs.run import Run


class Features(NamedTuple):
    """What Fig. 2 shows of one layer."""

    maps: list[FeatureMap]  # the chosen ones
    winners: Winners  # of all maps: NumPy arrays [maps, k]
    silent: int  # how many maps respond to no image


def find_features(
    run: Run,
    source: Source,
    layers: Sequence[str],
    choose: Choose,
    *,
    top: int = 9,
    indices: Sequence[int] | None = None,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, Features]:
    """Searches the images, or those of `indices`, and projects the winners of the maps that `choose` names.

    Layers that are silent on all of them are left out (`choose_maps`).
    """
    search = {"top": top, "indices": indices, "batch_size": batch_size}
    winners = strongest_activations(run, source, layers, **search, progress=progress)
    maps = choose_maps(layers, choose, winners)
    found = project_winners(run, source, winners, maps, overlap=overlap, norm=norm, progress=progress)
    return {
        layer: Features(found[layer], winners[layer], int((~responds(winners[layer])[:, 0]).sum())) for layer in maps
    }
