"""Colours that change independently of each other, as those of photos do not (Olah et al. 2017)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.errors import InputError

# A square root of the covariance of ImageNet's colours in 0..1: light, blue against red, green against both. As
# published with lucid (https://github.com/tensorflow/lucid, optvis/param/color.py, Apache 2.0).
IMAGENET = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)


def mixing_of(pictures: jax.Array | np.ndarray) -> jax.Array:
    """The symmetric square root of the covariance of pictures' colours: [N, H, W, C] in 0..255 -> float32 [C, C].

    Raises InputError for what is no pictures, or less than two pixels.
    """
    pictures = jnp.asarray(pictures, jnp.float32)
    if pictures.ndim != 4 or pictures.size // max(1, pictures.shape[3]) < 2:
        raise InputError(f"colours are measured on pictures [N, H, W, C], not on an array {list(pictures.shape)}")
    pixels = pictures.reshape(-1, pictures.shape[3]) / 255
    spread = pixels - pixels.mean(axis=0, keepdims=True)
    values, vectors = jnp.linalg.eigh(spread.T @ spread / len(pixels))
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))[None]) @ vectors.T


def mixed(planes: jax.Array, mixing: jax.Array | np.ndarray) -> jax.Array:
    """Independent colours [..., C] as those of pictures: each pixel times the matrix [C, C], whose longest column (a
    direction of colours) is scaled to length 1."""
    mixing = jnp.asarray(mixing, planes.dtype)
    return planes @ (mixing / jnp.linalg.norm(mixing, axis=0).max()).T
