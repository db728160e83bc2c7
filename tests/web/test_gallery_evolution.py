"""All units at three moments against Fig. 4's own search and pictures, and the last moment against the gallery's."""

import numpy as np
import pytest
from nets import TINY, random_params, run_of
from test_gallery_collect import MEAN, Noise

import zfjax.web.gallery.evolution as module
from zfjax.paper.evolution.measure import Moment, evolve
from zfjax.web.gallery.collect import collect
from zfjax.web.gallery.evolution import evolve_units, strongest_at

MOMENTS = [Moment("epoch 1", 1, 10), Moment("epoch 2", 2, 20), Moment("epoch 7", 7, 70)]
LAYERS, SEARCHED = ["conv2"], range(1, 11)


@pytest.fixture(scope="module")
def runs():
    params = {step: random_params(TINY, seed) for seed, step in enumerate((70, 20, 10))}
    params[10]["conv2"]["bias"][3] = -1e6  # silent at first
    return {step: run_of(TINY, each, MEAN, ("a",) * 5) for step, each in params.items()}


def test_values_and_pictures_of_all_units(runs, tmp_path, monkeypatch):
    found = collect(runs[70], Noise(), LAYERS, indices=SEARCHED, work=tmp_path / "end", batch_size=4)
    last = {layer: each.top for layer, each in found.items()}
    search = {"indices": SEARCHED, "batch_size": 4}
    winners = strongest_at(runs.__getitem__, MOMENTS, Noise(), last, work=tmp_path, **search)
    assert winners["conv2"].value.shape == (6, 3)
    np.testing.assert_array_equal(winners["conv2"].value[:, -1], found["conv2"].maximum)
    again = strongest_at(runs.__getitem__, MOMENTS, Noise(stop=4), last, work=tmp_path, **search)
    np.testing.assert_array_equal(again["conv2"].value, winners["conv2"].value)

    chosen = list(range(6))
    expected = evolve(runs.__getitem__, MOMENTS, Noise(), ["conv2"], lambda *_: chosen, indices=SEARCHED, batch_size=4)
    theirs = expected.layers["conv2"]
    for mine, other in zip(winners["conv2"], theirs.winners, strict=True):
        np.testing.assert_array_equal(mine.T, other)

    monkeypatch.setattr(module, "GROUP_BYTES", 2 * 2 * 4 * 3 * 19 * 19 * 3)  # two units of conv2 a group
    groups = list(evolve_units(runs.__getitem__, MOMENTS, Noise(), winners, {"conv2": chosen}))
    assert [(each.layer, each.units) for each in groups] == [("conv2", pair) for pair in ([0, 1], [2, 3], [4, 5])]
    pictures = np.concatenate([each.projections for each in groups])
    peak = np.abs(theirs.projections).max()
    np.testing.assert_allclose(pictures, theirs.projections, rtol=1e-4, atol=1e-5 * peak)
    assert not pictures[3, 0].any() and pictures[3, 1].any()
    patches = np.concatenate([each.patches for each in groups])
    np.testing.assert_array_equal(patches, theirs.patches)
    assert np.isnan(patches).any() and not patches[3, 0].any()
