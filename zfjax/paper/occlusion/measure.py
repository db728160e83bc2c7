"""Fig. 7: what a square that covers part of an image does to its strongest map and to the answer (section 4.2)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.attribution.occlusion import centres, default_stride, network_occlusion_map, occlude
from zfjax.convnet import Forward, forward
from zfjax.data import Source
from zfjax.deconvnet import paste, project, strongest
from zfjax.descent import Norm
from zfjax.errors import InputError
from zfjax.ops import Overlap
from zfjax.paper.default_layers import strongest_layer
from zfjax.paper.patches import sees_all
from zfjax.paper.top_activations import FeatureMap, project_winners, strongest_activations
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.terminal import meter
from zfjax.windows import Corner, cut


class Occlusion(NamedTuple):
    """One image under a square whose centre stands on a grid of R x C places: what a row of Fig. 7 shows.

    Places are pixels of the image as the network sees it; pictures [h, w, channels] are in 0..255.
    """

    image: np.ndarray
    covered: np.ndarray  # the image with the square where the label is least probable
    label: int  # the class that is followed
    rows: np.ndarray  # [R], the places of the square's centre
    columns: np.ndarray  # [C]
    channel: int  # the map of the layer with the largest activation in the image as it is
    activity: np.ndarray  # [R, C], sum of that map over its places
    whole_activity: float  # without the square
    probabilities: np.ndarray  # [R, C, classes]
    whole_probabilities: np.ndarray  # [classes]
    projection: np.ndarray  # [window, window, channels], signed: the map's strongest activation in the image as it is
    patch: np.ndarray  # [window, window, channels], what that activation sees, NaN outside the image


class Square(NamedTuple):
    """What covers the image, on a network's image of so many pixels; the paper states none of it."""

    size: int
    stride: int  # from one place to the next
    fill: float | None = None  # 0..255; None for the mean image


def square_for(
    image_size: int, size: int | None = None, stride: int | None = None, fill: float | None = None
) -> Square:
    """The square on an image of this size: None for a quarter of it, and for 8 pixels on 224.

    Raises InputError for a size, stride or fill that will not do.
    """
    size = max(1, round(image_size / 4)) if size is None else size
    stride = default_stride(image_size) if stride is None else stride
    if not (1 <= size and 1 <= stride <= image_size):
        raise InputError(
            f"the square's size must be at least 1 and its stride 1 to {image_size}; got {size} and {stride}"
        )
    if fill is not None and not 0 <= fill <= 255:
        raise InputError(f"the square's grey value must lie in 0..255, got {fill}")
    return Square(size, stride, fill)


def occlude_images(
    run: Run,
    canvases: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    *,
    layer: str = "",
    square: Square | None = None,
    batch_size: int = 64,
    overlap: Overlap = "sum",
    norm: Norm = "identity",
    progress: bool = False,
) -> list[Occlusion]:
    """Fig. 7's maps for N images.

    canvases: uint8 [N, S, S, C], of which the network sees the centre. layer: whose strongest map is followed, chosen
    by its largest activation in the image as it is; "" for `strongest_layer`. square: of `square_for`, None for its
    defaults. overlap, norm: of the projection. Raises InputError for an unknown layer.
    """
    layer = run.arch.row(layer or strongest_layer(run.arch)).name
    options = {"layer": layer, "batch_size": batch_size, "overlap": overlap, "norm": norm}
    options["square"] = square or square_for(run.arch.image_size)
    found = []
    for canvas, label in zip(meter(canvases, "occluding", unit=" images", disable=not progress), labels, strict=True):
        measured = jax.tree.map(np.asarray, _measure(run.arch, run.variables, canvas, jnp.asarray(label), **options))
        scalars = {name: getattr(measured, name).item() for name in ("label", "channel", "whole_activity")}
        found.append(measured._replace(**scalars))
    return found


