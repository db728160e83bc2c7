"""Cells, strips, names and scripts of a gallery."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from zfjax.web.gallery.cells import GUTTER, cell_of, patch_cells, projection_cells, resized, sheet
from zfjax.web.gallery.formats import encode, suffix
from zfjax.web.gallery.scripts import script, short


def test_a_cell_lies_where_the_page_looks_for_it_and_its_gutter_repeats_its_edge():
    cells = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 3), np.uint8) * 10
    cells[:, 0] += 1  # the top row differs
    found = sheet(cells, 3)
    assert found.shape == (2 * (3 + 2 * GUTTER), 3 * (4 + 2 * GUTTER), 3)
    for number, cell in enumerate(cells):
        top, left = (number // 3) * (3 + 2 * GUTTER), (number % 3) * (4 + 2 * GUTTER)
        assert (found[top + GUTTER :, left + GUTTER :][:3, :4] == cell).all()
        assert (found[top : top + GUTTER, left : left + 4 + 2 * GUTTER] == cell[0, 0]).all()
    assert (found[3 + 2 * GUTTER :, 2 * (4 + 2 * GUTTER) :] == 255).all()


@pytest.mark.parametrize(
    ("window", "cell"), [((7, 7), (7, 7)), ((139, 139), (96, 96)), ((200, 100), (96, 48)), ((500, 2), (96, 1))]
)
def test_a_cell_keeps_the_windows_proportions(window, cell):
    assert cell_of(window, 96) == cell


def test_cells_follow_the_rule_of_the_figures():
    pixels = np.zeros((1, 4, 4, 3), np.float32)
    pixels[0, 0, 0], pixels[0, 1, 1] = 5, -5
    cells = projection_cells(pixels, (4, 4), 99.5)
    assert cells[0, 2, 2].tolist() == [128] * 3 and cells[0, 0, 0].tolist() == [255] * 3
    assert cells[0, 1, 1].tolist() == [0] * 3
    patches = np.full((1, 4, 4, 1), np.nan, np.float32)
    patches[0, :, 0] = 17
    cells = patch_cells(patches, (4, 4))
    assert cells[0, 0, 0].tolist() == [17] * 3 and cells[0, 0, 1].tolist() == [237] * 3
    assert resized(np.zeros((0, 4, 4, 3), np.uint8), (2, 2)).shape == (0, 2, 2, 3)


@pytest.mark.parametrize("name", ["avif", "webp", "jpeg"])
def test_formats_read_back_exactly_or_nearly_and_have_the_same_bytes_again(name):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 30, 3), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(encode(noise, name, (20, 30), exact=True))).convert("RGB")) == noise).all()
    smooth = np.asarray(Image.fromarray(noise[:4, :6]).resize((96, 64), Image.Resampling.BICUBIC))
    data = encode(smooth, name, (64, 96), exact=False, top=True)
    back = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)
    assert 10 * np.log10(255**2 / np.mean((back - smooth) ** 2)) > 28
    assert encode(smooth, name, (64, 96), exact=False, top=True) == data
    assert suffix(name, exact=False) == Image.open(io.BytesIO(data)).format.lower()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js, which runs scripts as browsers do")
@pytest.mark.parametrize("name", ["</script><script>alert(1)", "a\u2028b", "\"'\\", "ü\n", "\ud800"])
def test_scripts_hold_any_name_and_nothing_but_ascii(name):
    written = script("run/layer", {"name": name})
    written.decode("ascii")
    program = f"const zf = {{load: (n, d) => console.log(JSON.stringify([n, d]))}}; {written.decode()}"
    said = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == ["run/layer", {"name": name}]


def test_numbers_are_short_and_what_is_none_is_null():
    assert short(np.float32([1 / 3, np.nan, -np.inf])) == [0.333333, None, None]
    assert short(np.float32(123456.78)) == 123457.0
