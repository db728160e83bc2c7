"""The part of an image that a unit sees, as pictures show it: its receptive field, or the image where it sees all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zfjax.layers import IMAGE, Pair, pair

if TYPE_CHECKING:
    from zfjax.arch import Arch


def window_of(arch: Arch, layer: str) -> tuple[int, int]:
    """Height and width of the pictures of a layer's units."""
    if sees_all(arch, layer):
        return (arch.image_size, arch.image_size)
    height, width = (arch.receptive_field(layer, axis).size for axis in (0, 1))
    return height, width


def sees_all(arch: Arch, layer: str) -> bool:
    """Whether every unit of a layer sees the whole image: one over one corner still sees the opposite one."""
    spans = arch.spans(layer).get(IMAGE)
    return spans is None or all(span.size >= 2 * arch.image_size - 1 for span in spans)


def cut_pictures(
    pixels: np.ndarray, image: np.ndarray, top: int, left: int, window: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A projection [h, w, C] and the image [H, W, C] in a layer's window: float32 [*window, C] each.

    pixels: one receptive field, whose corner lies at (top, left) of the image. Outside it the projection is 0, and
    outside the image the patch is NaN.
    """
    if pixels.shape[:2] == window:
        return pixels, cut_patch(image, top, left, window)
    return np.nan_to_num(cut_patch(pixels, -top, -left, window), nan=0.0), cut_patch(image, 0, 0, window)


def cut_patch(image: np.ndarray, top: int, left: int, size: Pair) -> np.ndarray:
    """The window [h, w, C] of an image [H, W, C] whose corner is at (top, left); NaN outside the image."""
    patch = np.full((*pair(size), image.shape[2]), np.nan, np.float32)
    rows, columns = (
        slice(max(0, start), max(0, min(start + extent, length)))
        for start, extent, length in zip((top, left), pair(size), image.shape, strict=False)
    )
    patch[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = image[rows, columns]
    return patch
