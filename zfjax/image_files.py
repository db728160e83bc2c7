"""Image files of strangers: which are opened, which formats are read, and how much memory they may take."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageFile

from zfjax.errors import BadImage

# What is read, by pillow's names, and how such files end. Decoders that run in this process and in C: none that starts
# another program (EPS), needs one (WMF), is a stub (BUFR, GRIB, HDF5), holds images within images (ICO, ICNS, PSD) or
# goes through Python pixel by pixel (QOI: 18 s for 16 million). JPEG includes MPO.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif", ".avifs"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "SGI": (".sgi",),
    "PCX": (".pcx",),
    "TGA": (".tga",),  # last, for it has no mark that tells it from anything else
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)

MAX_FILE_BYTES = 256 << 20
MAX_IMAGE_BYTES = 1 << 30  # for one image: 134 million pixels of RGB
ALL_IMAGES_BYTES = 2 << 30  # for all that threads decode at the same time
# The most that a pixel took while it was decoded, turned, converted and cut, measured with images of 4000x4000.
# RGB, and what becomes RGB: 4 bytes, twice.
PIXEL_BYTES = 8
PIXEL_BYTES_OF_MODE = {"1": 2, "L": 2, "I;16": 4, "I;16B": 4}
PIXEL_BYTES_OF_FORMAT = {"WEBP": 17, "AVIF": 12, "JPEG2000": 20}
MAX_SCANS = 100
MANY_PIXEL_BYTES = 1e11  # pixels times bytes of the file; below, scans cannot take seconds, and are not counted
COEFFICIENT_BYTES = 6  # a pixel of a progressive JPEG, before the decoder shrinks it
# Pillow takes a file apart in Python: PPM's header byte by byte, segments, chunks and blocks in two to four reads each,
# a microsecond a read. Usual files: 30 reads, and one for 2 KiB where a PNG comes in chunks of 8.
MAX_READS, BYTES_A_READ = 20_000, 1 << 10
# And it keeps what it reads: a TIFF of 1 MB whose 25,000 tags all hold the whole of it took 10 GB (pillow 11.3).
# Decoders read a file once or twice.
MAX_TIMES, MORE_BYTES = 4, 64 << 20
MAX_PROFILES = 100  # chunks of a PNG that each become a megabyte in 4 ms; it has one
# Its decoders that are loops in Python, 0.2 to 1 us a number. A comment in the pixels of a text file moves a megabyte.
LOOPS = {"ppm": "PPM of other than 8 bits", "ppm_plain": "PPM as text", "bmp_rle": "run-length BMP"}
MAX_LOOP, MAX_COMMENTS = 50_000_000, 1000

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_image(path: str | Path) -> bytes:
    """The bytes of a regular file, or of a link to one.

    Nothing else is opened: a pipe would be waited for, a device may have no end. Raises BadImage that says what is
    wrong, without the file's name.
    """
    try:
        _check_regular(os.stat(path))
        # Whatever has taken its place since then is not waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb", buffering=0) as file:
            size = _check_regular(os.fstat(file.fileno()))
            if size > MAX_FILE_BYTES:
                raise BadImage(f"{size:,} bytes, and an image file may have {MAX_FILE_BYTES:,}")
            return file.read(size)
    except BadImage:
        raise
    except OSError as error:
        raise BadImage(f"cannot be read ({error.strerror})") from error
    except (MemoryError, ValueError) as error:  # the latter for a name with a zero byte in it
        raise BadImage(f"cannot be read ({str(error) or 'no memory is left'})") from error


def _check_regular(status: os.stat_result) -> int:
    """The file's size; raises BadImage for what is no file."""
    if stat.S_ISDIR(status.st_mode):
        raise BadImage("cannot be read (Is a directory)")
    if not stat.S_ISREG(status.st_mode):
        raise BadImage(f"{_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not an image file")
    return status.st_size


