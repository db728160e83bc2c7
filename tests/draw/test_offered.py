"""What `import zfjax` offers of the drawings: all of them, and a page from the arrays of one call."""

import io
import sys

import numpy as np
from nets import random_params, run_of
from pictures import painters
from PIL import Image
from runs import finish, one_cpu, start

import zfjax
from zfjax.draw.tiles import grid, show_patch

PROGRAM = """
import sys
import zfjax
zfjax.draw.tile, zfjax.draw.tiles.tile, zfjax.draw.to_display
print([name for name in sys.modules if name in ("jax", "matplotlib")])
"""


def test_every_drawing_is_offered():
    assert set(painters()) == {name for name in zfjax.__all__ if name.startswith("draw_")}
    for name, draw in painters().items():
        assert getattr(zfjax, name) is draw


def test_tiles_and_pages_are_offered_by_their_names():
    assert set(zfjax.draw.__all__) == set(zfjax.draw._HOME)
    for name, home in zfjax.draw._HOME.items():
        assert getattr(zfjax.draw, name) is getattr(sys.modules[f"zfjax.draw.{home}"], name)
        assert getattr(zfjax.draw, name).__module__ == f"zfjax.draw.{home}"
    for name in zfjax.draw._MODULES:
        assert getattr(zfjax.draw, name) is sys.modules[f"zfjax.draw.{name}"]
    assert not hasattr(zfjax.draw, "nothing")


def test_tiles_load_neither_jax_nor_matplotlib():
    ended = finish(start("-c", PROGRAM, env=one_cpu()))
    assert ended.code == 0 and ended.said.strip() == "[]", ended


def test_a_page_of_what_one_call_found(tmp_path):
    """Both patches of the one unit are in it, pixel by pixel."""
    arch = zfjax.Arch((zfjax.Conv("conv1", 3, kernel=7),), image_size=7, num_classes=1)
    run = run_of(arch, random_params(arch), np.full((8, 8, 3), 120, np.float32), ("one",))
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    found = zfjax.top_patches(run, noise, "conv1", [2], k=2)
    zfjax.draw_features(found.feature_maps(), tmp_path / "page.png", title="conv1", caption="Noise.")
    page = np.asarray(Image.open(io.BytesIO((tmp_path / "page.png").read_bytes())).convert("RGB"))
    mosaic = grid(show_patch(found.patches[0]), 2, 1)
    rows, columns = (set(map(bytes, array.reshape(-1, 3))) for array in (mosaic, page))
    assert rows <= columns and len(rows) > 50
