"""Strips of evolution and of other methods, of units whose windows reach over the image's corner."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from nets import TINY, random_params, run_of
from PIL import Image
from test_gallery_collect import MEAN, Noise

import zfjax.web.gallery.extra_pictures as module
from zfjax.draw.tiles import OUTSIDE
from zfjax.paper.evolution.measure import Moment
from zfjax.paper.top_activations import Winners
from zfjax.web.gallery.cells import GUTTER
from zfjax.web.gallery.extra_pictures import Drawing, draw_extras
from zfjax.web.gallery.layer_pictures import Style, place_of
from zfjax.web.gallery.methods import METHODS
from zfjax.web.gallery.shown import Wanted

MOMENTS = [Moment("epoch 1", 1, 10), Moment("epoch 7", 7, 70)]


@pytest.fixture(scope="module")
def strips():
    """{"e0003": the cells [columns, 7, 7, 3] of a strip}: all of conv1's units in the corner of an image each, of which
    some do not respond."""
    runs = {step: run_of(TINY, random_params(TINY, step), MEAN, ("a",) * 5) for step in (10, 70)}
    style = Style(160, "webp", 99.5, True, "sum", "identity")
    view = SimpleNamespace(run=runs[70], source=Noise(), batch_size=4, progress=False)
    units, written = 8, {}
    corner = [np.zeros((units, 2), np.int32)] * 2
    winners = Winners(np.ones((units, 2), np.float32), np.arange(units)[:, None] * [1, 1], *corner)
    place, building = place_of(TINY, "conv1", "", style), SimpleNamespace(write=written.__setitem__)
    assert place.exact and place.window == (7, 7)
    drawing = Drawing(SimpleNamespace(view=view, moments=MOMENTS), "conv1", winners, place, style, building)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "loader", lambda each: runs.__getitem__)
        draw_extras(drawing, Wanted(True, True, False), winners)
    found = {}
    for name, content in written.items():
        strip = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        cells = strip.reshape(len(strip), -1, 7 + 2 * GUTTER, 3).swapaxes(0, 1)
        found[name.strip("/").split(".")[0]] = cells[:, GUTTER:-GUTTER, GUTTER:-GUTTER]
    return found


@pytest.mark.parametrize(("kind", "columns"), [("e", len(MOMENTS)), ("m", len(METHODS))])
def test_what_lies_outside_of_the_image_is_told_from_zero(strips, kind, columns):
    shown = np.stack([strips[f"{kind}{unit:04d}"] for unit in range(8)])
    assert shown.shape == (8, columns, 7, 7, 3)
    assert (shown[..., 0, :, :] == round(255 * OUTSIDE)).all() and (shown[..., :, 0, :] == round(255 * OUTSIDE)).all()
    zero = (shown[..., 1:, 1:, :] == 128).all(axis=(2, 3, 4))  # of units that do not respond in the corner
    assert zero.any() and not zero.all()
