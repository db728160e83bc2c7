"""What is made large: a unit, a map's mean, a class's logit; and what keeps pictures of one target apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from zfjax.attribution.targets import Function, Targets, scores


def objective(f: Function, targets: Targets) -> Function:
    """A function of pictures [N, ...] that gives the output of each that its target names: [N].

    targets: int [N] for outputs [N, K], and for maps [N, h, w, K], whose means over all places they then name; int
    [N, 3] for units of maps: row, column, channel; None for outputs [N]. Raises InputError as `scores` does.
    """

    def means(pictures: jax.Array) -> jax.Array:
        outputs = f(pictures)
        return outputs.mean(axis=(1, 2)) if outputs.ndim == 4 and getattr(targets, "ndim", 0) == 1 else outputs

    return scores(means, targets)


def likeness(maps: jax.Array, targets: jax.Array) -> jax.Array:
    """How alike each picture is to the others of its target: maps [N, h, w, K] -> the sum of cosines, [N].

    The cosine of two pictures is that of their Gram matrices, which say what maps are active together and not where
    (Olah et al. 2017, "Diversity"). targets: int [N] or [N, d].
    """
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    grams = jnp.einsum("npk,npl->nkl", flat, flat).reshape(len(maps), -1)
    # maps of zeros are like nothing; the square root has no slope there
    lengths = jnp.sqrt(jnp.maximum(jnp.square(grams).sum(axis=1, keepdims=True), jnp.finfo(maps.dtype).tiny))
    cosines = (grams / lengths) @ (grams / lengths).T
    names = targets.reshape(len(maps), -1)
    same = (names[:, None] == names[None]).all(axis=-1) & ~jnp.eye(len(maps), dtype=bool)
    return jnp.where(same, cosines, 0).sum(axis=1)
