"""Pictures as bytes of a file that every browser of the last years opens."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import features

from zfjax.draw.encoded import encoded
from zfjax.errors import InputError

Format = Literal["avif", "webp", "jpeg"]
# The nearest to the eye are the top nine, some 30 dB of projections. Small cells are drawn larger than they are, which
# shows what was lost.
_QUALITY = {"avif": (60, 45), "webp": (80, 65), "jpeg": (75, 60)}  # of the top nine, of all else
_SMALL_PX, _SMALL_MORE = 48, 18
MAX_STRIP = 16_000  # pixels along a strip; WebP has 16,383
MAX_SIDE = 2176  # of a sheet: 32 covers with their gutters; 19 MB once it is decoded


def check_format(name: str) -> None:
    """Raises InputError where Pillow was built without the format."""
    if name == "avif" and not features.check("avif"):
        raise InputError("this Pillow writes no AVIF; update it, or give --gallery.format=webp")


def suffix(name: Format, *, exact: bool) -> Literal["avif", "webp", "jpeg", "png"]:
    """Of the files that `encode` makes."""
    if not exact:
        return name
    return "png" if name == "jpeg" else "webp"


def encode(picture: np.ndarray, name: Format, cell: tuple[int, int], *, exact: bool, top: bool = False) -> bytes:
    """uint8 [h, w, 3] of cells of this size -> the bytes of a file. exact: to the bit, for what is tiny and drawn
    larger. top: of a unit's strongest responses."""
    height, width = picture.shape[:2]
    assert max(height, width) <= MAX_STRIP, f"a picture of {height}x{width} pixels"
    if exact:
        return encoded(picture, suffix(name, exact=True))
    return encoded(picture, name, _QUALITY[name][not top] + (_SMALL_MORE if max(cell) <= _SMALL_PX else 0))
