"""From stored uint8 canvases to what a network sees, on the device and inside jit (section 3).

Crops, flips and the mean's subtraction happen here and not on the host: uint8 canvases are a third of the bytes of
float32 crops, and the host needs its cores to decode.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from zfjax.canvas import ten_crop_offsets


def crop_images(images: jax.Array, crop: jax.Array, mean: jax.Array, *, image_size: int, scale: float) -> jax.Array:
    """Each image less the mean image, cut at its own place, flipped if asked, times scale.

    images: uint8 [N, S, S, C]. crop: int32 [N, 3], (top, left, flip). mean: [S, S, C] in 0..255, cut at the same place
    and before the flip. Returns float32 [N, image_size, image_size, C].
    """

    def crop_one(image: jax.Array, offset: jax.Array) -> jax.Array:
        start, shape = (offset[0], offset[1], 0), (image_size, image_size, image.shape[-1])
        window = jax.lax.dynamic_slice(image, start, shape).astype(jnp.float32)
        window = window - jax.lax.dynamic_slice(mean, start, shape)
        return jnp.where(offset[2] != 0, window[:, ::-1], window)

    return jax.vmap(crop_one)(images, crop) * jnp.float32(scale)


def centre_crop(images: jax.Array, mean: jax.Array, *, image_size: int, scale: float) -> jax.Array:
    """The middle of every image less the mean's, times scale: float32 [N, image_size, image_size, C]."""
    return _crop_all(images, mean, ten_crop_offsets(images.shape[1], image_size)[4], image_size, scale)


def ten_crops(images: jax.Array, mean: jax.Array, *, image_size: int, scale: float) -> jax.Array:
    """The paper's ten crops of every image: float32 [10, N, image_size, image_size, C].

    In order: top left, top right, bottom left, bottom right, centre; then the same five flipped.
    """
    offsets = ten_crop_offsets(images.shape[1], image_size)
    return jnp.stack([_crop_all(images, mean, offset, image_size, scale) for offset in offsets])


def _crop_all(images, mean, offset: tuple[int, int, int], image_size: int, scale: float) -> jax.Array:
    top, left, flip = offset
    rows, columns = slice(top, top + image_size), slice(left, left + image_size)
    window = (images[:, rows, columns].astype(jnp.float32) - mean[None, rows, columns]) * jnp.float32(scale)
    return window[:, :, ::-1] if flip else window
