"""Canvases: every kind of pixel and file that pillow knows, cut and resized as the paper says."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from zfjax import canvas
from zfjax.canvas import MATTE, to_canvas
from zfjax.errors import InputError, exit_on_bad_input

RED, GREY = (200, 30, 40), (120, 120, 120)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "image, kind, expected",
    [
        (Image.new("RGB", (20, 30), RED), "PNG", RED),
        (Image.new("RGB", (20, 30), RED), "BMP", RED),
        (Image.new("RGB", (20, 30), RED), "TIFF", RED),
        (Image.new("RGB", (20, 30), RED).quantize(8), "GIF", RED),
        (Image.new("L", (20, 30), 120), "JPEG", GREY),
        (Image.new("L", (20, 30), 120), "PNG", GREY),
        (Image.new("1", (20, 30), 1), "PNG", (255, 255, 255)),
        (Image.new("LA", (20, 30), (120, 255)), "PNG", GREY),
        (Image.new("LA", (20, 30), (9, 0)), "PNG", MATTE),
        (Image.new("RGBA", (20, 30), (*RED, 255)), "PNG", RED),
        (Image.new("RGBA", (20, 30), (*RED, 0)), "PNG", MATTE),
        (Image.new("RGBA", (20, 30), (0, 0, 0, 128)), "WEBP", (64, 64, 64)),
        (Image.new("CMYK", (20, 30), (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (Image.new("CMYK", (20, 30), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (Image.new("YCbCr", (20, 30), (120, 128, 128)), "JPEG", GREY),
        (Image.new("HSV", (20, 30), (0, 0, 120)), None, GREY),
        (Image.new("I;16", (20, 30), 120 * 257), "PNG", GREY),
        (Image.new("I;16", (20, 30), 120 * 257), "TIFF", GREY),
        (Image.new("I", (20, 30), 120 * 257), "TIFF", GREY),
        (Image.new("I", (20, 30), 120), "TIFF", GREY),
        (Image.new("F", (20, 30), 120 / 255), "TIFF", GREY),
        (Image.new("F", (20, 30), 120.0), "TIFF", GREY),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_mode_becomes_rgb_and_grey(image, kind, expected):
    data = encode(image, kind) if kind else image
    np.testing.assert_allclose(to_canvas(data, 16, 3), np.broadcast_to(expected, (16, 16, 3)), atol=4)
    luma = np.array(expected) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(to_canvas(data, 16, 1), np.full((16, 16, 1), luma), atol=4)


def tiff(pixels: np.ndarray, bits: int, tags: dict[int, int]) -> bytes:
    """A grey TIFF by hand, of 12 or 16 bits, for pillow writes none of 12."""
    rows, columns = pixels.shape
    packed = pixels.astype("<u2").tobytes()
    if bits == 12:
        packed = b"".join((int(a) << 12 | int(b)).to_bytes(3, "big") for a, b in pixels.reshape(-1, 2))
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(packed)} | tags
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + struct.pack("<H", len(tags)) + fields + bytes(4)


def pgm(white: int, value: int) -> bytes:
    return f"P5 16 16 {white}\n".encode() + np.full((16, 16), value, ">u2").tobytes()


DEEP = {
    "12 bits": (tiff(np.full((16, 16), 3000), 12, {}), 187),
    "12 bits, MaxSampleValue": (tiff(np.full((16, 16), 3000), 16, {281: 4095}), 187),
    "10 bits, MaxSampleValue": (tiff(np.full((16, 16), 200), 16, {281: 1023}), 50),
    "16 bits, MaxSampleValue a statistic": (tiff(np.full((16, 16), 30000), 16, {281: 30000}), 117),
    "16 bits": (tiff(np.full((16, 16), 30000), 16, {}), 117),
    "black": (tiff(np.zeros((16, 16)), 16, {}), 0),
    "PGM of 12 bits": (pgm(4095, 3000), 187),
    "PGM of 16 bits, dark": (pgm(65535, 200), 1),
}


@pytest.mark.parametrize("what", DEEP)
def test_deep_pixels_are_scaled_by_what_the_file_says(what):
    data, expected = DEEP[what]
    assert (to_canvas(data, 16) == expected).all()


def test_16_bits_that_look_like_12_are_warned_of_once(monkeypatch):
    monkeypatch.setattr(canvas, "_DARK", [])
    dark = encode(Image.new("I;16", (8, 8), 4095))
    with pytest.warns(UserWarning, match=r"^a/b\.png is almost black: no pixel is above 4095 of 65535") as told:
        assert (to_canvas(dark, 8, name="a/b.png") == 16).all()
        to_canvas(dark, 8, name="a/c.png")
    assert len(told) == 1


def test_palette_with_a_transparent_colour_shows_the_matte():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *RED])
    assert to_canvas(encode(image, transparency=1), 8).tolist() == np.broadcast_to(MATTE, (8, 8, 3)).tolist()
    assert to_canvas(encode(image, transparency=0), 8).tolist() == np.broadcast_to(RED, (8, 8, 3)).tolist()


def test_rgb_png_with_a_transparent_colour_shows_the_matte():
    data = encode(Image.new("RGB", (8, 8), RED), transparency=RED)
    assert (to_canvas(data, 8) == MATTE).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation):
    upright = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8))
    stored = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1]}
    stored |= {5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a), 8: lambda a: np.rot90(a, 3)}
    stored[7] = lambda a: a[::-1, ::-1].transpose(1, 0, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(np.ascontiguousarray(stored[orientation](np.asarray(upright)))), exif=exif)
    np.testing.assert_array_equal(to_canvas(data, 12), np.asarray(upright))


def test_damaged_exif_does_no_harm():
    """The orientation is there, and then a field of a type that there is not; or there is nothing to be read at all."""
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 3, "2020:01:01 00:00:00"
    whole = encode(stored, "WEBP", lossless=True, exif=exif)
    as_it_lies, turned = np.asarray(stored), np.asarray(stored)[::-1, ::-1]
    np.testing.assert_array_equal(to_canvas(whole, 12), turned)
    second = whole.index(b"\x01\x32") if b"MM\0*" in whole else whole.index(b"\x32\x01")
    np.testing.assert_array_equal(to_canvas(whole[: second + 2] + b"\x7f\x7f" + whole[second + 4 :], 12), turned)
    unreadable = whole.replace(b"MM\0*", b"MM??").replace(b"II*\0", b"II??")
    np.testing.assert_array_equal(to_canvas(unreadable, 12), as_it_lies)


def test_an_image_of_the_callers_stays_as_it_is():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode(Image.fromarray(stored), exif=exif))) as image:
        np.testing.assert_array_equal(to_canvas(image, 9), to_canvas(np.rot90(stored, 3).copy(), 9))
        assert image.getexif()[0x0112] == 6 and image.size == (9, 12)
        np.testing.assert_array_equal(np.asarray(image), stored)


@pytest.mark.parametrize("shape", [(40, 60, 3), (60, 41, 3), (40, 60), (40, 60, 1), (40, 60, 4)])
def test_an_image_of_the_right_size_is_cut_and_not_resampled(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    array = np.concatenate([array[..., :3], np.full((*shape[:2], 1), 255, np.uint8)], 2) if shape[-1] == 4 else array
    size, (top, left) = min(shape[:2]), ((side - min(shape[:2])) // 2 for side in shape[:2])
    middle = array[top : top + size, left : left + size].reshape(size, size, -1)[..., :3]
    np.testing.assert_array_equal(to_canvas(array, size), np.broadcast_to(middle, (size, size, 3)))


def test_cutting_before_resizing_equals_resizing_before_cutting():
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((400, 300))
    whole = np.asarray(smooth.resize((128, 96), Image.Resampling.BILINEAR), np.float32)[:, 16:112]
    assert np.abs(to_canvas(smooth, 96) - whole).max() <= 2


def test_large_jpegs_lose_nothing_by_the_quick_decoder():
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((2000, 2000))
    exact = np.asarray(smooth.resize((64, 64), Image.Resampling.BILINEAR), np.float32)
    assert np.abs(to_canvas(encode(smooth, "JPEG", quality=95), 64) - exact).mean() < 2


@pytest.mark.parametrize("width, height", [(1, 5000), (5000, 1), (1, 1), (3, 2)])
def test_extreme_shapes(width, height):
    assert (to_canvas(encode(Image.new("RGB", (width, height), RED)), 24) == RED).all()


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "empty file"),
        (b"hello, this is text", "not an image.*hello, this"),
        (encode(Image.effect_noise((64, 64), 50), "JPEG")[:900], "truncated"),
        (encode(Image.effect_noise((64, 64), 50), "PNG")[:900], "broken image"),
        (encode(Image.effect_noise((64, 64), 50), "TIFF")[:900], "broken image|not an image"),
        (np.zeros((4, 4, 2), np.uint8), r"uint8 \[4, 4, 2\]"),
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]"),
    ],
)
def test_bad_images_are_told_apart(data, message):
    with pytest.raises(InputError, match=message):
        to_canvas(data, 16)


def test_decompression_bomb(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match="bomb"):
        to_canvas(encode(Image.new("L", (64, 64))), 16)


def test_photos_with_exif_come_out_upright(shared_data):
    found = 0
    for path in sorted((shared_data / "sign_digits").glob("*/*/*.jpg")):
        if path.stat().st_size < 100_000:
            continue
        with Image.open(path) as image:
            assert image.size == (3024, 3024) and image.getexif()[0x0112] == 6
            expected = image.transpose(Image.Transpose.ROTATE_270).resize((64, 64), Image.Resampling.BILINEAR)
        assert np.abs(to_canvas(path.read_bytes(), 64) - np.asarray(expected, np.float32)).mean() < 2
        found += 1
    assert found == 3


def test_grey_photos_become_three_equal_channels(shared_data):
    grey = 0
    for path in sorted((shared_data / "imagenet_samples" / "images").iterdir()):
        with Image.open(path) as image:
            mode = image.mode
        if mode == "L":
            canvas = to_canvas(path.read_bytes(), 32)
            assert (canvas == canvas[..., :1]).all()
            grey += 1
    assert grey


@pytest.mark.parametrize("seed", range(12))
def test_torchvision_resizes_first_and_cuts_last(seed):
    rng = np.random.default_rng(seed)
    width, height, size = (int(number) for number in (*rng.integers(20, 400, 2), rng.choice([32, 64, 256])))
    picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    short = min(width, height)
    resized = picture.resize((size * width // short, size * height // short), Image.Resampling.BILINEAR)
    left, top = (round((length - size) / 2) for length in resized.size)
    expected = np.asarray(resized.crop((left, top, left + size, top + size))).astype(int)
    difference = np.abs(to_canvas(picture, size, 3, "torchvision") - expected)
    assert difference.max() <= 1  # pillow rounds its coefficients, and where a box begins it they are rounded elsewhere


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_of_which_none_is_finite_are_no_black_image(value):
    floats = np.full((20, 20), value, np.float32)
    with pytest.raises(InputError, match="broken image: none of its pixels is a finite number"):
        to_canvas(Image.fromarray(floats), 16)
    floats[3] = 1
    assert to_canvas(Image.fromarray(floats), 20).max() == 255


def test_commands_do_not_show_pillows_warnings_of_large_images(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    data = io.BytesIO()
    Image.new("L", (20, 20), 7).save(data, "PNG")
    with pytest.raises(InputError, match="decompression bomb"):  # a warning, which tests take for an error
        to_canvas(data.getvalue(), 20)
    with exit_on_bad_input():
        assert (to_canvas(data.getvalue(), 20) == 7).all()
