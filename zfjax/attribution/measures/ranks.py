"""Rank correlation: do two maps put their places in the same order?"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from zfjax.attribution.measures.places import Values, flat, same_shape


def rank_correlation(one: jax.Array, other: jax.Array, *, values: Values = "signed") -> jax.Array:
    """Spearman's correlation of each image's two maps, over all their numbers: [N, ...] twice -> float32 [N].

    values: "signed" as they are, or "absolute", their sizes (Adebayo et al. 2018, arXiv 1810.03292, take
    both). Ties share the mean of their ranks. NaN where a map is constant, and so without any order, and
    where it holds NaN.
    Raises InputError for maps of two shapes, and for other `values`.
    """
    same_shape(one, other)
    first, second = (_centred_ranks(flat(maps, values)) for maps in (one, other))
    sizes = (first**2).sum(1) * (second**2).sum(1)
    return jnp.where(sizes > 0, (first * second).sum(1) / jnp.sqrt(sizes), jnp.nan)


@jax.vmap
def _centred_ranks(row: jax.Array) -> jax.Array:
    """Of one map's numbers [D], in -0.5..0.5; computed in whole numbers, so that a constant map has zeros alone."""
    ordered = jnp.sort(row)
    below, up_to = (jnp.searchsorted(ordered, row, side=side) for side in ("left", "right"))
    # As parts of the whole: the squares of 150,000 numbers' ranks would add up beyond what float32 tells apart.
    ranks = (below + up_to - len(row)).astype(jnp.float32) / (2 * len(row))
    return jnp.where(jnp.isnan(row).any(), jnp.nan, ranks)  # which would be put in order like numbers