class _Pieces(io.BytesIO):
    """The bytes of a file that may be read in so many pieces and so often only; BadImage is raised for one more."""

    def __init__(self, data: bytes):
        super().__init__(data)
        self.left = MAX_READS + len(data) // BYTES_A_READ
        self.bytes_left = MAX_TIMES * len(data) + MORE_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            size = len(self.getbuffer())
            raise BadImage(
                f"{size:,} bytes in more than {MAX_READS + size // BYTES_A_READ:,} pieces, such as comments, chunks or "
                "a header without an end; save the image again, without what is no pixels"
            )
        piece = super().read(size)
        self.bytes_left -= len(piece)
        if self.bytes_left < 0:
            raise BadImage(
                f"{len(self.getbuffer()):,} bytes that are read again and again, such as tags that all hold the whole "
                "file; save the image again, without what is no pixels"
            )
        return piece


def identify(data: bytes) -> Image.Image:
    """An image whose pixels are not decoded; raises BadImage for bytes in none of `FORMATS`, and as pillow does."""
    if not data:
        raise BadImage("empty file: 0 bytes where an image should be")
    if data.startswith(b"\x89PNG") and (profiles := data.count(b"iCCP")) > MAX_PROFILES:
        raise BadImage(f"PNG with {profiles:,} colour profiles, and {MAX_PROFILES} are read")
    try:
        return Image.open(_Pieces(data), formats=tuple(FORMATS))
    except Image.UnidentifiedImageError:
        raise BadImage(f"not an image: {len(data)} bytes that begin with {repr(data[:12])[1:]}") from None


def open_image(data: bytes, side: int) -> Image.Image:
    """As `identify`, with JPEG to be shrunk by 2, 4 or 8 as long as `side` pixels remain.

    Raises BadImage for more pixels than there is room for, too.
    """
    image = identify(data)
    width, height = image.size
    coefficients = 0
    _check_loop(image, data)
    if image.info.get("progressive"):
        coefficients = COEFFICIENT_BYTES * width * height
        _check_scans(data, width * height)
    image.draft(None, (side, side))
    if (need := coefficients + decoded_bytes(image)) > MAX_IMAGE_BYTES:
        raise BadImage(
            f"{width}x{height} pixels in {len(data):,} bytes would take {need >> 20:,} MiB of memory, and one image "
            f"may take {MAX_IMAGE_BYTES >> 20:,}; make it smaller first"
        )
    return image


def _check_scans(data: bytes, pixels: int) -> None:
    """A scan goes over all pixels, may take 120 bytes, and takes 0.16 s of 81 million: 1 MB could take half an hour."""
    if pixels * len(data) < MANY_PIXEL_BYTES:
        return
    if (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise BadImage(f"a progressive JPEG file of {scans:,} scans, and {MAX_SCANS} are read; usual ones have 10")


def _check_loop(image: Image.Image, data: bytes) -> None:
    """Refuses what would be decoded for minutes, and lets the rest be read in as many pieces as it has pixels."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile or (codec := image.tile[0][0]) not in LOOPS:
        return
    if codec == "ppm_plain" and (comments := data.count(b"#")) > MAX_COMMENTS:
        raise BadImage(f"{LOOPS[codec]} with {comments:,} comments, and {MAX_COMMENTS:,} are read")
    numbers = max(len(data), image.width * image.height * len(image.getbands()))
    if numbers > MAX_LOOP:
        raise BadImage(
            f"{LOOPS[codec]} of {image.width}x{image.height} pixels in {len(data):,} bytes is read number by number, "
            f"and {MAX_LOOP:,} are; save it as PNG"
        )
    image.fp = io.BytesIO(data)


def decoded_bytes(image: Image.Image) -> int:
    """The most memory that making a canvas of it may take at any time."""
    of_mode = PIXEL_BYTES_OF_MODE.get(image.mode, PIXEL_BYTES)
    return image.width * image.height * PIXEL_BYTES_OF_FORMAT.get(image.format or "", of_mode)


class Room:
    """Memory that threads take and give back; whoever finds too little waits."""

    def __init__(self, size: int):
        self.size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, need: int) -> Iterator[None]:
        """Takes `need`, or all there is if that is less."""
        need = min(need, self.size)
        with self._changed:
            self._changed.wait_for(lambda: need <= self._free)
            self._free -= need
        try:
            yield
        finally:
            with self._changed:
                self._free += need
                self._changed.notify_all()


DECODING = Room(ALL_IMAGES_BYTES)
