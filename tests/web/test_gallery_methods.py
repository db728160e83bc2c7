"""Windows of methods against the whole-image maps of the figure that compares methods."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, random_params, run_of
from oracle import assert_close
from test_gallery_collect import MEAN, Noise

from zfjax.paper.methods.methods import METHODS as ALL
from zfjax.paper.methods.methods import Effort, Question, explain
from zfjax.paper.patches import cut_patch, window_of
from zfjax.paper.top_activations import project_winners, strongest_activations
from zfjax.web.gallery.methods import METHODS, methods_of

LAYERS = ["conv2", "fc4"]


@pytest.fixture(scope="module")
def run():
    params = random_params(TINY)
    params["conv2"]["bias"][3] = -1e6  # a dead map
    return run_of(TINY, params, MEAN, ("a",) * 5)


@pytest.fixture(scope="module")
def winners(run):
    return strongest_activations(run, Noise(), LAYERS, top=1, batch_size=4)


def test_each_window_is_that_of_the_whole_image(run, winners):
    layer, units = "conv2", [4, 0, 5, 2]
    (found,) = methods_of(run, Noise(), layer, winners[layer], units)
    assert found.units == units and found.pictures.shape[:2] == (4, len(METHODS))
    value, numbers, rows, columns = (column[units, 0] for column in winners[layer])
    targets = jnp.stack([rows, columns, jnp.array(units)], axis=1)
    images = run.preprocess.centre(Noise().images[numbers])
    asked = Question(TINY, run.params, layer, images[:1], jax.random.key(0), Effort())
    for place, method in enumerate(METHODS):
        assert method in ALL
        whole = np.asarray(explain(method, asked, images, targets))
        whole = whole * value[:, None, None, None] if method == "deconvnet" else whole
        places = zip(whole, rows, columns, strict=True)
        field = TINY.receptive_field(layer)
        corners = [
            (each, int(row) * field.stride + field.offset, int(col) * field.stride + field.offset)
            for each, row, col in places
        ]
        expected = np.stack([np.nan_to_num(cut_patch(*corner, window_of(TINY, layer))) for corner in corners])
        assert_close(found.pictures[:, place], expected)
    seen = run.preprocess.visible(Noise().images[numbers])
    windows = zip(seen, [corner[1:] for corner in corners], strict=True)
    np.testing.assert_array_equal(found.patches, [cut_patch(each, *at, window_of(TINY, layer)) for each, at in windows])


@pytest.mark.parametrize("layer", LAYERS)
def test_the_deconvnet_is_the_picture_of_the_top_nine_and_a_dead_unit_has_none(run, winners, layer, monkeypatch):
    monkeypatch.setattr("zfjax.web.gallery.methods.UNITS", 4)
    groups = list(methods_of(run, Noise(), layer, winners[layer], range(6)))
    assert [each.units for each in groups] == [[0, 1, 2, 3], [4, 5]]
    pictures = np.concatenate([each.pictures for each in groups])
    features = project_winners(run, Noise(), winners, {layer: range(6)})[layer]
    alive = [unit for unit in range(6) if winners[layer].value[unit, 0]]
    assert_close(pictures[alive, METHODS.index("deconvnet")], [features[unit].projections[0] for unit in alive])
    patches = np.concatenate([each.patches for each in groups])
    np.testing.assert_array_equal(patches[alive], [features[unit].patches[0] for unit in alive])
    assert np.isnan(patches).any() == (layer == "conv2")  # fc4 sees the image
    assert 1 < len(alive) < 6 and not patches[[unit for unit in range(6) if unit not in alive]].any()
    assert not pictures[[unit for unit in range(6) if unit not in alive]].any()
