"""Orders of places that know nothing of the network: what a map must beat."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from zfjax.arguments import check_key


def random_order(key: jax.Array, count: int, size: tuple[int, int]) -> jax.Array:
    """An importance of places by chance, each image's its own: float32 [count, H, W] in 0..1. size: (H, W)."""
    check_key(key)
    return jax.random.uniform(key, (count, *size))


def centre_first(count: int, size: tuple[int, int]) -> jax.Array:
    """An importance that falls from the middle of the image outwards, the same for all: float32 [count, H, W] in 0..1.

    size: (H, W). Photographers put the object there, so this needs no network to beat chance.
    """
    rows, columns = ((jnp.arange(length) - (length - 1) / 2) / length for length in size)
    distance = jnp.hypot(rows[:, None], columns[None, :])
    return jnp.broadcast_to(1 - distance, (count, *size))
