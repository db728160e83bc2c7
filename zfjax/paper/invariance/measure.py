"""Fig. 5: how far features and answers move when an image is shifted, enlarged or turned (section 4)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.attribution.invariance import Interpolation, distance, responses
from zfjax.model import Model, on_canvases
from zfjax.paper.default_layers import first_and_last
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.terminal import meter

Fill = Literal["mean", "zero", "edge"]


class Invariance(NamedTuple):
    """N images under one transformation, by T amounts of it."""

    amounts: np.ndarray  # [T]: pixels down, factor, or degrees
    distances: dict[str, np.ndarray]  # {layer: [N, T]}, Euclidean, from the features of the untransformed image
    norms: dict[str, np.ndarray]  # {layer: [N]}, of the features of the untransformed image
    probability: np.ndarray  # [N, T], of each image's label
    shown: np.ndarray  # [N, 3, h, w, C] in 0..255: what the network sees at the first, middle and last amount


def measure_invariance(
    run: Run,
    canvases: np.ndarray,
    labels: Sequence[int] | np.ndarray,
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
    layers = tuple(run.arch.row(name).name for name in layers or first_and_last(run.arch))
    options = {"layers": layers, "fill": fill, "interpolation": interpolation, "batch_size": batch_size}
    measure = functools.partial(_measure, on_canvases(run.arch), run.variables, **options)
    each = [
        jax.tree.map(np.asarray, measure(canvas, jnp.asarray(label), transforms))
        for canvas, label in zip(
            meter(canvases, "transforming", unit=" images", disable=not progress), labels, strict=True
        )
    ]
    norms, curves, shown = jax.tree.map(lambda *arrays: np.stack(arrays), *each)
    ordered = lambda by_layer: {layer: by_layer[layer] for layer in layers}  # noqa: E731 (jit sorts names)
    return {
        name: Invariance(np.asarray(amounts), ordered(curves[name][0]), ordered(norms), curves[name][1], shown[name])
        for name, amounts in transforms.items()
    }


@functools.partial(jax.jit, static_argnames=("model", "layers", "fill", "interpolation", "batch_size"))
def _measure(
    model: Model,
    variables: tuple[dict, Preprocess],
    canvas: jax.Array,
    label: jax.Array,
    transforms: dict[str, jax.Array],
    *,
    layers: tuple[str, ...],
    fill: Fill,
    interpolation: Interpolation,
    batch_size: int,
) -> tuple[dict, dict, dict]:
    """Of one image: {layer: norm}, {transformation: ({layer: distances [T]}, probabilities [T])}, {transformation:
    pictures [3, h, w, C]}."""

    def look(images: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        seen = model(variables, images)
        return {layer: seen.activations[layer] for layer in layers}, jax.nn.softmax(seen.logits)[:, label]

    def compare(images: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        features, probability = look(images)
        return jax.tree.map(distance, features, original), probability

    preprocess = variables[1]
    original, _ = look(canvas[None])
    options: dict[str, Any] = {"interpolation": interpolation, "batch_size": batch_size}
    options["fill"] = "edge" if fill == "edge" else _around(preprocess, canvas.shape) if fill == "mean" else 0.0
    ends = {name: amounts[np.array([0, len(amounts) // 2, -1])] for name, amounts in transforms.items()}
    shown = responses(functools.partial(preprocess.visible, moved=True), canvas, ends, **options)
    norms = jax.tree.map(lambda features: distance(features, 0 * features)[0], original)
    return norms, responses(compare, canvas, transforms, **options), shown


def _around(preprocess: Preprocess, shape: tuple[int, ...]) -> jax.Array:
    """The colour that the network sees as zero, at each place of a canvas."""
    return jnp.broadcast_to(0.0 if preprocess.mean is None else preprocess.mean, shape)
