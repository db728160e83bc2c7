"""Pictures of every kind that people drop on the page: shown, or refused in one sentence, and the server goes on."""

import http.client
import io
import socket
import struct
import zlib

import numpy as np
import pytest
from live_server import BYTES, serving
from PIL import Image

from zfjax.web.live import bodies
from zfjax.web.live.desk import MOST_UPLOADS
from zfjax.web.live.pictures import MAX_BYTES

RNG = np.random.default_rng(0)
# Four quarters of one colour each: where they lie tells how a picture was turned.
QUARTERS = np.zeros((48, 48, 3), np.uint8)
QUARTERS[:24, :24], QUARTERS[:24, 24:], QUARTERS[24:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("live")) as live:
        yield live
        assert live.ask("/ready").json["ready"]


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, as its head says; of its rows a hundred are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(1 + 3 * side)
    pixels = b"".join([*(packer.compress(row) for _ in range(100)), packer.flush()])
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def shown(live, data: bytes) -> np.ndarray:
    """The picture as the network sees it: [40, 40, 3]."""
    told = live.ask("/image", data)
    assert told.status == 200, told.body
    assert told.json["size"] == [40, 40, 3] and len(told.json["top"]) == 5
    return np.frombuffer(live.ask(f"/image/{told.json['id']}/picture").body, np.uint8).reshape(40, 40, 3)


def corners(picture: np.ndarray) -> list[list[int]]:
    return [picture[row, col].tolist() for row in (5, -6) for col in (5, -6)]


def turned(orientation: int, kind: str) -> bytes:
    """A file that says how it is to be turned to look like QUARTERS."""
    back = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    image, exif = Image.fromarray(QUARTERS), Image.Exif()
    image, exif[274] = image.transpose(back[orientation]) if back[orientation] else image, orientation
    return saved(image, kind, exif=exif, **({"quality": 100, "subsampling": 0} if kind == "jpeg" else {}))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_picture_is_upright(live, orientation, kind):
    found = np.array(corners(shown(live, turned(orientation, kind))))
    np.testing.assert_allclose(found, corners(QUARTERS), atol=30 if kind == "webp" else 4)


DEEP = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)


@pytest.mark.parametrize(
    "data, middle",
    [
        (saved(Image.fromarray(QUARTERS).convert("L"), "png"), None),
        (saved(Image.new("1", (50, 50), 1), "png"), 255),
        (saved(Image.new("CMYK", (60, 50), (0, 0, 0, 0)), "jpeg"), 255),
        (saved(Image.new("RGBA", (60, 50), (9, 9, 9, 0)), "png"), 128),  # what is not there is mid-grey
        (saved(Image.new("RGBA", (60, 50), (9, 9, 9, 255)), "webp", lossless=True), 9),
        (saved(Image.new("LA", (60, 50), (7, 255)), "png"), 7),
        (saved(Image.fromarray(QUARTERS).quantize(4), "gif"), None),
        (saved(Image.fromarray(DEEP), "png"), 127),
        (saved(Image.new("RGB", (1, 1), (1, 2, 3)), "png"), 2),
        (saved(Image.new("RGB", (1, 3000), (4, 4, 4)), "png"), 4),
        (saved(Image.new("RGB", (5000, 5000), (8, 8, 8)), "jpeg"), 8),
        (saved(Image.new("RGB", (50, 50), (8, 8, 8)), "avif"), 8),
        (saved(Image.new("RGB", (50, 50), (8, 8, 8)), "bmp"), 8),
    ],
    ids=str,
)
def test_every_kind_of_picture_is_shown(live, data, middle):
    picture = shown(live, data)
    if middle is None:
        assert len({*map(tuple, corners(picture))}) == 4
    else:
        assert abs(picture[18:22, 18:22].mean() - middle) < 3


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "empty file"),
        (RNG.bytes(5000), "not an image: 5000 bytes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (saved(Image.fromarray(QUARTERS), "png")[:-60], "broken image"),
        (saved(Image.fromarray(RNG.integers(0, 256, (99, 99, 3), np.uint8)), "jpeg")[:2000], "broken image"),
        (bomb(20_000), "decompression bomb"),
    ],
    ids=["nothing", "noise", "svg", "eps", "short png", "short jpeg", "bomb"],
)
def test_what_is_no_picture_is_refused_in_one_sentence(live, data, words):
    before = live.ask("/ready").json
    told = live.ask("/image", data)
    assert told.status == 415 and words in told.json["error"] and "\n" not in told.json["error"]
    assert live.ask("/ready").json == before


def test_a_file_may_have_eight_megabytes(live):
    whole = saved(Image.fromarray(QUARTERS), "png")
    assert live.ask("/image", whole + bytes(MAX_BYTES - len(whole))).status == 200
    for size in (MAX_BYTES + 1, 9 << 20):
        told = live.ask("/image", bytes(size))
        assert told.status == 413 and told.json["error"].startswith("8,388,608 bytes are taken at the most")


def begun(live, length: str, sent: bytes = b"") -> socket.socket:
    """An upload that has not ended."""
    line = socket.create_connection(("127.0.0.1", live.port), timeout=60)
    head = f"POST /image HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nContent-Type: {BYTES}\r\n{length}\r\n\r\n"
    line.sendall(head.encode() + sent)
    return line


def test_a_file_that_does_not_come_is_not_waited_for_for_ever(live, monkeypatch):
    monkeypatch.setattr(bodies, "SECONDS", 0.2)
    with begun(live, "Content-Length: 1000", b"x") as line:
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 408 and b"did not come within 0.2 seconds" in answer.read()


@pytest.mark.parametrize("length", ["Content-Length: 99999999999", "Transfer-Encoding: chunked"])
def test_a_file_without_an_end_is_not_waited_for(live, length):
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with begun(live, length) as line:
        try:
            for _ in range(64 if "chunked" in length else 0):
                line.sendall(chunk)
        except OSError:
            pass  # it has hung up
        try:
            answer = line.recv(100)
        except ConnectionError:
            answer = b"HTTP/1.1 413"  # said, and lost with the line
    assert b" 413" in answer
    assert shown(live, saved(Image.fromarray(QUARTERS), "png")).any()


def test_uploads_that_stand_still_fill_no_memory_and_end_with_their_line(live):
    lines = [begun(live, "Content-Length: 1000", b"x") for _ in range(MOST_UPLOADS)]
    picture = saved(Image.fromarray(QUARTERS), "png")
    while (told := live.ask("/image", picture)).status == 200:  # until all of them have arrived
        pass
    assert told.status == 503 and "pictures are on their way" in told.json["error"]
    assert live.ask("/sample", {"number": 1}).status == 200
    for line in lines:
        line.close()
    while (told := live.ask("/image", picture)).status == 503:
        pass
    assert told.status == 200
