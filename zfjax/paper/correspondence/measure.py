"""Table 1 and Fig. 8: images with the same part covered, and with random places covered to compare (section 4.3)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.attribution.correspondence import correspondence, random_centres, square_centres
from zfjax.attribution.occlusion import occlude_each
from zfjax.data.keypoints import Portrait
from zfjax.model import Model, network
from zfjax.paper.default_layers import five_and_seven
from zfjax.runs.run import Run


class Summary(NamedTuple):
    """Mean and standard deviation of H over pairs (and over placings, where there are several)."""

    mean: float
    sd: float


class Result(NamedTuple):
    """The rows of Table 1, H of every pair of images; and what they were measured on."""

    layers: list[str]
    parts: dict[str, dict[str, Summary]]  # {part: {layer: mean and sd over the pairs}}
    controls: dict[str, dict[str, Summary]]  # "random", "random, same place": over pairs and placings
    lower: dict[str, dict[str, float]]  # {part: {layer: share of random placings whose mean is below the part's}}
    shares: dict[str, np.ndarray]  # {layer: [placings, pairs]}: first the parts, then both kinds of random placings
    images: list[str]
    size: int  # of the square, in pixels
    draws: int
    pictures: np.ndarray  # [n, 1 + K, h, w, C] in 0..255: an image, its parts covered, some random places covered


def measure_correspondence(
    run: Run,
    portraits: Sequence[Portrait],
    *,
    layers: Sequence[str] = (),
    size: int | None = None,
    draws: int = 100,
    shown: int = 10,
    examples: int = 4,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> Result:
    """What covering the same part of N portraits changes in each, and covering random places.

    portraits: all with the same parts, two at least. layers: whose features are compared; () for `five_and_seven`.
    size: of the grey square in pixels, None for a fifth of the image; the paper does not give it. draws: random
    placings of either kind. shown, examples: how many images, and of their random placings, become pictures.
    Raises InputError for an unknown layer.
    """
    layers = [run.arch.row(name).name for name in layers or five_and_seven(run.arch)]
    size = max(1, round(run.arch.image_size / 5)) if size is None else size
    rng, side = np.random.default_rng(seed), {"size": size, "image_size": run.arch.image_size}
    names = list(portraits[0].parts)
    parts = square_centres(np.array([[portrait.parts[name] for portrait in portraits] for name in names]), size)
    apart = random_centres(rng, draws, len(portraits), **side)
    same = random_centres(rng, draws, 1, **side).repeat(len(portraits), axis=1)
    canvases = np.stack([portrait.canvas for portrait in portraits])
    images = np.asarray(run.preprocess.centre(canvases))
    model, options = _features(run.arch, tuple(layers)), {"size": size, "batch_size": batch_size, "progress": progress}
    shares = correspondence(model, run.params, images, np.concatenate([parts, apart, same]), **options)
    return _result(
        {layer: shares[layer] for layer in layers},  # in the order asked for
        names,
        images=[portrait.name for portrait in portraits],
        size=size,
        draws=draws,
        pictures=_pictures(run, canvases[:shown], np.concatenate([parts, apart[:examples]])[:, :shown], size),
    )


def summary(shares: np.ndarray) -> Summary:
    """shares: H of any shape; the sample's standard deviation, 0 for a single pair."""
    return Summary(float(shares.mean()), float(shares.std(ddof=1)) if shares.size > 1 else 0.0)


def _result(shares: dict[str, np.ndarray], names: list[str], *, draws: int, **rest: Any) -> Result:
    count = len(names)
    parts = {name: {layer: summary(shares[layer][row]) for layer in shares} for row, name in enumerate(names)}
    kinds = {"random": np.s_[count : count + draws], "random, same place": np.s_[count + draws :]}
    controls = {kind: {layer: summary(shares[layer][rows]) for layer in shares} for kind, rows in kinds.items()}
    means = {layer: shares[layer][kinds["random"]].mean(axis=1) for layer in shares}
    lower = {
        name: {layer: float((means[layer] < row[layer].mean).mean()) for layer in shares} for name, row in parts.items()
    }
    return Result(list(shares), parts, controls, lower, shares, draws=draws, **rest)


def _pictures(run: Run, canvases: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """[n, 1 + K, h, w, C] in 0..255: each image as it is, and covered with the mean image in K places [K, n, 2]."""
    images = run.preprocess.visible(canvases).astype(np.float32)
    mean = np.clip(run.preprocess.visible_mean(), 0, 255)
    covered = [np.asarray(occlude_each(images, placing, size=size, fill=mean)) for placing in places]
    return np.stack([images, *covered], axis=1)


@functools.cache
def _features(arch: Arch, layers: tuple[str, ...]) -> Model:
    """(params, images as the network takes them) -> {layer: features in float32}."""

    def model(params: Any, images: jax.Array) -> dict[str, jax.Array]:
        activations = network(arch)(params, images).activations
        return {layer: activations[layer].astype(jnp.float32) for layer in layers}

    return model
