"""Fig. 7: what happens to a score when a square covers part of the image (section 4.2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from zfjax.arch import Arch
from zfjax.convnet import Forward, forward
from zfjax.deconvnet import project, strongest
from zfjax.errors import InputError
from zfjax.paper.default_layers import strongest_layer
from zfjax.patched import forward_changed
from zfjax.runs.run import Run
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


class Fall(NamedTuple):
    """Mean loss of a value, as a part of what it is without the square; NaN where there is no such place."""

    inside: float  # with the square's centre in the object's box
    elsewhere: float


class Truth(NamedTuple):
    """How one image's maps fit the known place of its object."""

    correlation: float  # of the map's activity and the label's probability over all places
    activity: Fall
    probability: Fall
    activity_hit: float  # `lowest_inside` of the map's activity
    probability_hit: float
    chance: float  # the share of all places that lie in the box


def occlusion_map(
    predict: Callable[[jax.Array], Any],
    image: jax.Array,
    *,
    size: int = 50,
    stride: int = 8,
    fill: float | jax.Array = 0.0,
    batch_size: int = 64,
) -> Any:
    """The scores of an image for every place of an occluding square: [rows, cols, ...], as predict's per image.

    predict: images [N, H, W, C] -> scores [N, ...], an array or a pytree of arrays; traceable by JAX. image: [H, W, C]
    as predict takes it. The square's centre runs over `centres`; at the border the square is cut off. fill: what covers
    the image, a number or anything that broadcasts to [H, W, C]; 0 is the mean colour where the mean is removed.
    The paper states neither size nor stride nor grey value. The copies are made on the device, batch_size at a time.
    Raises ValueError for a size or stride below 1.
    """
    rows, columns = _grid(image, size, stride)

    def score(row: jax.Array, col: jax.Array) -> Any:
        return predict(occlude(image, row, col, size=size, fill=fill)[None])

    return _map_places(score, rows, columns, batch_size)


