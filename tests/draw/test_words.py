"""What a picture says in pixels it says as text too."""

import numpy as np
import pytest
from PIL import Image

from zfjax.draw.encoded import encoded
from zfjax.draw.page import chart, own_parameters, page, save, without_caption
from zfjax.draw.words import words_of

TITLE, CAPTION = "conv1: a \x1b title of <maps> & 3 µm", "A caption, long enough for two lines. " * 5


@own_parameters()
def drawn(kind, path):
    words = {"title": TITLE, "caption": CAPTION}
    figure = page(np.zeros((20, 30, 3), np.uint8), **words)[0] if kind == "page" else chart(1.0, **words)[0]
    save(figure, path)
    return path


@pytest.mark.parametrize("kind", ["page", "chart"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_title_and_caption_are_read_back(tmp_path, kind, suffix):
    title, caption = words_of(drawn(kind, tmp_path / f"a.{suffix}"))
    assert title == TITLE.replace("\x1b", r"\x1b") and caption == CAPTION.strip()


def test_a_pdf_has_them_where_readers_look(tmp_path):
    text = drawn("page", tmp_path / "a.pdf").read_bytes()
    assert b"/Title" in text and b"/Subject" in text


def test_without_a_caption_the_picture_is_the_mosaic_alone(tmp_path):
    with without_caption():
        bare = drawn("page", tmp_path / "bare.png")
        lower = drawn("chart", tmp_path / "chart.png")
    with Image.open(bare) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 7 * 200 // 30 * 30 + 30 and not pixels.any()  # whole dots a pixel; no line of white
    assert pixels.shape[0] * 3 == pixels.shape[1] * 2
    with Image.open(lower) as image:
        assert image.size == (7 * 200, 200)
    assert words_of(bare) == words_of(drawn("page", tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as image:
        assert image.height > pixels.shape[0]


def test_a_picture_without_words(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(np.zeros((2, 2, 3), np.uint8), "png"))
    assert words_of(tmp_path / "a.png") == ("", "")
