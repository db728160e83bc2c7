"""What single units look for, from pictures to arrays in one call (Fig. 2 without a page)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfjax import checks, ops
from zfjax.arch import Arch
from zfjax.canvas import Picture
from zfjax.data.photos import photos_of
from zfjax.deconvnet import Norm
from zfjax.errors import InputError
from zfjax.paper.patches import window_of
from zfjax.paper.top_activations import FeatureMap, project_winners, responds, strongest_activations
from zfjax.runs.run import Run


class TopPatches(NamedTuple):
    """The k strongest activations of U units, strongest first, at most one a picture: NumPy arrays, a row a unit.

    Where a unit responds to fewer than k pictures, the rest of its row has values 0, numbers -1, patches NaN and
    projections 0: `images >= 0` says where there is something.
    """

    units: np.ndarray  # int [U], the numbers of the maps that were asked for
    values: np.ndarray  # float32 [U, k], the activations
    images: np.ndarray  # int [U, k], the number of the picture, in the order given or of the sorted names of files
    rows: np.ndarray  # int [U, k], where in the layer's map
    cols: np.ndarray
    patches: np.ndarray  # float32 [U, k, h, w, C] in 0..255, what the unit sees of the picture; NaN outside of it
    projections: np.ndarray  # float32 [U, k, h, w, C], the activation taken down to the same pixels; signed, any scale

    def feature_maps(self) -> list[FeatureMap]:
        """As `zfjax.draw_features` draws them: without the units that respond to nothing."""
        each = zip(self.units.tolist(), self.projections, self.patches, self.values, self.images >= 0, strict=True)
        return [FeatureMap(unit, *(array[there] for array in arrays)) for unit, *arrays, there in each if there.any()]


def top_patches(
    run: Run,
    images: Picture | Sequence[Picture] | str | Path,
    layer: str,
    units: Sequence[int] | np.ndarray,
    k: int = 9,
    *,
    overlap: ops.Overlap = "sum",
    norm: Norm = "identity",
    batch_size: int = 32,
    progress: bool = False,
) -> TopPatches:
    """The pictures that units of a layer respond to most, what each sees of them, and its projection (section 4).

    images: the path of a flat folder of photos; or an array uint8 [N, H, W, C]; or a list of uint8 arrays
    [H, W(, 1, 3 or 4)], pillow images or bytes of image files, of any sizes. units: numbers of the layer's maps, in any
    order. h and w are the layer's receptive field, or the image's side where a unit sees all of it; C is the network's
    channels. overlap, norm: as in `zfjax.project`. Every picture goes through the network twice at the most.
    Raises InputError for a layer or unit that the network lacks, for no pictures, and for what is none.
    """
    chosen = _chosen(run.arch, layer, units)
    checks.at_least_one(k=k, batch_size=batch_size)
    source, how = photos_of(run, images), {"batch_size": batch_size, "progress": progress}
    winners = strongest_activations(run, source, [layer], top=k, **how)
    options: Any = {"overlap": overlap, "norm": norm, **how}
    found = project_winners(run, source, winners, {layer: chosen}, **options)[layer]
    there = responds(winners[layer])[chosen]
    shape = (*there.shape, *window_of(run.arch, layer), run.arch.channels)
    patches, projections = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32)
    for row, each in enumerate(found):
        patches[row, there[row]], projections[row, there[row]] = each.patches, each.projections
    value, *places = (np.asarray(column)[chosen] for column in winners[layer])
    places = (np.where(there, place, -1) for place in places)
    return TopPatches(np.array(chosen), np.where(there, value, 0), *places, patches, projections)


def _chosen(arch: Arch, layer: str, units: Any) -> list[int]:
    maps, numbers = arch.row(layer).shape[2], np.asarray(units)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "iu":
        raise InputError(f"units must be a list of numbers of maps, such as [0, 7], not {str(units)[:80]}")
    if (wrong := numbers[(numbers < 0) | (numbers >= maps)]).size:
        raise InputError(f"{layer} has maps 0 to {maps - 1}, and no {wrong[0]}")
    return numbers.tolist()