def network_occlusion_map(
    arch: Arch,
    params: dict,
    image: jax.Array,
    read: Callable[[Forward], Any],
    *,
    size: int = 50,
    stride: int = 8,
    fill: float | jax.Array = 0.0,
    batch_size: int = 128,
) -> Any:
    """`occlusion_map` of a network of ours, with only what the square has changed computed again.

    image: [size, size, channels], mean removed. read: what to take from a Forward of N images, [N, ...], an array or a
    pytree of arrays; it has no switches. The rest, and the result, as in `occlusion_map`.
    """
    rows, columns = _grid(image, size, stride)
    whole = forward(arch, params, image[None])
    side = min(size, arch.image_size)

    def score(row: jax.Array, col: jax.Array) -> Any:
        covered = occlude(image, row, col, size=size, fill=fill)
        corner = Corner(*(jnp.clip(place - size // 2, 0, arch.image_size - side)[None] for place in (row, col)))
        window = cut(covered[None], jnp.zeros(1, jnp.int32), corner, (side, side))
        return read(forward_changed(arch, params, image, whole, window, corner))

    return _map_places(score, rows, columns, batch_size)


def _grid(image: jax.Array, size: int, stride: int) -> tuple[jax.Array, jax.Array]:
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, not {size}")
    rows, columns = (centres(length, stride) for length in image.shape[:2])
    return rows, columns


def _map_places(score: Callable, rows: jax.Array, columns: jax.Array, batch_size: int) -> Any:
    """score(row, col) -> [1, ...] for every pair: [rows, columns, ...]."""
    places = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    scores = jax.lax.map(lambda place: score(*place), places, batch_size=min(batch_size, len(places)))
    return jax.tree.map(lambda array: array.reshape(len(rows), len(columns), *array.shape[2:]), scores)


def centres(length: int, stride: int) -> jax.Array:
    """Every stride-th pixel along a side, with the same margin at both ends (one pixel more at the far one)."""
    if stride < 1:
        raise ValueError(f"stride must be at least 1 pixel, not {stride}")
    return jnp.arange((length - 1) % stride // 2, length, stride)


def occlude(image: jax.Array, row: jax.Array, col: jax.Array, *, size: int, fill: float | jax.Array) -> jax.Array:
    """[H, W, C] with the square of `size` pixels around (row, col) filled; an even one reaches further up and left."""
    covered = [
        (place >= centre - size // 2) & (place < centre - size // 2 + size)
        for centre, place in ((row, jnp.arange(image.shape[0])), (col, jnp.arange(image.shape[1])))
    ]
    inside = covered[0][:, None, None] & covered[1][None, :, None]
    return jnp.where(inside, jnp.broadcast_to(jnp.asarray(fill, image.dtype), image.shape), image)


def occlude_images(
    run: Run,
    canvases: np.ndarray,
    labels: Sequence[int],
    *,
    layer: str = "",
    size: int | None = None,
    stride: int | None = None,
    fill: float | None = None,
    batch_size: int = 64,
    overlap: str = "sum",
    norm: str = "identity",
    progress: bool = False,
) -> list[Occlusion]:
    """Fig. 7's maps for N images.

    canvases: uint8 [N, S, S, C], of which the network sees the centre. layer: whose strongest map is followed, chosen
    by its largest activation in the image as it is; "" for `strongest_layer`. size, stride: pixels; None for a quarter
    of the image and 8 on 224. fill: 0..255, None for the mean image. overlap, norm: of the projection. The paper states
    neither size nor stride nor grey value. Raises InputError for a layer, size, stride or fill that will not do.
    """
    layer, side = run.arch.row(layer or strongest_layer(run.arch)).layer.name, run.arch.image_size
    size, stride = max(1, round(side / 4)) if size is None else size, default_stride(side) if stride is None else stride
    if not (1 <= size and 1 <= stride <= side):
        raise InputError(f"the square's size must be at least 1 and its stride 1 to {side}; got {size} and {stride}")
    if fill is not None and not 0 <= fill <= 255:
        raise InputError(f"the square's grey value must lie in 0..255, got {fill}")
    options = {"layer": layer, "size": size, "stride": stride, "fill": fill, "batch_size": batch_size}
    measure = jax.jit(functools.partial(_measure, run.arch, **options, overlap=overlap, norm=norm))
    found = []
    for canvas, label in zip(tqdm(canvases, "occluding", unit=" images", disable=not progress), labels, strict=True):
        measured = jax.tree.map(np.asarray, measure(run.variables, canvas, jnp.asarray(label)))
        scalars = {name: getattr(measured, name).item() for name in ("label", "channel", "whole_activity")}
        found.append(measured._replace(**scalars))
    return found


def default_stride(image_size: int) -> int:
    """8 pixels on an image of 224, in proportion on others, at least 1: not the paper's, which states none."""
    return max(1, round(image_size / 28))


def inside_box(rows: np.ndarray, columns: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Which places of the square's centre lie in a box: bool [R, C]. box: (top, left, bottom, right), pixel j covering
    [j, j + 1)."""
    top, left, bottom, right = box
    middle = np.asarray(rows) + 0.5, np.asarray(columns) + 0.5
    within = [
        (low <= place) & (place < high) for place, low, high in zip(middle, (top, left), (bottom, right), strict=True)
    ]
    return within[0][:, None] & within[1][None, :]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, over all places of two maps of one shape; NaN if one of them is constant."""
    first, second = (np.ravel(values).astype(float) - np.mean(values, dtype=float) for values in (first, second))
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else float("nan")


def fall(values: np.ndarray, whole: float, inside: np.ndarray) -> Fall:
    """How much of `whole`, the value without the square, is lost inside and elsewhere. values, inside: [R, C]."""
    lost = 1 - values / whole if whole else np.full(values.shape, np.nan)
    return Fall(*(float(lost[places].mean()) if places.any() else float("nan") for places in (inside, ~inside)))


def lowest_inside(values: np.ndarray, inside: np.ndarray) -> float:
    """1 if the lowest value of [R, C] lies inside, else 0; of several equally low ones the share that does."""
    return float(inside[values == values.min()].mean())


def against_truth(occlusion: Occlusion, box: tuple[float, float, float, float]) -> Truth:
    """Whether covering the object lowers its class and its strongest map together (section 4.2).

    box: (top, left, bottom, right) of the object, in pixels of the image as the network sees it.
    """
    inside = inside_box(occlusion.rows, occlusion.columns, box)
    activity, probability = occlusion.activity, occlusion.probabilities[..., occlusion.label]
    return Truth(
        correlation(activity, probability),
        fall(activity, occlusion.whole_activity, inside),
        fall(probability, float(occlusion.whole_probabilities[occlusion.label]), inside),
        lowest_inside(activity, inside),
        lowest_inside(probability, inside),
        float(inside.mean()),
    )


def _measure(arch, variables, canvas, label, *, layer, size, stride, fill, batch_size, overlap, norm) -> Occlusion:
    params, preprocess = variables
    visible, middle = preprocess.visible(canvas).astype(jnp.float32), preprocess.visible_mean()
    image = preprocess.centre(canvas[None])[0]
    cover = middle if fill is None else jnp.full_like(middle, fill)

    def read(seen: Forward) -> tuple[jax.Array, jax.Array]:
        return jnp.take(seen.activations[layer], channel, axis=-1).sum((1, 2)), jax.nn.softmax(seen.logits)

    seen = forward(arch, params, image[None])
    channel = jnp.argmax(seen.activations[layer][0].max((0, 1)))
    whole = read(seen)
    unit = strongest(seen, layer, channel[None])
    projection = project(arch, params, seen, layer, unit, overlap=overlap, norm=norm)
    square = {"size": size, "fill": preprocess.normalise(cover)}
    activity, probabilities = network_occlusion_map(
        arch, params, image, read, stride=stride, batch_size=batch_size, **square
    )

    rows, columns = (centres(length, stride) for length in image.shape[:2])
    lowest = jnp.argmin(probabilities[..., label])
    place = rows[lowest // len(columns)], columns[lowest % len(columns)]
    return Occlusion(
        image=visible,
        covered=occlude(visible, *place, size=size, fill=cover),
        label=label,
        rows=rows,
        columns=columns,
        channel=channel,
        activity=activity,
        whole_activity=whole[0][0],
        probabilities=probabilities,
        whole_probabilities=whole[1][0],
        projection=projection.pixels[0],
    )
