"""Pictures as bytes of the files that browsers take: the settings of each format, written once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

Format = Literal["avif", "webp", "jpeg", "png"]
# Projections are coloured noise around grey, which chroma at half the resolution takes 3 to 5 dB from: 4:4:4 where a
# format has it. One thread, and no time or version in the file: the same picture has the same bytes.
LOSSY: dict[str, dict[str, Any]] = {
    "avif": {"subsampling": "4:4:4", "speed": 8, "max_threads": 1},
    "webp": {"method": 4},
    "jpeg": {"subsampling": 0, "optimize": True},
}
EXACT: dict[str, dict[str, Any]] = {"webp": {"lossless": True, "method": 4}, "png": {"optimize": True}}
PAGE_QUALITY = 80
MAX_WEBP = 16_383  # pixels along a side


def encoded(picture: Image.Image | np.ndarray, name: Format, quality: int | None = None) -> bytes:
    """uint8 [h, w, 3], or a pillow image -> the bytes of a file. quality: 1 to 100; None: to the bit, in a format that
    can."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    options = EXACT[name] if quality is None else {**LOSSY[name], "quality": quality}
    image.save(file, name, **options)
    return file.getvalue()


def small(path: Path, widest: int) -> tuple[bytes, tuple[int, int]]:
    """A picture's file -> WebP for a page, and its width and height.

    One wider than `widest` pixels is smoothed down to that. Curves and text are smallest to the bit, photos are not:
    both are tried.
    """
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = min(1, widest / image.width, MAX_WEBP / image.height)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return min(encoded(image, "webp"), encoded(image, "webp", PAGE_QUALITY), key=len), image.size
