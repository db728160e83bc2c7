"""Fig. 5: how far features and answers move when an image is shifted, enlarged or turned (section 4)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from tqdm import tqdm

from zfjax.errors import InputError
from zfjax.paper.default_layers import first_and_last
from zfjax.paper.top_activations import see
from zfjax.runs.run import Run

Fill = Literal["mean", "zero", "edge"]
Around = float | jax.Array | Literal["edge"]
Interpolation = Literal["bilinear", "nearest"]


class Invariance(NamedTuple):
    """N images under one transformation, by T amounts of it."""

    amounts: np.ndarray  # [T]: pixels down, factor, or degrees
    distances: dict[str, np.ndarray]  # {layer: [N, T]}, Euclidean, from the features of the untransformed image
    norms: dict[str, np.ndarray]  # {layer: [N]}, of the features of the untransformed image
    probability: np.ndarray  # [N, T], of each image's label
    shown: np.ndarray  # [N, 3, h, w, C] in 0..255: what the network sees at the first, middle and last amount


def shift(
    image: jax.Array, pixels: float, *, fill: Around = 0.0, interpolation: Interpolation = "bilinear"
) -> jax.Array:
    """Moves an image [H, W, C] down by so many pixels, up if negative. fill, interpolation: as in `warp`."""
    return warp(image, _shifting(pixels), fill=fill, interpolation=interpolation)


def scale(
    image: jax.Array, factor: float, *, fill: Around = 0.0, interpolation: Interpolation = "bilinear"
) -> jax.Array:
    """Enlarges an image [H, W, C] about its centre. fill, interpolation: as in `warp`."""
    return warp(image, _scaling(factor), fill=fill, interpolation=interpolation)


def rotate(
    image: jax.Array, degrees: float, *, fill: Around = 0.0, interpolation: Interpolation = "bilinear"
) -> jax.Array:
    """Turns an image [H, W, C] counterclockwise about its centre. fill, interpolation: as in `warp`."""
    return warp(image, _turning(degrees), fill=fill, interpolation=interpolation)


def warp(image: jax.Array, matrix: jax.Array, *, fill: Around, interpolation: Interpolation) -> jax.Array:
    """An image [H, W, C] through an affine map about its centre: float32 of the same shape, not rounded.

    matrix: [2, 3], takes a place (row, column, 1) of the result, counted from the centre, to its place in the image.
    fill: what lies outside the image, a number or an array like it, which bilinear interpolation blends in at the
    border; or "edge", the nearest pixel of the image. interpolation: "bilinear" or "nearest".
    """
    image = jnp.asarray(image, jnp.float32)
    middle = [(length - 1) / 2 for length in image.shape[:2]]
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - m for n, m in zip(image.shape, middle, strict=False)), indexing="ij")
    places = [line[0] * rows + line[1] * columns + line[2] + m for line, m in zip(matrix, middle, strict=True)]
    order = {"nearest": 0, "bilinear": 1}[interpolation]
    mode = "nearest" if isinstance(fill, str) else "constant"
    look = functools.partial(map_coordinates, coordinates=places, order=order, mode=mode)
    seen = jax.vmap(look, in_axes=-1, out_axes=-1)(image)
    return seen if isinstance(fill, str) else seen + (1 - look(jnp.ones(image.shape[:2])))[..., None] * fill


def _shifting(pixels: jax.Array) -> jax.Array:
    return jnp.array([[1.0, 0.0, -pixels], [0.0, 1.0, 0.0]])


def _scaling(factor: jax.Array) -> jax.Array:
    return jnp.array([[1 / factor, 0.0, 0.0], [0.0, 1 / factor, 0.0]])


def _turning(degrees: jax.Array) -> jax.Array:
    # Quarters by table: the cosine of 90 degrees is -4e-8 in float32, enough to blend the border with the fill.
    quarters = jnp.round(degrees / 90)
    rest = jnp.deg2rad(degrees - 90 * quarters)
    cosine, sine = jnp.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[quarters.astype(int) % 4]
    cosine, sine = cosine * jnp.cos(rest) - sine * jnp.sin(rest), sine * jnp.cos(rest) + cosine * jnp.sin(rest)
    return jnp.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])


TRANSFORMS = {"shift": _shifting, "scale": _scaling, "rotation": _turning}


def responses(
    compute: Callable[[jax.Array], Any],
    image: jax.Array,
    transforms: dict[str, jax.Array],
    *,
    fill: Around = 0.0,
    interpolation: Interpolation = "bilinear",
    batch_size: int = 32,
) -> dict[str, Any]:
    """What a function says of an image [H, W, C] under transformations: {name: arrays [T, ...]}.

    compute: images [N, H, W, C] -> a pytree of arrays [N, ...], traceable by JAX. transforms: {"shift": pixels down,
    "scale": factors, "rotation": degrees counterclockwise}, each an array [T]. The copies are made on the device,
    batch_size at a time. fill, interpolation: as in `warp`. Raises InputError for another transformation.
    """
    if unknown := sorted(set(transforms) - set(TRANSFORMS)):
        raise InputError(f"unknown transformation {unknown[0]!r}; there are {', '.join(TRANSFORMS)}")
    matrices = jnp.concatenate(
        [jax.vmap(TRANSFORMS[name])(jnp.asarray(transforms[name], float)) for name in transforms]
    )

    def one(matrix: jax.Array) -> Any:
        answers = compute(warp(image, matrix, fill=fill, interpolation=interpolation)[None])
        return jax.tree.map(lambda array: array[0], answers)

    answers = jax.lax.map(one, matrices, batch_size=min(batch_size, len(matrices)))
    ends = np.cumsum([len(transforms[name]) for name in transforms]).tolist()
    spans = {name: slice(end - len(transforms[name]), end) for name, end in zip(transforms, ends, strict=True)}
    return {name: jax.tree.map(lambda array, span=span: array[span], answers) for name, span in spans.items()}


def invariance_curves(
    features: Callable[[jax.Array], Any], image: jax.Array, transforms: dict[str, jax.Array], **options
) -> dict[str, Any]:
    """Euclidean distances between the features of an image and of its transformed copies: {name: arrays [T]}.

    features: images [N, H, W, C] -> a pytree of arrays [N, ...], traceable by JAX. The rest as in `responses`.
    """
    original = features(jnp.asarray(image, jnp.float32)[None])
    distance = lambda images: jax.tree.map(_distance, features(images), original)  # noqa: E731
    return responses(distance, image, transforms, **options)


def measure_invariance(
    run: Run,
    canvases: np.ndarray,
    labels: Sequence[int],
    transforms: dict[str, np.ndarray],
    *,
    layers: Sequence[str] = (),
    fill: Fill = "mean",
    interpolation: Interpolation = "bilinear",
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, Invariance]:
    """The curves of Fig. 5 for N images: {name: Invariance}, in the order of `transforms`.

    canvases: uint8 [N, S, S, C]; each is transformed whole about its centre and only then cropped, so that small
    shifts bring in what lies beside the crop. fill: what comes in from outside the canvas: the mean image, black, or
    the nearest pixel. layers: of which the features are compared; () for `first_and_last`. The paper states neither
    ranges nor fill nor interpolation. Raises InputError for an unknown layer or transformation.
    """
    layers = [run.arch.row(name).layer.name for name in layers or first_and_last(run.arch)]
    options = {"fill": fill, "interpolation": interpolation, "batch_size": batch_size}
    measure = jax.jit(functools.partial(_measure, run.arch, layers=layers, **options))
    each = [
        jax.tree.map(np.asarray, measure(run.variables, canvas, jnp.asarray(label), transforms))
        for canvas, label in zip(
            tqdm(canvases, "transforming", unit=" images", disable=not progress), labels, strict=True
        )
    ]
    norms, curves, shown = jax.tree.map(lambda *arrays: np.stack(arrays), *each)
    ordered = lambda by_layer: {layer: by_layer[layer] for layer in layers}  # noqa: E731 (jit sorts names)
    return {
        name: Invariance(np.asarray(amounts), ordered(curves[name][0]), ordered(norms), curves[name][1], shown[name])
        for name, amounts in transforms.items()
    }


def _measure(arch, variables, canvas, label, transforms, *, layers, fill, interpolation, batch_size):
    def look(images):
        seen = see(arch, variables, images)
        return {layer: seen.activations[layer] for layer in layers}, jax.nn.softmax(seen.logits)[:, label]

    def compare(images):
        features, probability = look(images)
        return jax.tree.map(_distance, features, original), probability

    preprocess = variables[1]
    around = {"mean": preprocess.mean, "zero": 0.0, "edge": "edge"}[fill]
    original, _ = look(canvas[None])
    options = {"fill": around, "interpolation": interpolation, "batch_size": batch_size}
    ends = {name: amounts[np.array([0, len(amounts) // 2, -1])] for name, amounts in transforms.items()}
    shown = responses(preprocess.visible, canvas, ends, **options)
    norms = jax.tree.map(lambda features: _distance(features, 0 * features)[0], original)
    return norms, responses(compare, canvas, transforms, **options), shown


def _distance(features: jax.Array, original: jax.Array) -> jax.Array:
    """[N, ...] and [1, ...] -> [N]."""
    return jnp.linalg.norm((features - original).reshape(len(features), -1), axis=1)
