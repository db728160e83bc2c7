"""Pictures of strangers -> pixels that a network sees; and what a brush has painted over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zfjax.errors import InputError

if TYPE_CHECKING:
    from zfjax.preprocess import Preprocess

MAX_BYTES = 8 << 20  # of a picture file
PAINTED = 128  # and above: of a brush's bytes, whose edges may be soft


def pixels_of(preprocess: Preprocess, picture: bytes | np.ndarray) -> np.ndarray:
    """What the network sees of a picture, before the mean: uint8 [crop, crop, channels].

    picture: the bytes of a file of any kind that is read, turned as its EXIF says; or a canvas of a data set. Raises
    InputError for what is none, and for one that would take too much memory.
    """
    return preprocess.visible(preprocess.canvas(picture) if isinstance(picture, bytes) else picture)


def covered(preprocess: Preprocess, pixels: np.ndarray, brush: bytes) -> np.ndarray:
    """The picture with the colour that the network takes for nothing where the brush was: float32 [S, S, C] in 0..255.

    pixels: [S, S, C]. brush: S * S bytes, row by row. Raises InputError for another number of them.
    """
    height, width, _ = pixels.shape
    if len(brush) != height * width:
        raise InputError(f"a brush on {height}x{width} pixels has {height * width:,} bytes, not {len(brush):,}")
    painted = np.frombuffer(brush, np.uint8).reshape(height, width, 1) >= PAINTED
    return np.where(painted, np.asarray(preprocess.visible_mean(), np.float32), pixels)
