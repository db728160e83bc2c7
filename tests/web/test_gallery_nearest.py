"""Neighbours and matches against numpy.corrcoef, and on copies whose answer is known."""

import numpy as np
import pytest

import zfjax.web.gallery.nearest as module
from zfjax.errors import InputError
from zfjax.web.gallery.nearest import matches, nearest, shared_peaks
from zfjax.web.gallery.statistics import LayerStatistics


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "_UNITS", 4)


def maxima(units: int, images: int = 40, seed: int = 0) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).normal(size=(images, units)), 0).astype(np.float32)


def statistics(peaks: np.ndarray, images: list[int]) -> LayerStatistics:
    blank = dict.fromkeys(LayerStatistics._fields)
    return LayerStatistics(**{**blank, "peaks": peaks, "images": np.array(images)})


def test_neighbours_are_the_most_correlated_of_all_others():
    peaks = maxima(11)
    alike = np.corrcoef(peaks.T.astype(np.float64))
    np.fill_diagonal(alike, -np.inf)
    found = nearest(peaks, 5)
    np.testing.assert_array_equal(found.unit, np.argsort(-alike, axis=1)[:, :5])
    np.testing.assert_allclose(found.correlation, -np.sort(-alike, axis=1)[:, :5], rtol=1e-6, atol=1e-7)
    assert (found.correlation < 0).any()  # also of those that differ, the least different first


def test_matches_of_two_networks():
    mine, theirs = maxima(6), maxima(9, seed=1)
    alike = np.corrcoef(mine.T, theirs.T)[:6, 6:]
    found = matches(mine, theirs, 3)
    np.testing.assert_array_equal(found.unit, np.argsort(-alike, axis=1)[:, :3])
    np.testing.assert_allclose(found.correlation, -np.sort(-alike, axis=1)[:, :3], rtol=1e-5, atol=1e-6)


def test_a_network_of_permuted_channels_matches_by_its_permutation():
    peaks, order = maxima(13), np.random.default_rng(3).permutation(13)
    found = matches(peaks, 7 * peaks[:, order] + 2, 2)  # responses of another scale are the same
    np.testing.assert_array_equal(order[found.unit[:, 0]], np.arange(13))
    np.testing.assert_allclose(found.correlation[:, 0], 1, rtol=1e-6)
    assert (found.correlation <= 1).all()
    same = matches(peaks, peaks, 1)
    assert same.unit[:, 0].tolist() == list(range(13))


def test_a_unit_is_not_its_own_neighbour_but_its_twin_is():
    peaks = maxima(7)
    peaks[:, 5] = peaks[:, 2]
    found = nearest(peaks, 3)
    assert not (found.unit == np.arange(7)[:, None]).any()
    assert found.unit[5, 0] == 2 and found.unit[2, 0] == 5 and found.correlation[2, 0] == pytest.approx(1)


def test_units_that_respond_alike_to_everything_have_no_neighbours_and_are_none():
    peaks = maxima(6)
    peaks[:, 1], peaks[:, 4] = 0, 0.1  # 0.1 has a mean that rounds
    found = nearest(peaks, 4)
    assert (found.unit[[1, 4]] == -1).all() and np.isnan(found.correlation[[1, 4]]).all()
    assert not np.isin([1, 4], found.unit).any() and (found.unit[0, :3] >= 0).all() and found.unit[0, 3] == -1
    assert (nearest(peaks[:1], 2).unit == -1).all()  # of one image nothing can be said


def test_only_the_images_that_both_were_shown_are_compared():
    peaks = maxima(3, images=5)
    mine, theirs = statistics(peaks, [10, 3, 7, 1, 4]), statistics(10 * peaks[::-1], [4, 1, 7, 99, 10])
    here, there = shared_peaks(mine, theirs)
    np.testing.assert_array_equal(10 * here, there)
    assert len(here) == 4
    with pytest.raises(InputError, match="no image in common"):
        shared_peaks(mine, statistics(peaks, [20, 21, 22, 23, 24]))
    with pytest.raises(InputError, match="not on 5 and 4"):
        matches(peaks, peaks[:4], 1)
