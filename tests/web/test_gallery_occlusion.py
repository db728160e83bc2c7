"""Units under the square against the whole network on covered images."""

import jax
import numpy as np
import pytest
from nets import TINY, random_params, run_of
from test_gallery_collect import MEAN, Noise

from zfjax.convnet import forward
from zfjax.paper.top_activations import strongest_activations
from zfjax.web.gallery.occlusion import occluder, occlusion_of

LAYERS = ["conv2", "fc4"]


@pytest.fixture(scope="module")
def run():
    params = random_params(TINY)
    params["conv2"]["bias"][3] = -1e6  # a dead map
    return run_of(TINY, params, MEAN, ("a",) * 5)


def covered(image: np.ndarray, row: int, col: int, size: int) -> np.ndarray:
    copy, (top, left) = image.copy(), (row - size // 2, col - size // 2)
    copy[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0  # the mean's colour
    return copy


def test_the_square_is_a_quarter_of_what_a_unit_sees():
    square = occluder(TINY, "conv2")  # 19 pixels
    assert square.size == 5 and square.rows.tolist() == square.columns.tolist() == list(range(0, 19, 2))
    square = occluder(TINY, "fc4")  # all 40
    assert square.size == 10 and len(square.rows) == 14


@pytest.mark.parametrize("layer", LAYERS)
def test_activations_are_those_of_the_whole_network_on_covered_images(run, layer):
    winners = strongest_activations(run, Noise(), LAYERS, top=1, batch_size=4)[layer]
    units, square = [0, 3, 2, 4], occluder(TINY, layer)
    alive = [unit for unit in units if winners.value[unit, 0]]
    assert len(alive) >= 2 and (layer != "conv2" or 3 not in alive)
    groups = list(occlusion_of(run, Noise(), layer, winners, units))
    found = {unit: each for group in groups for unit, each in zip(group.units, group.activations, strict=True)}
    assert sorted(found) == sorted(units)
    look = jax.jit(lambda images: forward(TINY, run.params, images).activations[layer])
    field = TINY.receptive_field(layer)
    assert not any(found[unit].any() for unit in set(units) - set(alive))
    for unit in alive:
        number, row, col = (int(column[unit, 0]) for column in winners[1:])
        image = np.asarray(run.preprocess.centre(Noise().images[number : number + 1]))[0]
        top, left = (0, 0) if layer == "fc4" else (at * field.stride + field.offset for at in (row, col))
        centres = [(top + down, left + right) for down in square.rows for right in square.columns]
        copies = np.stack([covered(image, *centre, square.size) for centre in centres])
        expected = np.asarray(look(copies))[:, row, col, unit].reshape(found[unit].shape)
        np.testing.assert_allclose(found[unit], expected, rtol=1e-4, atol=1e-4 * winners.value[unit, 0])
        assert found[unit].min() < 0.9 * winners.value[unit, 0]


def test_units_at_one_place_of_one_image_are_measured_together(run):
    winners = strongest_activations(run, Noise(), ["fc4"], top=1, batch_size=4)["fc4"]
    groups = list(occlusion_of(run, Noise(), "fc4", winners, range(10)))
    assert sorted(unit for group in groups for unit in group.units) == list(range(10))
    assert len(groups) <= len(set(winners.image[:, 0].tolist())) + 1 < 10
