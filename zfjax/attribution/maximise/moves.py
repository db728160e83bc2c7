"""Small random changes of a picture before each step: what makes an output large only from one exact place is noise."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zfjax import checks
from zfjax.attribution.invariance import TRANSFORMS, warp

GREY = 127.5  # what lies outside of a picture: the sigmoid's middle


@dataclass(frozen=True)
class Moves:
    """How far pictures are moved at random, evenly up to these bounds; all zero: not at all.

    A picture is shifted by whole pixels, turned, enlarged and shifted again (Olah et al. 2017; the bounds are lucid's,
    at 224 pixels shifts of 8 and 4). The four are one map, so that pixels are interpolated once; outside lies grey, as
    wide as they need. Raises InputError for bounds that cannot be.
    """

    shift: float = 1 / 28  # of the picture's side, rounded to pixels
    scale: float = 0.1  # 0.1: by a factor in 0.9..1.1
    rotation: float = 10.0  # degrees, both ways
    last_shift: float = 1 / 56

    def __post_init__(self):
        for name, most in {"shift": 1, "scale": 0.99, "rotation": 180, "last_shift": 1}.items():
            checks.require(checks.number(0, most), getattr(self, name), f"{name} of moves is a number in 0..{most}")

    def matrix(self, key: jax.Array, size: int) -> jax.Array:
        """A random map of places, [2, 3] as `warp` takes it."""
        scale, rotation, *shifts = jax.random.uniform(key, (6,), minval=-1.0)  # one draw: each would be compiled anew
        enlarged, turned = TRANSFORMS["scale"](1 + self.scale * scale), TRANSFORMS["rotation"](self.rotation * rotation)
        first, last = (
            jnp.stack([_pixels(each, round(share * size)) for each in pair])
            for pair, share in ((shifts[:2], self.shift), (shifts[2:], self.last_shift))
        )
        linear = enlarged[:, :2] @ turned[:, :2]
        return jnp.concatenate([linear, (linear @ last + first)[:, None]], axis=1)


def _pixels(amount: jax.Array, most: int) -> jax.Array:
    """-1..1 evenly to whole numbers -most..most."""
    return jnp.minimum(jnp.floor((amount + 1) / 2 * (2 * most + 1)), 2 * most) - most


def moved(pictures: jax.Array, keys: jax.Array, moves: Moves) -> jax.Array:
    """Each picture [N, H, W, C] in 0..255 under a random move of its own; keys: [N]. Differentiable."""
    if moves == Moves(0, 0, 0, 0):
        return pictures

    def one(picture: jax.Array, key: jax.Array) -> jax.Array:
        return warp(picture, moves.matrix(key, len(picture)), fill=GREY, interpolation="bilinear")

    return jax.vmap(one)(pictures, keys)
