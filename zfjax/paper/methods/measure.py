"""What every method says of chosen images: one question each, the same for all methods."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.convnet import Forward
from zfjax.data import Source
from zfjax.deconvnet import strongest
from zfjax.model import Model, on_canvases
from zfjax.paper.methods.methods import Effort, Question, explain
from zfjax.paper.pictures import Pictures
from zfjax.runs.run import Run
from zfjax.terminal import meter

REFERENCES = 32  # images that expected gradients start from


class Explained(NamedTuple):
    """One image and one output of it, as each method explains it."""

    image: np.ndarray  # [S, S, C] in 0..255, as the network sees it
    name: str
    about: str  # the class or unit, and how strong it is
    maps: dict[str, np.ndarray]  # {method: float32 [S, S, C], signed, or of places alone [S, S]}


def explain_pictures(
    run: Run,
    pictures: Pictures,
    *,
    layer: str,
    maps: Sequence[int],
    methods: Sequence[str],
    references: np.ndarray,
    effort: Effort,
    seed: int = 0,
    progress: bool = False,
) -> list[Explained]:
    """Of each picture its class (layer ""), or of a layer the strongest place of each of `maps`.

    maps: numbers of maps; empty: the one that is strongest in the picture. references: canvases that expected gradients
    start from; none: the mean image alone. Rows are in order of the pictures, then of the maps.
    """
    images = run.preprocess.centre(jnp.asarray(pictures.canvases))
    passed = _look(on_canvases(run.arch), run.variables, pictures.canvases)
    which, targets, about = _questions(run, passed, pictures, layer, maps)
    started = run.preprocess.centre(jnp.asarray(references)) if len(references) else jnp.zeros_like(images[:1])
    asked = Question(run.arch, run.params, layer, started, jax.random.key(seed), effort)
    said = {}
    for name in meter(methods, "explaining", unit=" methods", disable=not progress):
        said[name] = np.asarray(explain(name, asked, images[which], targets))
    crops = run.preprocess.visible(pictures.canvases)
    return [
        Explained(crops[image], pictures.names[image], text, {name: each[row] for name, each in said.items()})
        for row, (image, text) in enumerate(zip(which.tolist(), about, strict=True))
    ]


def references_of(run: Run, source: Source | None, seed: int) -> np.ndarray:
    """A random choice of a source's canvases; none of no source."""
    if source is None:
        return np.zeros((0,))
    count = min(REFERENCES, len(source))
    chosen = np.random.default_rng(seed).choice(len(source), count, replace=False)
    return np.stack([source[int(number)]["image"] for number in chosen])


def _questions(
    run: Run, passed: Forward, pictures: Pictures, layer: str, maps: Sequence[int]
) -> tuple[np.ndarray, jax.Array, list[str]]:
    """Which picture, which target and what to say of it, row by row."""
    if not layer:
        shares = np.asarray(jax.nn.softmax(passed.logits))
        labels = np.asarray(pictures.labels)
        about = [f"{run.shown_names[label]}, {row[label]:.2f}" for row, label in zip(shares, labels, strict=True)]
        return np.arange(len(labels)), jnp.asarray(labels), about
    found = passed.activations[layer]
    count, channels = len(found), found.shape[-1]
    peaks = np.asarray(found).reshape(count, -1, channels).max(axis=1)
    chosen = np.tile(maps, (count, 1)) if len(maps) else peaks.argmax(axis=1)[:, None]
    which, channel = np.repeat(np.arange(count), chosen.shape[1]), chosen.ravel()
    pairs = zip(which, channel, strict=True)
    about = [f"{layer} map {number}, {peaks[image, number]:.3g}" for image, number in pairs]
    units = strongest(passed, layer, jnp.arange(channels))
    row, col = (place.reshape(count, channels)[which, channel] for place in (units.row, units.col))
    return which, jnp.stack([row, col, jnp.asarray(channel)], axis=1), about


@functools.partial(jax.jit, static_argnames="model")
def _look(model: Model, variables: Any, canvases: Any) -> Forward:
    return model(variables, canvases)
