"""Small files that would take minutes to open: comments, chunks, tags and pixels that go one by one."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from zfjax.canvas import to_canvas
from zfjax.errors import BadImage
from zfjax.image_files import _Pieces

SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8))


def encode(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


MIB = 1 << 20


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def within(kind: str, what: bytes, *, before: bytes) -> bytes:
    """A sound file with bytes put in before a mark."""
    data = encode(SMALL, kind)
    place = data.index(before) - 4 * (kind == "PNG")
    return data[:place] + what + data[place:]


def many_tags(count: int) -> bytes:
    """A TIFF file whose tags all hold the same megabyte."""
    data = bytearray(encode(SMALL, "TIFF").ljust(MIB, b"\0"))
    start = int.from_bytes(data[4:8], "little")
    own = int.from_bytes(data[start : start + 2], "little")
    tags = bytes(data[start + 2 : start + 2 + 12 * own])
    tags += b"".join(struct.pack("<HHII", 40_000 + tag, 7, MIB, 8) for tag in range(count))
    data[4:8] = len(data).to_bytes(4, "little")
    return bytes(data) + struct.pack("<H", own + count) + tags + bytes(4)


def run_length(body: bytes, width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078) + head + bytes(1024) + body


COSTLY = {
    "P6, a comment": lambda: b"P6\n#" + bytes(MIB) + b"\n8 8\n255\n" + bytes(192),
    "P5, comments": lambda: b"P5\n" + b"#\n" * MIB + b"8 8\n255\n" + bytes(64),
    "P4, spaces": lambda: b"P4\n" + b" " * MIB + b"8 8\n" + bytes(8),
    "PFM, a comment": lambda: b"Pf\n#" + bytes(MIB) + b"\n8 8\n-1.0\n" + bytes(256),
    "P3, comments in its pixels": lambda: b"P3\n8 8\n255\n" + b"#\n" * MIB + b"1 " * 192,
    "P1, comments in its pixels": lambda: b"P1\n8 8\n" + b"#\n" * MIB + b"1 " * 64,
    "P1, many pixels": lambda: b"P1\n8000 8000\n" + b"1 " * MIB,
    "P6 of 254, many pixels": lambda: b"P6\n8000 8000\n254\n" + bytes(MIB),
    "BMP, run lengths": lambda: run_length(b"\1\1\0\0" * 8000, 8000, 8000),
    "GIF, a comment": lambda: within("GIF", b"!\xfe" + b"\1c" * MIB + b"\0", before=b","),
    "GIF, comments": lambda: within("GIF", b"!\xfe\1c\0" * MIB, before=b","),
    "GIF, junk": lambda: within("GIF", b"a" * MIB, before=b","),
    "PNG, empty chunks": lambda: within("PNG", chunk(b"abCd") * 50_000, before=b"IDAT"),
    "PNG, chunks at the end": lambda: within("PNG", chunk(b"abCd") * 50_000, before=b"IEND"),
    "PNG, texts": lambda: within("PNG", chunk(b"tEXt", b"a\0b") * 50_000, before=b"IDAT"),
    "PNG, no pixels in chunks": lambda: within("PNG", chunk(b"IDAT") * 50_000, before=b"IDAT"),
    "PNG, profiles": lambda: within("PNG", chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(9))) * 500, before=b"IDAT"),
    "JPEG, fill bytes": lambda: within("JPEG", b"\xff" * MIB, before=b"\xff\xdb"),
    "JPEG, comments": lambda: within("JPEG", b"\xff\xfe\0\2" * MIB, before=b"\xff\xdb"),
    "JPEG, tables": lambda: within("JPEG", b"\xff\xc4\0\2" * MIB, before=b"\xff\xdb"),
    "JPEG, EXIF": lambda: within("JPEG", b"\xff\xe1\0\x08Exif\0\0" * MIB, before=b"\xff\xdb"),
    "TIFF, tags": lambda: many_tags(25_000),
    "JPEG 2000, boxes": lambda: within("JPEG2000", b"\0\0\0\x08free" * MIB, before=b"\0\0\0\x14ftyp"),
}


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
@pytest.mark.parametrize("what", COSTLY)
def test_small_files_that_would_take_minutes_are_refused(what):
    """No more is read of them than of others: most of these took 3 to 25 s at 20 MB, text comments more.

    Tried beside them, and bounded by pillow: zTXt, iTXt and iCCP that expand, EXIF of PNG, WebP and AVIF with tags that
    hold the whole of it, a hundred thousand frames of a GIF, WebP or APNG (the first is read), PCX and TGA run lengths.
    """
    with pytest.raises(
        BadImage, match="pieces, such as|comments, and 1,000 are read|number by number|100 are read|again and again"
    ):
        to_canvas(COSTLY[what](), 16)


def test_what_is_read_again_and_again_takes_no_memory():
    pieces = _Pieces(bytes(MIB))
    with pytest.raises(BadImage, match="1,048,576 bytes that are read again and again"):
        for _ in range(25_000):
            pieces.seek(0)
            pieces.read(MIB)
    assert pieces.left > 19_900  # soon


def test_what_is_read_number_by_number_or_in_many_chunks_is_the_same_image():
    pixels = np.asarray(SMALL)
    expected = to_canvas(SMALL, 16)
    text = "P3 # a comment\n48 40\n255\n" + " # and one\n".join(" ".join(map(str, row.flat)) for row in pixels)
    np.testing.assert_array_equal(to_canvas(text.encode(), 16), expected)
    deep = b"P6\n48 40\n65535\n" + (pixels.astype(">u2") * 257).tobytes()
    np.testing.assert_array_equal(to_canvas(deep, 16), expected)
    png = within("PNG", chunk(b"tEXt", b"a\0b") * 5000, before=b"IDAT")
    np.testing.assert_array_equal(to_canvas(png, 16), expected)
