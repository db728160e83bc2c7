"""What happens to a score when a square covers part of the image (section 4.2, Fig. 7)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from zfjax.arch import Arch
from zfjax.attribution.outside import in_turn, tracing
from zfjax.checks import at_least_one
from zfjax.convnet import Forward, forward
from zfjax.errors import InputError
from zfjax.patched import forward_changed, place_changed
from zfjax.windows import Corner, cut


def occlusion_map(
    predict: Callable[[Any], Any],
    image: jax.Array | np.ndarray,
    *,
    size: int = 50,
    stride: int = 8,
    fill: float | jax.Array | np.ndarray = 0.0,
    batch_size: int = 64,
    jit: bool = True,
) -> Any:
    """The scores of an image for every place of an occluding square: [rows, cols, ...], as predict's per image.

    predict: images [N, H, W, C] -> scores [N, ...], an array or a pytree of arrays; traceable by JAX. image: [H, W, C]
    as predict takes it. The square's centre runs over `centres`; at the border the square is cut off. fill: what covers
    the image, a number or anything that broadcasts to [H, W, C]; 0 is the mean colour where the mean is removed.
    The paper states neither size nor stride nor grey value. The copies are made on the device, batch_size at a time.
    jit: False for a predict that JAX cannot trace, of NumPy, PyTorch or anything else: it is given NumPy arrays
    [n, H, W, C], n at most batch_size, and gives what np.asarray takes, or a dict or tuple of such; so is the result.
    Raises InputError for an image of another shape, and for a size, stride, fill or batch_size that cannot be.
    """
    rows, columns = _grid(image, size, stride, fill)
    if not jit:
        image, places = jnp.asarray(image), _pairs(rows, columns)

        def covered(some: np.ndarray) -> jax.Array:
            copies = jnp.broadcast_to(image, (len(some), *image.shape))
            return occlude_each(copies, places[some], size=size, fill=fill)

        return _as_map(in_turn(predict, covered, len(places), batch_size), rows, columns)

    def score(row: jax.Array, col: jax.Array) -> Any:
        return predict(occlude(image, row, col, size=size, fill=fill)[None])

    with tracing():
        return _map_places(score, rows, columns, batch_size)


def network_occlusion_map(
    arch: Arch,
    params: dict,
    image: jax.Array,
    read: Callable[[Forward], Any],
    *,
    size: int = 50,
    stride: int = 8,
    fill: float | jax.Array | np.ndarray = 0.0,
    batch_size: int = 128,
) -> Any:
    """`occlusion_map` of a network of ours, with only what the square has changed computed again.

    image: [size, size, channels], mean removed. read: what to take from a Forward of N images, [N, ...], an array or a
    pytree of arrays; it has no switches. The rest, and the result, as in `occlusion_map`.
    """
    rows, columns = _grid(image, size, stride, fill)
    whole = forward(arch, params, image[None])

    def score(row: jax.Array, col: jax.Array) -> Any:
        return read(forward_changed(arch, params, image, whole, *_covered(image, row, col, size, fill)))

    return _map_places(score, rows, columns, batch_size)


def place_occlusion_map(
    arch: Arch,
    params: dict,
    image: jax.Array,
    layer: str,
    place: Corner,
    rows: jax.Array,
    columns: jax.Array,
    *,
    size: int,
    fill: float | jax.Array | np.ndarray = 0.0,
    batch_size: int = 64,
) -> jax.Array:
    """What all maps of a layer are at one place, for every place of the square's centre: [len(rows), len(columns), C].

    place: row and column in the layer. rows, columns: where the centre goes, outside of the image too. Only what the
    square has changed and the place sees is computed again. The rest as in `network_occlusion_map`.
    """
    check_cover(image.shape, fill)
    whole = forward(arch, params, image[None])

    def score(row: jax.Array, col: jax.Array) -> jax.Array:
        return place_changed(arch, params, image, whole, *_covered(image, row, col, size, fill), layer, place)

    return _map_places(score, rows, columns, batch_size)


def _covered(
    image: jax.Array, row: jax.Array, col: jax.Array, size: int, fill: float | jax.Array | np.ndarray
) -> tuple[jax.Array, Corner]:
    """What `occlude` changes of an image: a window [1, size, size, C] that lies inside of it, and its corner."""
    covered = occlude(image, row, col, size=size, fill=fill)
    side = [min(size, length) for length in image.shape[:2]]
    inside = zip((row, col), image.shape, side, strict=False)
    corner = Corner(*(jnp.clip(place - size // 2, 0, length - extent)[None] for place, length, extent in inside))
    return cut(covered[None], jnp.zeros(1, jnp.int32), corner, side), corner


def _grid(
    image: jax.Array | np.ndarray, size: int, stride: int, fill: float | jax.Array | np.ndarray
) -> tuple[jax.Array, jax.Array]:
    at_least_one(size=size)
    check_cover(image.shape, fill)
    rows, columns = (centres(length, stride) for length in image.shape[:2])
    return rows, columns


def check_cover(image: tuple[int, ...], fill: float | jax.Array | np.ndarray) -> None:
    """Raises InputError unless `image` is the shape of one, [H, W, C], and can be covered with `fill`."""
    if len(image) != 3:
        raise InputError(f"an image is [H, W, C], not of shape {list(image)}")
    wide = np.shape(fill)
    fits = len(wide) <= 3 and all(size in (1, there) for size, there in zip(wide[::-1], image[::-1], strict=False))
    if isinstance(fill, str) or not fits:
        raise InputError(f"fill must be a number or broadcast to {list(image)}, not {fill if not wide else list(wide)}")
    if not isinstance(fill, Tracer) and not np.isfinite(fill).all():
        raise InputError("fill must be finite: what covers the image would make every score NaN")


def _map_places(score: Callable, rows: jax.Array, columns: jax.Array, batch_size: int) -> Any:
    """score(row, col) -> [1, ...] for every pair: [rows, columns, ...]."""
    at_least_one(batch_size=batch_size)
    places = _pairs(rows, columns)
    scores = jax.lax.map(lambda place: score(*place), places, batch_size=min(batch_size, len(places)))
    return _as_map(jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), scores), rows, columns)


def _pairs(rows: jax.Array, columns: jax.Array) -> jax.Array:
    return jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def _as_map(scores: Any, rows: jax.Array, columns: jax.Array) -> Any:
    return jax.tree.map(lambda array: array.reshape(len(rows), len(columns), *array.shape[1:]), scores)


def centres(length: int, stride: int) -> jax.Array:
    """Every stride-th pixel along a side, with the same margin at both ends (one pixel more at the far one)."""
    at_least_one(stride=stride)
    return jnp.arange((length - 1) % stride // 2, length, stride)


def occlude(
    image: jax.Array | np.ndarray, row: jax.Array, col: jax.Array, *, size: int, fill: float | jax.Array | np.ndarray
) -> jax.Array:
    """[H, W, C] with the square of `size` pixels around (row, col) filled; an even one reaches further up and left."""
    covered = [
        (place >= centre - size // 2) & (place < centre - size // 2 + size)
        for centre, place in ((row, jnp.arange(image.shape[0])), (col, jnp.arange(image.shape[1])))
    ]
    inside = covered[0][:, None, None] & covered[1][None, :, None]
    return jnp.where(inside, jnp.broadcast_to(jnp.asarray(fill, image.dtype), image.shape), image)


@functools.partial(jax.jit, static_argnames="size")
def occlude_each(images: jax.Array, places: jax.Array, *, size: int, fill: float | jax.Array | np.ndarray) -> jax.Array:
    """`occlude` of each image at its own place: [N, H, W, C] and int [N, 2], row and column -> [N, H, W, C]."""
    return jax.vmap(lambda image, place: occlude(image, *place, size=size, fill=fill))(images, places)


def default_stride(image_size: int) -> int:
    """8 pixels on an image of 224, in proportion on others, at least 1: not the paper's, which states none."""
    return max(1, round(image_size / 28))
