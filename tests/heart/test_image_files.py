"""Image files of strangers: what is no file is not opened, what is no image starts nothing, none takes all memory."""

import io
import os
import socket
import subprocess
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from zfjax import canvas, image_files
from zfjax.canvas import to_canvas
from zfjax.data.keypoints import Record, load_portrait
from zfjax.data.sources.folder import FolderSource
from zfjax.errors import BadImage, InputError
from zfjax.image_files import FORMATS, Room, open_image, read_image

SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((48, 40))
GREY = np.asarray(SMALL.convert("L"))
EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E] = 6, "x" * 500


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


NO_FILES = {
    "a named pipe": os.mkfifo,
    "a socket": make_socket,
    "a device, not": lambda path: os.symlink("/dev/zero", path),
    "Is a directory": os.mkdir,
    "No such file": lambda path: os.symlink("nowhere", path),
    "symbolic links": lambda path: os.symlink(path, path),
    "an image file may have": lambda path: (open(path, "w").close(), os.truncate(path, 1 << 40)),
    "empty file": lambda path: os.symlink("/proc/self/pagemap", path),  # "regular", 0 bytes, without an end
}


@pytest.mark.parametrize("what", NO_FILES)
def test_only_regular_files_are_read_and_others_never_waited_for(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 108 letters
    NO_FILES[what]("x.jpg")
    with pytest.raises(BadImage, match=rf"^x\.jpg: .*{what}"):
        FolderSource([("x.jpg", 0)], ("a", "b"), canvas_size=8, channels=3)[0]
    with pytest.raises(InputError, match=f"x.jpg: .*{what}"):
        load_portrait(Record("x.jpg", {}, True), (), canvas_size=8, image_size=8, channels=3)  # type: ignore[arg-type]


def test_links_to_files_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    (tmp_path / "link.png").symlink_to("a.png")
    assert read_image(tmp_path / "link.png") == b"12345"
    with pytest.raises(BadImage, match="null (byte|character)"):
        read_image("a\0b")


@pytest.mark.parametrize("kind", ["EPS", "ICO", "BLP", "DDS", "MSP", "SPIDER", "PDF", "ICNS"])
def test_other_formats_are_no_images_and_start_no_program(kind, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    image = {"MSP": SMALL.convert("1"), "BLP": SMALL.quantize(16), "SPIDER": SMALL.convert("F")}.get(kind, SMALL)
    with pytest.raises(InputError, match="not an image: .* bytes that begin with"):
        to_canvas(encode(image, kind), 16)


@pytest.mark.parametrize("kind", FORMATS)
def test_suffixes_are_those_of_their_formats(kind):
    Image.init()
    assert {Image.EXTENSION.get(suffix) for suffix in FORMATS[kind]} <= {kind, "MPO"}
    assert kind in Image.OPEN and to_canvas(encode(SMALL, kind), 16).shape == (16, 16, 3)


FAT = {
    "RGB PNG": (Image.new("RGB", (1200, 1200)), "PNG", {}),
    "16 bits": (Image.new("I;16", (1200, 1200)), "PNG", {}),
    "floats": (Image.new("F", (1200, 1200)), "TIFF", {"compression": "tiff_adobe_deflate"}),
    "WEBP": (Image.new("RGB", (1200, 1200)), "WEBP", {}),
    "JPEG2000": (Image.new("RGB", (1200, 1200)), "JPEG2000", {}),
    "progressive JPEG": (Image.new("RGB", (1200, 1200)), "JPEG", {"progressive": True}),
}


@pytest.mark.parametrize("what", FAT)
def test_more_pixels_than_there_is_room_for_are_refused_before_they_are_decoded(what, monkeypatch):
    image, kind, options = FAT[what]
    data = encode(image, kind, **options)
    to_canvas(data, 16)
    monkeypatch.setattr(image_files, "MAX_IMAGE_BYTES", 5_000_000)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"1200x1200 pixels in [\d,]+ bytes would take \d+ MiB .*make it smaller"):
        to_canvas(data, 16)


def test_a_progressive_jpeg_of_endless_scans_is_refused():
    data = encode(Image.new("L", (3000, 3000), 77), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert (to_canvas(data, 16) == 77).all()
    with pytest.raises(InputError, match=r"a progressive JPEG file of 10,006 scans, and 100 are read"):
        to_canvas(data[:-2] + 10_000 * scan + data[-2:], 16)


def test_a_jpeg_counts_as_the_decoder_shrinks_it(monkeypatch):
    monkeypatch.setattr(image_files, "MAX_IMAGE_BYTES", 5_000_000)
    assert open_image(encode(Image.new("RGB", (1200, 1200)), "JPEG"), 128).size == (150, 150)


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16")


@pytest.mark.parametrize("mode", MODES)
def test_strips_give_the_same_pixels(mode, monkeypatch):
    numbers = GREY.astype({"I": np.int32, "F": np.float32}.get(mode, np.uint16))
    deep = Image.fromarray(numbers * numbers.dtype.type(1 if mode == "F" else 257))
    image = deep if mode in ("I", "F", "I;16") else SMALL.convert("L").convert("LA" if mode == "PA" else "L")
    image = image if mode in ("I", "F", "I;16") else (image if mode == "PA" else SMALL).convert(mode)
    if mode in ("P", "RGB"):
        image.info["transparency"] = 3 if mode == "P" else image.getpixel((5, 5))
    whole = to_canvas(image, 24)
    monkeypatch.setattr(canvas, "STRIP_PIXELS", 100)
    np.testing.assert_array_equal(to_canvas(image, 24), whole)


def test_deep_pixels_become_floats_a_strip_at_a_time():
    """All at once they took 24 bytes a pixel beside pillow's own."""
    data = encode(Image.new("F", (2000, 2000), 0.5), "TIFF", compression="tiff_adobe_deflate")
    tracemalloc.start()
    assert (to_canvas(data, 16) == 128).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 11 * 2000**2


def test_no_memory_left_is_a_broken_image(monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(canvas, "_centre_square", fail)
    with pytest.raises(InputError, match="too many pixels for the memory that is left"):
        to_canvas(encode(SMALL, "PNG"), 16)


def test_threads_share_the_room():
    room, inside, most = Room(10), [], []

    def work(need: int) -> None:
        for _ in range(50):
            with room.taken(need):
                inside.append(min(need, 10))
                most.append(sum(inside))
                inside.remove(min(need, 10))

    threads = [threading.Thread(target=work, args=(need,)) for need in (3, 4, 7, 10, 99)]
    [thread.start() for thread in threads]
    [thread.join(10) for thread in threads]
    assert not any(thread.is_alive() for thread in threads) and max(most) <= 10 and len(most) == 250


SEEDS = {
    "JPEG": encode(SMALL, "JPEG", exif=EXIF, icc_profile=b"x" * 3000),
    "progressive": encode(SMALL, "JPEG", progressive=True),
    "CMYK": encode(SMALL.convert("CMYK"), "JPEG"),
    "MPO": encode(SMALL, "MPO", save_all=True, append_images=[SMALL] * 2),
    "PNG": encode(SMALL, "PNG"),
    "16 bits": encode(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    "APNG": encode(SMALL, "PNG", save_all=True, append_images=[SMALL.rotate(9)] * 3),
    "palette": encode(SMALL.quantize(16), "PNG"),
    "GIF": encode(SMALL.quantize(16), "GIF", save_all=True, append_images=[SMALL.quantize(8)] * 5),
    "WEBP": encode(SMALL, "WEBP", lossless=True),
    "LZW": encode(SMALL, "TIFF", compression="tiff_lzw"),
    "floats": encode(Image.fromarray(GREY / np.float32(255)), "TIFF"),
    **{kind: encode(SMALL, kind) for kind in ("BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM", "SGI", "PCX", "TGA")},
}


@pytest.mark.parametrize("kind", SEEDS)
def test_damaged_images_are_read_or_refused_in_one_line(kind):
    data, rng = SEEDS[kind], np.random.default_rng(len(SEEDS[kind]))
    outcomes = set()
    for _ in range(15):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(min(len(damaged), 200) if rng.random() < 0.6 else len(damaged)))
            match rng.integers(4):
                case 0:
                    damaged[place] ^= 1 << rng.integers(8)
                case 1:
                    damaged[place : place + 4] = rng.bytes(4)
                case 2:
                    del damaged[max(1, place) :]
                case 3:
                    damaged[place:place] = damaged[place : place + 20]
        try:
            outcomes.add(to_canvas(bytes(damaged), 16).shape)
        except InputError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes <= {(16, 16, 3), "refused"}