def strongest_elsewhere(
    run: Run,
    source: Source | None,
    canvases: np.ndarray,
    images: Sequence[Occlusion],
    layer: str,
    *,
    count: int,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    overlap: Overlap = "sum",
    norm: Norm = "identity",
    progress: bool = False,
) -> list[FeatureMap]:
    """Of each image's map the `count` strongest activations in other images of a source, projected down.

    canvases, images, layer: as in `occlude_images`, and what it found. indices: the images to search; None: all.
    source: None where count is 0. Returns at most `count` for each image.
    """
    if not count or source is None:
        nothing = np.zeros(0, np.float32)
        return [
            FeatureMap(image.channel, image.projection[None][:0], image.patch[None][:0], nothing) for image in images
        ]
    maps = {layer: sorted({image.channel for image in images})}
    # one more than wanted: the image itself may be among them
    search = {"top": count + 1, "indices": indices, "batch_size": batch_size, "progress": progress}
    winners = strongest_activations(run, source, [layer], **search)
    down = project_winners(run, source, winners, maps, overlap=overlap, norm=norm, progress=progress)
    features, found = {each.index: each for each in down[layer]}, []
    for canvas, image in zip(canvases, images, strict=True):
        feature = features[image.channel]
        # a map's winners are in order of strength, and what is left out of its pictures, silent ones, comes last
        numbers = winners[layer].image[image.channel, : len(feature.projections)]
        new = [rank for rank, number in enumerate(numbers) if not np.array_equal(source[int(number)]["image"], canvas)]
        found.append(FeatureMap(feature.index, *(pictures[new[:count]] for pictures in feature[1:])))
    return found


@functools.partial(jax.jit, static_argnames=("arch", "layer", "square", "batch_size", "overlap", "norm"))
def _measure(
    arch: Arch,
    variables: tuple[dict, Preprocess],
    canvas: jax.Array,
    label: jax.Array,
    *,
    layer: str,
    square: Square,
    batch_size: int,
    overlap: Overlap,
    norm: Norm,
) -> Occlusion:
    params, preprocess = variables
    visible, middle = preprocess.visible(canvas).astype(jnp.float32), preprocess.visible_mean()
    image = preprocess.centre(canvas[None])[0]
    cover = middle if square.fill is None else jnp.full_like(middle, square.fill)

    def read(seen: Forward) -> tuple[jax.Array, jax.Array]:
        return jnp.take(seen.activations[layer], channel, axis=-1).sum((1, 2)), jax.nn.softmax(seen.logits)

    seen = forward(arch, params, image[None])
    channel = jnp.argmax(seen.activations[layer][0].max((0, 1)))
    whole = read(seen)
    unit = strongest(seen, layer, channel[None])
    projection = project(arch, params, seen, layer, unit, overlap=overlap, norm=norm)
    pixels, patch = projection.pixels[0], visible
    if sees_all(arch, layer):
        pixels = paste(projection, arch.image_size)[0]
    else:
        corner = Corner(projection.top, projection.left)
        patch = cut(visible[None], unit.image, corner, pixels.shape[:2], fill=jnp.nan)[0]
    moved = {"size": square.size, "stride": square.stride, "fill": preprocess.normalise(cover)}
    activity, probabilities = network_occlusion_map(arch, params, image, read, batch_size=batch_size, **moved)

    rows, columns = (centres(length, square.stride) for length in image.shape[:2])
    lowest = jnp.argmin(probabilities[..., label])
    place = rows[lowest // len(columns)], columns[lowest % len(columns)]
    values: dict[str, Any] = dict(  # arrays while it is compiled
        image=visible,
        covered=occlude(visible, *place, size=square.size, fill=cover),
        label=label,
        rows=rows,
        columns=columns,
        channel=channel,
        activity=activity,
        whole_activity=whole[0][0],
        probabilities=probabilities,
        whole_probabilities=whole[1][0],
        projection=pixels,
        patch=patch,
    )
    return Occlusion(**values)
