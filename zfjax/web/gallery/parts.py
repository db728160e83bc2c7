"""A pass over a data set in parts, each a file that outlives a kill and tells what it was measured with."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from zfjax.errors import InputError
from zfjax.layers import Shape
from zfjax.paper.top_activations import Winners
from zfjax.runtime.files import read_bytes, write_bytes

_MOST_BYTES = 1 << 30  # of a file that is read; ours have some 70 MB


class LayerPart(NamedTuple):
    """What a layer of C maps made of the images of a part; n of them were sampled."""

    top: Winners  # arrays [C, k]
    total: np.ndarray  # float64 [C], sum of the activations over all places of all images
    above: np.ndarray  # int64 [C], at how many of these places they are above zero
    peaks: np.ndarray  # float32 [n, C], each sampled image's maximum
    places: np.ndarray  # unsigned [n, C], where it lies: row * width + col


class Part(NamedTuple):
    """What a network made of some images, one after the other in the order of the search."""

    count: np.ndarray  # int64 [], images; those that stand in for broken ones are none
    images: np.ndarray  # int32 [n], numbers of the sampled ones
    layers: dict[str, LayerPart]


def place_type(shape: Shape) -> np.dtype:
    """The smallest type that numbers all places of a map [h, w, C]."""
    return np.min_scalar_type(shape[0] * shape[1] - 1)


def sample_bytes(shapes: Mapping[str, Shape]) -> int:
    """What one sampled image takes in a part."""
    return sum(shape[2] * (4 + place_type(shape).itemsize) for shape in shapes.values())


def write_part(path: Path, part: Part, settings: dict) -> None:
    """Whole or not at all, as .npz. settings: all that decides what is in it, plain data. Raises InputError."""
    buffer = io.BytesIO()
    np.savez(buffer, *jax.tree.leaves(part), settings=np.frombuffer(_text(settings), np.uint8))
    try:
        write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); free some space, or give another folder") from error


def read_part(path: Path, shapes: Mapping[str, Shape], top: int, images: range, settings: dict) -> Part | None:
    """What `write_part` wrote under the same settings; None where there is none, and with a warning for a damaged one.

    shapes: {layer: [h, w, C]}. top: k of the winners. images: all numbers that images of the source have. A stranger
    may have put the file there: nothing in it is run, and it takes no more memory than it is long.
    """
    try:
        return _parsed(read_bytes(path, limit=_MOST_BYTES), shapes, top, images, settings)
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged header comes as one of ten types, as in any .npy
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        warnings.warn(f"{path} is damaged ({reason}): its images are measured again", stacklevel=2)
        return None


def _parsed(data: bytes, shapes: Mapping[str, Shape], top: int, images: range, settings: dict) -> Part | None:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        if sum(entry.file_size for entry in archive.zip.infolist()) > len(data):
            raise ValueError("it is compressed, which parts are not")
        if archive["settings"].tobytes() != _text(settings):
            return None
        expected, tree = jax.tree.flatten(_blank(shapes, top, len(archive["arr_1"])))
        arrays = [archive[f"arr_{number}"] for number in range(len(expected))]
    for number, (there, blank) in enumerate(zip(arrays, expected, strict=True)):
        if (there.shape, there.dtype) != (blank.shape, blank.dtype):
            raise ValueError(f"array {number} is {there.dtype} {list(there.shape)}")
    part: Part = jax.tree.unflatten(tree, arrays)
    numbers = [part.images, *(each.top.image[np.isfinite(each.top.value)] for each in part.layers.values())]
    if any(each.size and not (each.min() in images and each.max() in images) for each in numbers):
        raise ValueError("it names images that there are not")
    return part


def _blank(shapes: Mapping[str, Shape], top: int, sampled: int) -> Part:
    """The shapes and types of a part with that many sampled images."""

    def array(kind: Any, *size: int) -> Any:
        return jax.ShapeDtypeStruct(size, kind)

    def one(shape: Shape) -> LayerPart:
        maps = shape[2]
        winners = Winners(array(np.float32, maps, top), *(array(np.int32, maps, top) for _ in range(3)))
        sums = array(np.float64, maps), array(np.int64, maps)
        return LayerPart(winners, *sums, array(np.float32, sampled, maps), array(place_type(shape), sampled, maps))

    layers = {layer: one(shape) for layer, shape in shapes.items()}
    return Part(array(np.int64), array(np.int32, sampled), layers)


def _text(settings: dict) -> bytes:
    return json.dumps(settings, sort_keys=True).encode()
