"""Pictures that excite units as much as can be, beside the strongest activations over many images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from zfjax.arch import Arch
from zfjax.attribution.maximise.ascent import maximise
from zfjax.attribution.maximise.colours import mixing_of
from zfjax.convnet import forward
from zfjax.data import Source
from zfjax.paper.methods.measure import references_of
from zfjax.paper.patches import cut_patch, sees_all, window_of
from zfjax.paper.top_activations import FeatureMap
from zfjax.runs.run import Run
from zfjax.terminal import meter


class Effort(NamedTuple):
    """How the pictures are made; `maximise` says what each is."""

    variants: int = 2
    steps: int = 64
    rate: float = 0.02
    decay: float = 1.0
    diversity: float = 0.0  # here a share of the median of the maps' strongest activations


class Optimised(NamedTuple):
    """One map: what excites it most, made and found."""

    found: FeatureMap
    pictures: np.ndarray  # [variants, h, w, C] in 0..255, what the unit sees of them, NaN outside
    values: np.ndarray  # [variants], the unit's for the whole pictures


def colours_of(run: Run, source: Source, seed: int) -> jax.Array:
    """What colours go together in some of a source's images: `maximise`'s mixing."""
    return mixing_of(references_of(run, source, seed))


def centre_unit(arch: Arch, layer: str) -> tuple[int, int]:
    """Row and column of the unit in the middle of a layer's maps."""
    height, width, _ = arch.row(layer).shape
    return height // 2, width // 2


def optimise(
    run: Run,
    layer: str,
    found: Sequence[FeatureMap],
    *,
    effort: Effort,
    mixing: np.ndarray | jax.Array | None = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> list[Optimised]:
    """Pictures for the unit in the middle of each found map of the layer, in the order of `found`.

    mixing: the colours that the pictures are made of, as `maximise` takes them. Several variants of one map are kept
    apart in the last layer of maps at or below `layer`. A batch has whole maps: raises InputError where the variants of
    one are more than the batch_size.
    """
    arch, place = run.arch, centre_unit(run.arch, layer)
    outputs, features = (Partial(_activations(arch, name), run.variables) for name in (layer, maps_below(arch, layer)))
    strongest = [each.activations[0] for each in found if len(each.activations)]
    weight = effort.diversity * abs(float(np.median(strongest or [0]))) if effort.variants > 1 else 0.0
    options = {"channels": arch.channels, "learning_rate": effort.rate, "decay": effort.decay, "mixing": mixing}
    options |= {"diversity": weight, "features": features, "steps": effort.steps}
    several = max(1, batch_size // effort.variants)
    chunks = [found[start : start + several] for start in range(0, len(found), several)]
    shown = []
    with meter(
        total=effort.steps * len(chunks), desc=f"optimising {layer}", unit=" steps", disable=not progress
    ) as bar:
        for number, chunk in enumerate(chunks):
            targets = jnp.array([(*place, each.index) for each in chunk for _ in range(effort.variants)])
            key = jax.random.fold_in(jax.random.key(seed), number)
            tell = _counting(bar, number * effort.steps)
            made = maximise(
                outputs, targets, size=arch.image_size, key=key, batch_size=batch_size, progress=tell, **options
            )
            pictures = np.asarray(made.pictures).reshape(len(chunk), effort.variants, *made.pictures.shape[1:])
            values = np.asarray(made.end).reshape(len(chunk), effort.variants)
            for each, several_of_it, reached in zip(chunk, pictures, values, strict=True):
                seen = np.stack([seen_in_middle(arch, layer, 255 * picture) for picture in several_of_it])
                shown.append(Optimised(each, seen, reached))
    return shown


def maps_below(arch: Arch, layer: str) -> str:
    """The layer itself where it has maps of more than one place, else the last before it that has; else itself."""
    rows = arch.rows[: arch.layer_names.index(layer) + 1]
    return next((row.name for row in reversed(rows) if row.shape[:2] != (1, 1)), layer)


def seen_in_middle(arch: Arch, layer: str, picture: np.ndarray) -> np.ndarray:
    """What the unit in the middle sees of a picture [S, S, C]: float32 [h, w, C], NaN outside of the picture."""
    if sees_all(arch, layer):
        return picture
    fields = [arch.receptive_field(layer, axis) for axis in (0, 1)]
    top, left = (
        place * field.stride + field.offset for place, field in zip(centre_unit(arch, layer), fields, strict=True)
    )
    return cut_patch(picture, top, left, window_of(arch, layer))


def _counting(bar: Any, before: int) -> Callable[[int], Any]:
    return lambda done: bar.update(before + done - bar.n)


@functools.cache
def _activations(arch: Arch, layer: str) -> Callable[[Any, jax.Array], jax.Array]:
    """((params, preprocess), pictures [N, S, S, C] in 0..255, as large as the network sees them) -> [N, h, w, K].

    Made once for a layer, that it is compiled once.
    """

    def model(variables: Any, pictures: jax.Array) -> jax.Array:
        params, preprocess = variables
        return forward(arch, params, jax.vmap(preprocess.normalise)(pictures)).activations[layer]

    return model
