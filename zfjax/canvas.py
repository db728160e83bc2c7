"""One image file or array -> one uint8 canvas, as the paper prepares its data (section 3). Numpy and pillow only."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from zfjax.errors import InputError

# Behind transparent pixels. Mid-grey lies nearest to a mean image, so that what is not there excites a network least.
MATTE = (128, 128, 128)

Picture = bytes | np.ndarray | Image.Image
Resampling = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]


def to_canvas(image: Picture, size: int, channels: int = 3, resampling: Resampling = "bilinear") -> np.ndarray:
    """Smallest side resized to `size`, then the centre size x size cut out: uint8 [size, size, channels] (section 3).

    image: the bytes of a file, a pillow image, or a uint8 array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]. Any
    pillow mode will do; EXIF orientation is applied. channels: 3 (RGB), or 1 (luma).
    Raises InputError that says what is wrong, without the file's name, which only the caller knows.
    """
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    elif isinstance(image, bytearray | memoryview):
        image = bytes(image)
    elif not isinstance(image, bytes | Image.Image):
        raise InputError(
            f"a picture is the bytes of an image file, a pillow image or a uint8 array, not {type(image).__name__}"
        )
    if isinstance(image, Image.Image) and not all(image.size):
        raise InputError(f"a picture of {image.width}x{image.height} pixels has none")
    try:
        ours = isinstance(image, bytes)
        image = _flatten(_upright(_open(image, size) if ours else image, ours=ours))
        image, mode = _centre_square(image, size, resampling), "L" if channels == 1 else "RGB"
        image = image if image.mode == mode else image.convert(mode)  # which would copy: 0.14 of 2.5 ms
    except InputError:
        raise
    # On bad bytes pillow raises OSError, SyntaxError, ValueError, EOFError, struct.error, a bomb error and more.
    except Exception as error:
        raise InputError(f"broken image: {str(error) or type(error).__name__}") from error
    return np.asarray(image).reshape(size, size, channels)


def _open(data: bytes, size: int) -> Image.Image:
    if not data:
        raise InputError("empty file: 0 bytes where an image should be")
    try:
        image = Image.open(io.BytesIO(data))
    except Image.UnidentifiedImageError:
        raise InputError(f"not an image: {len(data)} bytes that begin with {data[:12]!r}") from None
    # Lets the JPEG decoder shrink by 2, 4 or 8 as long as twice the size remains; a no-op on smaller files.
    image.draft(None, (2 * size, 2 * size))
    image.load()
    return image


def _from_array(array: np.ndarray) -> Image.Image:
    depth = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or depth not in (1, 3, 4) or not array.size:
        raise InputError(f"an image must be uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]; got {_describe(array)}")
    return Image.fromarray(array[..., 0] if array.ndim == 3 and depth == 1 else array)


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _upright(image: Image.Image, *, ours: bool) -> Image.Image:
    """Turned as its EXIF orientation says; in place where it is `ours`."""
    try:
        return ImageOps.exif_transpose(image, in_place=ours) or image
    except Exception:  # damaged EXIF is common and harmless: the pixels are taken as they lie
        return image


def _flatten(image: Image.Image) -> Image.Image:
    """Mode L or RGB: deep pixels scaled to 8 bits, transparency laid on the matte."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        matte = Image.new("RGBA", image.size, (*MATTE, 255))
        return Image.alpha_composite(matte, image.convert("RGBA")).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Deep pixels in 0..1 (floats), 0..255 or 0..65535, whichever the largest value and the type ask for."""
    floats = np.nan_to_num(pixels.astype(np.float64), posinf=0, neginf=0)
    peak = floats.max()
    if pixels.dtype.kind == "f" and peak <= 1:
        floats = floats * 255
    elif peak > 255 or pixels.dtype == np.uint16:
        floats = floats / 257
    return np.clip(np.rint(floats), 0, 255).astype(np.uint8)


def _centre_square(image: Image.Image, size: int, resampling: Resampling) -> Image.Image:
    """Cuts and resizes in one step: the other order would blow 1 x 5000 up to 256 x 1,280,000 first.

    The cut starts at a whole pixel, so that an image that needs no resizing is copied, not blurred by half a pixel.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    if side == size:
        return image.crop(box)
    return image.resize((size, size), Image.Resampling[resampling.upper()], box=box, reducing_gap=3.0)


def ten_crop_offsets(canvas_size: int, image_size: int) -> list[tuple[int, int, int]]:
    """(top, left, flip) of the paper's ten crops: the corners row by row, the centre; then the same flipped."""
    far, middle = canvas_size - image_size, (canvas_size - image_size) // 2
    places = [(0, 0), (0, far), (far, 0), (far, far), (middle, middle)]
    return [(top, left, flip) for flip in (0, 1) for top, left in places]
