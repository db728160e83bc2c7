"""One image file or array -> one uint8 canvas, as the paper prepares its data (section 3). Numpy and pillow only."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps

from zfjax.errors import InputError
from zfjax.image_files import DECODING, decoded_bytes, open_image
from zfjax.terminal import visible

# Behind transparent pixels. Mid-grey lies nearest to a mean image, so that what is not there excites a network least.
MATTE = (128, 128, 128)

_WHOLE = 1 << 16  # pixels: no JPEG has a longer side

STRIP_PIXELS = 1 << 20  # that are brought to 8 bits together

_DARK: list[str] = []  # the one image that was warned of

Picture = bytes | np.ndarray | Image.Image
# torchvision: bilinear, as its Resize and CenterCrop do it to pillow images: the whole picture is resized, then cut
Resampling = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "torchvision"]


def each_picture(pictures: Any) -> list[Any]:
    """One picture, several, or an array [N, H, W, C] of them, as a list; raises InputError where there is none."""
    several = isinstance(pictures, list | tuple) or getattr(pictures, "ndim", 0) == 4
    each = [*pictures] if several else [pictures]
    if not each:
        raise InputError("no pictures: the list is empty")
    return each


def to_canvas(
    image: Picture, size: int, channels: int = 3, resampling: Resampling = "bilinear", *, name: str = "a picture"
) -> np.ndarray:
    """Smallest side resized to `size`, then the centre size x size cut out: uint8 [size, size, channels] (section 3).

    image: the bytes of a file, a pillow image, or a uint8 array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]. Any
    pillow mode will do; EXIF orientation is applied. channels: 3 (RGB), or 1 (luma).
    Pixels of more than 8 bits are scaled (`_white` has the rule); one that comes out almost black, the first such in a
    process, is warned of by its `name`.
    Raises InputError that says what is wrong, without the file's name, which only the caller knows.
    """
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    elif isinstance(image, bytearray | memoryview):
        image = bytes(image)
    elif not isinstance(image, bytes | Image.Image):
        path = isinstance(image, str | PurePath)
        advice = f'; open({str(image)!r}, "rb").read() gives those of a file' if path else ""
        raise InputError(
            "a picture is the bytes of an image file, a pillow image or a uint8 array, not "
            f"{type(image).__name__}{advice}"
        )
    ours, mode = isinstance(image, bytes), "L" if channels == 1 else "RGB"
    try:
        # Twice the size is left by the JPEG decoder, which shrinks by powers of two.
        left = _WHOLE if resampling == "torchvision" else 2 * size
        picture = open_image(image, left) if isinstance(image, bytes) else image
        if not all(picture.size):
            raise InputError(f"a picture of {picture.width}x{picture.height} pixels has none")
        with DECODING.taken(decoded_bytes(picture)):
            picture.load()
            picture = _centre_square(_flatten(_upright(picture, ours=ours), name), size, resampling)
        picture = picture if picture.mode == mode else picture.convert(mode)  # which would copy: 0.14 of 2.5 ms
    except InputError:
        raise
    except MemoryError:
        raise InputError("broken image: too many pixels for the memory that is left") from None
    # On bad bytes pillow raises OSError, SyntaxError, ValueError, EOFError, struct.error, a bomb error and more.
    except Exception as error:
        raise InputError(f"broken image: {str(error) or type(error).__name__}") from error
    return np.asarray(picture).reshape(size, size, channels)


def _from_array(array: np.ndarray) -> Image.Image:
    depth = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or depth not in (1, 3, 4) or not array.size:
        raise InputError(
            f"an image must be uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]; got {_describe(array)}{_advice(array)}"
        )
    return Image.fromarray(array[..., 0] if array.ndim == 3 and depth == 1 else array)


def _advice(array: np.ndarray) -> str:
    """How an array of other conventions becomes a picture."""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        return "; channels come last: image.transpose(1, 2, 0)"
    if array.dtype.kind == "f" and array.size:
        whole = "image" if np.nanmax(array) > 1 else "(255 * image)"
        return f"; of floats in 0..{255 if np.nanmax(array) > 1 else 1}, {whole}.round().astype('uint8') makes it"
    return ""


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _upright(image: Image.Image, *, ours: bool) -> Image.Image:
    """Turned as its EXIF orientation says; in place where it is `ours`."""
    try:
        return ImageOps.exif_transpose(image, in_place=ours) or image
    except Exception:  # damaged EXIF is common and harmless: the pixels are taken as they lie
        return image


def _flatten(image: Image.Image, name: str) -> Image.Image:
    """Mode L or RGB: deep pixels scaled to 8 bits, transparency laid on the matte.

    Large images by strips, for on its way to 8 bits a pixel may take 28 bytes.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    flatten = _flat
    if image.mode == "F" and not any(np.isfinite(np.asarray(strip)).any() for strip in _strips(image)):
        raise InputError("broken image: none of its pixels is a finite number")
    if image.mode.startswith("I") or image.mode == "F":
        white = _white(image, max(_finite(strip).max() for strip in _strips(image)), name)
        flatten = functools.partial(_to_8_bits, white=white)
    if image.width * image.height <= STRIP_PIXELS:
        return flatten(image)
    top, whole = 0, None
    for strip in _strips(image):
        flat = flatten(strip)
        whole = whole or Image.new(flat.mode, image.size)
        whole.paste(flat, (0, top))
        top += strip.height
    assert whole, "it has rows"
    return whole


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _flat(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        matte = Image.new("RGBA", image.size, (*MATTE, 255))
        return Image.alpha_composite(matte, image.convert("RGBA")).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _finite(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return np.nan_to_num(pixels.astype(np.float64), posinf=0, neginf=0) if image.mode == "F" else pixels


def _white(image: Image.Image, peak: float, name: str) -> int:
    """The value that becomes 255; `peak` is the largest one in the image.

    Where the file says how deep its pixels are: 4095 for 12 bits of a TIFF (BitsPerSample, or a MaxSampleValue that is
    one less than a power of two; another one is a statistic, says TIFF), 65535 for PGM, which pillow scales to it.
    PNG and JPEG 2000 always span the whole range, whatever PNG's sBIT. Else 65535 for 16 bits, with a warning for
    pixels of which none is above an eighth of it, for other programs store 12 bits so. Of 32 bits and floats no file
    says how deep they are: 255 or 65535 (floats: 1 too), whichever the largest value asks for.
    """
    if image.mode == "F":
        return 1 if peak <= 1 else 255 if peak <= 255 else 65535
    if stated := _stated_white(image):
        return stated
    if not image.mode.startswith("I;16") and peak <= 255:
        return 255
    if 0 < peak < 65535 / 8 and not _DARK:
        _DARK.append(name)
        warnings.warn(
            f"{visible(name)} is almost black: no pixel is above {peak:.0f} of 65535; if its white is less, as of 12 "
            "bits in a 16-bit file, scale such images up first (others like it are not named)",
            stacklevel=2,
        )
    return 65535


def _stated_white(image: Image.Image) -> int:
    """What the file says, or 0."""
    if image.format == "PPM":
        return 65535
    tags = getattr(image, "tag_v2", {})
    for tag, to_white in ((281, int), (258, lambda bits: 2 ** int(bits) - 1)):  # MaxSampleValue, BitsPerSample
        value = tags.get(tag)
        white = to_white(value[0] if isinstance(value, tuple) else value) if value else 0
        if 255 < white < 65535 and white & (white + 1) == 0:
            return white
    return 0


def _to_8_bits(image: Image.Image, white: int) -> Image.Image:
    pixels = _finite(image)
    if pixels.dtype.itemsize == 2:  # by a table: a tenth of the time
        return Image.fromarray(_scaled(np.arange(65536.0), white)[pixels])
    return Image.fromarray(_scaled(pixels.astype(np.float64), white))


def _scaled(floats: np.ndarray, white: int) -> np.ndarray:
    floats = floats * 255 if white == 1 else floats / (white / 255)
    return np.clip(np.rint(floats), 0, 255).astype(np.uint8)


def _centre_square(image: Image.Image, size: int, resampling: Resampling) -> Image.Image:
    """Cuts and resizes in one step: the other order would blow 1 x 5000 up to 256 x 1,280,000 first.

    The cut starts at a whole pixel, so that an image that needs no resizing is copied, not blurred by half a pixel.
    """
    if resampling == "torchvision":
        return image.resize((size, size), Image.Resampling.BILINEAR, box=_published_box(*image.size, size))
    width, height = image.size
    if width == height == size:
        return image  # of a prepared set: a copy takes 20 of 500 us
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side)
    if side == size:
        return image.crop(box)
    return image.resize((size, size), Image.Resampling[resampling.upper()], box=box, reducing_gap=3.0)


def _published_box(width: int, height: int, size: int) -> tuple[float, float, float, float]:
    """What of a picture the centre size x size is of when all of it is resized to a smallest side of `size`.

    torchvision cuts a fraction of a pixel off the long side, and rounds the margin to the even number.
    """
    side = min(width, height)
    box = []
    for length in (width, height):
        resized = size * length // side
        margin = round((resized - size) / 2)
        box.append((margin * length / resized, (margin + size) * length / resized))
    (left, right), (top, bottom) = box
    return left, top, right, bottom


def ten_crop_offsets(canvas_size: int, image_size: int) -> list[tuple[int, int, int]]:
    """(top, left, flip) of the paper's ten crops: the corners row by row, the centre; then the same flipped."""
    far, middle = canvas_size - image_size, (canvas_size - image_size) // 2
    places = [(0, 0), (0, far), (far, 0), (far, far), (middle, middle)]
    return [(top, left, flip) for flip in (0, 1) for top, left in places]
