"""Raw pixels -> displayable pictures and mosaics of them: numpy only."""

import math
from collections.abc import Iterable

import numpy as np

from zfjax.errors import InputError

PERCENTILE = 99.5  # of |value|, shown as full black or white
OUTSIDE = 0.93  # of what lies beside the image: lighter than the 0.5 of a projection's zero, darker than the page


def display_limit(picture: np.ndarray, percentile: float = PERCENTILE) -> float:
    """The |value| to show as full black or white: a percentile of the picture's non-zero magnitudes.

    picture: any shape. 0.0 if it is zero everywhere. Raises InputError for NaN, infinity or a percentile not in 0..100.

    Zeros do not vote: a unit at the image border, or one below sparse switches, fills a small part of its window, and
    a percentile over the whole window would fall inside the zeros and saturate what little there is.
    """
    if not 0 < percentile <= 100:
        raise InputError(f"the display percentile must be above 0 and at most 100, got {percentile}")
    magnitude = np.abs(np.asarray(picture, np.float64))
    if bad := np.count_nonzero(~np.isfinite(magnitude)):
        raise InputError(f"a picture of shape {np.shape(picture)} holds {bad} values that are NaN or infinite")
    # What float32 rounding leaves behind in an empty region is zero too.
    visible = magnitude[magnitude > np.finfo(np.float32).eps * magnitude.max(initial=0)]
    # "lower": interpolating would let a single outlier among the 147 values of a 7x7 window set the gain.
    return float(np.percentile(visible, percentile, method="lower")) if visible.size else 0.0


def to_display(pixels: np.ndarray, *, percentile: float = PERCENTILE, patches: np.ndarray | None = None) -> np.ndarray:
    """Signed projections as pictures: zero is mid-grey, one symmetric gain per picture shared by its channels.

    pixels: [..., h, w, C], C = 1 or 3, any scale. patches: the same windows of the images, NaN outside of the image:
    there a picture takes the tone of `show_patch`. Returns float32 in [0, 1] of the same shape: 0.5 + 0.5 * value /
    `display_limit`, clipped, and plain 0.5 for a picture of zeros. The paper only says that contrast was enhanced
    (Zeiler & Fergus 2013, Fig. 4). Raises InputError for another C or for values that are not finite.
    """
    pixels = np.asarray(pixels)
    _check_picture(pixels, "pixels")
    pictures = pixels.reshape(-1, *pixels.shape[-3:])
    shown = np.empty(pictures.shape, np.float32)
    for target, picture in zip(shown, pictures, strict=True):
        target[...] = with_limit(picture, display_limit(picture, percentile))
    shown = shown.reshape(pixels.shape)
    return shown if patches is None else np.where(_blank(patches), np.float32(OUTSIDE), shown)


def outside_words(patches: Iterable[np.ndarray]) -> str:
    """What a caption says after "mid-grey is zero" where some of the patches [..., h, w, C] leave the image."""
    return ", light grey is outside the image" if any(np.isnan(each).any() for each in patches) else ""


def with_limit(picture: np.ndarray, limit: float) -> np.ndarray:
    """One signed picture [h, w, C] as `to_display` shows it where +-limit is full white and black; 0: plain grey."""
    if not limit:
        return np.full(picture.shape, 0.5, np.float32)
    return (0.5 + 0.5 * np.clip(picture.astype(np.float64) / limit, -1, 1)).astype(np.float32)


def show_patch(patches: np.ndarray, *, outside: float = OUTSIDE) -> np.ndarray:
    """Image patches as pictures; pixels outside the image take one quiet tone.

    patches: [..., h, w, C], C = 1 or 3, in 0..255, NaN outside the image. Returns float32 in [0, 1] of the same shape.
    Raises InputError for values that are no pixels, such as those of an image whose mean was removed.
    """
    patches = np.asarray(patches, np.float32)
    _check_picture(patches, "patches")
    filled = np.where(_blank(patches), np.float32(255 * outside), patches)
    low, high = filled.min(initial=0), filled.max(initial=255)
    if low < -0.5 or high > 255.5:
        raise InputError(f"image patches must lie in 0..255 (NaN outside the image), got values in {low:g}..{high:g}")
    return np.clip(filled / 255, 0, 1)


def tile(pictures: np.ndarray, columns: int, gap: int = 1, background: float = 1.0) -> np.ndarray:
    """A mosaic [H, W, C] of pictures [n, h, w, C], row by row, with `gap` pixels of `background` in between.

    Keeps the dtype; places that the last row leaves free are background. Raises InputError without pictures or columns.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 4 or len(pictures) == 0 or columns < 1 or gap < 0:
        raise InputError(f"cannot tile pictures of shape {pictures.shape} in {columns} columns with gaps of {gap} px")
    n, height, width, channels = pictures.shape
    rows = math.ceil(n / columns)
    cells = np.full((rows * columns, height + gap, width + gap, channels), background, pictures.dtype)
    cells[:n, :height, :width] = pictures
    grid = cells.reshape(rows, columns, height + gap, width + gap, channels).swapaxes(1, 2)
    grid = grid.reshape(rows * (height + gap), columns * (width + gap), channels)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap]


def near_square(n: int) -> int:
    """Columns for n pictures: from square to half again as wide, whatever leaves the fewest places empty."""
    return min(range(math.ceil(math.sqrt(n)), math.ceil(1.5 * math.sqrt(n)) + 1), key=lambda columns: -n % columns)


def rgb8(pictures: np.ndarray) -> np.ndarray:
    """[..., 1 or 3] in 0..1 -> uint8 [..., 3]: a quarter of the memory, for mosaics of ten million pixels."""
    levels = np.round(255 * pictures).astype(np.uint8)
    return levels if levels.shape[-1] == 3 else np.repeat(levels, 3, axis=-1)


def grid(pictures: np.ndarray, k: int, gap: int) -> np.ndarray:
    """One map's pictures [n <= k, h, w, C] in 0..1 as a near-square uint8 mosaic, white where fewer than k."""
    missing = ((0, k - len(pictures)), (0, 0), (0, 0), (0, 0))
    return tile(np.pad(rgb8(pictures), missing, constant_values=255), near_square(k), gap, 255)


def with_header(grids: list[np.ndarray], rows: int) -> np.ndarray:
    """uint8 grids, all [h, w, 3], stacked and with white rows on top that leave room for a label."""
    return np.pad(np.stack(grids), ((0, 0), (rows, 0), (0, 0), (0, 0)), constant_values=255)


def _blank(patches: np.ndarray) -> np.ndarray:
    """Which pixels [..., h, w, 1] lie outside of the image."""
    return np.any(np.isnan(patches), axis=-1, keepdims=True)


def _check_picture(array: np.ndarray, name: str) -> None:
    if array.ndim < 3 or array.shape[-1] not in (1, 3):
        raise InputError(f"{name} must be [..., height, width, 1 or 3], got shape {array.shape}")
