"""Rank correlation, SSIM, likeness, localisation and intervals: other libraries, arithmetic by hand, invariances."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from zfjax.attribution.measures import places
from zfjax.attribution.measures.baselines import centre_first, random_order
from zfjax.attribution.measures.bootstrap import confidence
from zfjax.attribution.measures.likeness import class_likeness, cosine, edges
from zfjax.attribution.measures.localisation import area, pointing_game, share_inside
from zfjax.attribution.measures.places import inside_boxes, magnitude, order, strongest
from zfjax.attribution.measures.ranks import rank_correlation
from zfjax.attribution.measures.ssim import structural_similarity
from zfjax.errors import InputError

# Compiled whole: operation by operation most of the time would go to compiling each.
rank_correlation = jax.jit(rank_correlation, static_argnames="values")
structural_similarity = jax.jit(structural_similarity, static_argnames=("values", "scale"))
confidence = jax.jit(confidence, static_argnames=("level", "resamples"))
pointing_game = jax.jit(pointing_game, static_argnames="tolerance")
inside_boxes, area = (jax.jit(each, static_argnames="size") for each in (inside_boxes, area))
class_likeness, cosine, edges, share_inside, order, strongest = map(
    jax.jit, (class_likeness, cosine, edges, share_inside, order, strongest)
)
RNG = np.random.default_rng(0)
MAPS, OTHERS = RNG.normal(size=(2, 2, 14, 13, 3)).astype(np.float32)
KEY = jax.random.key(0)
# NumPy's way of saying that a correlation is none is not ours.
few = st.lists(st.integers(-3, 3), min_size=6, max_size=6)


@settings(max_examples=30, deadline=None)
@given(few, few)
def test_rank_correlation_is_scipys_with_ties(one, other):
    for values, change in (("signed", np.asarray), ("absolute", np.abs)):
        found = rank_correlation(np.array([one]), np.array([other]), values=values)
        constant = min(len(set(change(one))), len(set(change(other)))) == 1
        wanted: Any = np.nan if constant else spearmanr(change(one), change(other))[0]
        np.testing.assert_allclose(found, [wanted], atol=1e-6)


def test_rank_correlation_of_large_maps_is_exact_and_blind_to_any_rising_change():
    one = RNG.normal(size=(1, 100_000))
    other = one + RNG.normal(size=one.shape)
    wanted: Any = spearmanr(one[0], other[0])
    np.testing.assert_allclose(rank_correlation(one, other), [wanted[0]], atol=2e-6)
    wanted = rank_correlation(one, other)
    np.testing.assert_array_equal(rank_correlation(np.exp(one, dtype=np.float64), other), wanted)
    np.testing.assert_allclose(rank_correlation(one, -one), [-1], atol=1e-6)
    assert np.isnan(rank_correlation(np.where(one > 3, np.nan, one), other)).all()


def numpy_ssim(x: np.ndarray, y: np.ndarray, span: float) -> float:
    """Of one channel [H, W], window by window in float64 (equations 13 to 17 of Wang et al.)."""
    grid = np.exp(-(np.add.outer(np.arange(-5, 6) ** 2, np.arange(-5, 6) ** 2)) / (2 * 1.5**2))
    grid /= grid.sum()
    found = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            a, b = (each[row : row + 11, column : column + 11].astype(np.float64) for each in (x, y))
            mean_a, mean_b = (grid * a).sum(), (grid * b).sum()
            var_a, var_b = (grid * (a - mean_a) ** 2).sum(), (grid * (b - mean_b) ** 2).sum()
            both = (grid * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
            top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
            found.append(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))
    return float(np.mean(found))


def scaled(image: np.ndarray, values: str, scale: str) -> np.ndarray:
    image = np.abs(image) if values == "absolute" else image
    low = image.min() if scale == "range" else 0
    return (image - low) / np.abs(image - low).max()


@pytest.mark.parametrize("values", ["signed", "absolute"])
@pytest.mark.parametrize("scale", ["max_abs", "range"])
def test_ssim_is_that_of_plain_numpy(values, scale):
    other = MAPS + 0.5 * OTHERS
    span = 2 if (values, scale) == ("signed", "max_abs") else 1
    wanted = [
        np.mean([numpy_ssim(x[..., c], y[..., c], span) for c in range(3)])
        for x, y in [(scaled(a, values, scale), scaled(b, values, scale)) for a, b in zip(MAPS, other, strict=True)]
    ]
    np.testing.assert_allclose(structural_similarity(MAPS, other, values=values, scale=scale), wanted, atol=2e-6)
    np.testing.assert_allclose(structural_similarity(MAPS, 7 * MAPS, values=values, scale=scale), [1, 1], atol=1e-6)


def test_ssim_takes_maps_of_places_and_sees_signs():
    flat = MAPS[..., 0]
    np.testing.assert_array_equal(
        structural_similarity(flat, flat), structural_similarity(flat[..., None], MAPS[..., :1])
    )
    checks = np.where(np.add.outer(np.arange(14), np.arange(13)) % 2, 1.0, -1.0)  # means of 0
    checks = np.stack([checks, -checks]).astype(np.float32)
    np.testing.assert_allclose(structural_similarity(checks, -checks), [-1, -1], atol=1e-2)
    np.testing.assert_allclose(structural_similarity(flat, -flat, values="absolute"), [1, 1], atol=1e-6)
    zero = np.zeros_like(flat)
    np.testing.assert_allclose(structural_similarity(zero, zero), [1, 1])


def test_likeness_of_vectors():
    one, other = np.array([[3.0, 4, 0], [1e-30, 0, 0]]), np.array([[4.0, 3, 0], [0, 1e-30, 0]])
    np.testing.assert_allclose(cosine(one, other), [24 / 25, 0], atol=1e-6)
    assert np.isnan(cosine(one, np.zeros((2, 3)))).all()
    # the pairs' cosines are -1, 0.6 and -0.6
    units = np.array([[[1.0, 0], [-2, 0], [0.6, 0.8]]])
    np.testing.assert_allclose(class_likeness(units), [(1 + 0.6 + 0.6) / 3], rtol=1e-6)
    np.testing.assert_allclose(class_likeness(np.stack([MAPS, -3 * MAPS], 1)), [1, 1], rtol=1e-6)


def test_edges_of_a_slope():
    rows, columns = np.mgrid[:6, :7].astype(np.float32)
    slope = np.stack([3 * rows, 4 * columns], axis=-1)[None]
    np.testing.assert_allclose(edges(slope), np.full((1, 6, 7), 5.0))


def test_places_in_order_and_in_boxes():
    importance = np.array([[[1.0, 3, 3], [0, 5, 1]]])
    np.testing.assert_array_equal(order(importance), [[[3, 1, 2], [5, 0, 4]]])
    np.testing.assert_array_equal(strongest(importance, np.array([3])), [[[0, 1, 1], [0, 1, 0]]])
    np.testing.assert_array_equal(magnitude(np.array([[[[1.0, -2], [0, -3]]]])), [[[3, 3]]])
    # centres at 0.5, 1.5, ...: the first box holds rows 1 and 2 and column 0, the other one nothing
    boxes = np.array([[0.6, -3, 2.6, 1.5], [1.6, 1.6, 2.4, 2.4]])
    within = np.zeros((2, 4, 3), bool)
    within[0, 1:3, 0] = True
    np.testing.assert_array_equal(inside_boxes(boxes, (4, 3)), within)
    np.testing.assert_allclose(area(boxes, (4, 3)), [2 / 12, 0])


def test_the_share_of_a_map_inside_a_box():
    maps = np.zeros((3, 4, 4, 2), np.float32)
    maps[0, 1, 1], maps[0, 3, 3] = (-2e30, 1e30), (1e30, 0)
    maps[1] = -1e-40
    boxes = np.array([[0, 0, 2, 2]] * 3, float)
    shares = share_inside(maps, boxes)
    np.testing.assert_allclose(shares[0], 3 / 4, rtol=1e-6)
    assert np.isnan(shares[2])
    even = np.broadcast_to(-1.0, (3, 4, 4))
    np.testing.assert_allclose(share_inside(even, boxes), area(boxes, (4, 4)))


def test_the_pointing_game():
    maps = np.zeros((4, 10, 10), np.float32)
    for image, place in enumerate([(3, 3), (6, 3), (6, 6)]):
        maps[image][place] = -1
    boxes = np.array([[2, 2, 5, 5]] * 4, float)
    # their centres are 0, 1.5 and (1.5, 1.5) away
    for tolerance, hits in ((0, [1, 0, 0, 0]), (1.5, [1, 1, 0, 0]), (2.2, [1, 1, 1, 0])):
        np.testing.assert_array_equal(pointing_game(maps, boxes, tolerance=tolerance), np.array(hits, bool))
    np.testing.assert_array_equal(pointing_game(maps, boxes), np.array([1, 0, 0, 0], bool))  # 15 / 22.4 pixels


def test_baselines_know_nothing_of_the_image():
    middle = np.asarray(centre_first(2, (5, 7)))
    assert middle.argmax() == 17 and middle.shape == (2, 5, 7)
    np.testing.assert_allclose(middle, middle[:, ::-1, ::-1], rtol=1e-6)
    assert middle.min() == middle[0, 0, 0] > 0
    chance = np.asarray(random_order(KEY, 2, (5, 7)))
    assert abs(spearmanr(chance[0].ravel(), middle[0].ravel())[0]) < 0.5  # pyright: ignore
    assert (chance[0] != chance[1]).any()


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 100 samples of 30 normals each, measured side by side: the interval of the mean is known in closed form."""
    values = np.random.default_rng(1).normal(2.0, 1.0, (30, 100)).astype(np.float32)
    found = confidence(values, KEY, level=0.9, resamples=400)
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-5)
    assert 0.8 < np.mean((found.low < 2) & (found.high > 2)) < 0.97
    np.testing.assert_allclose(np.mean(found.high - found.low), 2 * 1.645 / np.sqrt(30), rtol=0.08)


def test_what_an_image_does_not_have_counts_nowhere():
    gaps = np.random.default_rng(2).normal(size=(30, 100)).astype(np.float32)
    gaps[2:, 0], gaps[:2, 0], gaps[:, 1] = np.nan, 1, np.nan
    gaps[:, 3] = 2 * gaps[:, 2]
    found = confidence(gaps, KEY, level=0.9, resamples=400)
    np.testing.assert_array_equal(found.count[:4], [2, 0, 30, 30])
    np.testing.assert_array_equal(np.stack(found[:3])[:, :2], [[1, np.nan]] * 3)
    # all that is measured sees the same draws
    np.testing.assert_array_equal(found.low[3], 2 * found.low[2])


@pytest.mark.parametrize(
    "call",
    [
        lambda: rank_correlation(MAPS, MAPS[..., 0]),
        lambda: rank_correlation(MAPS, MAPS, values="positive"),
        lambda: structural_similarity(MAPS[:, :9], MAPS[:, :9]),
        lambda: structural_similarity(MAPS, MAPS, scale="none"),
        lambda: class_likeness(MAPS[:, :1]),
        lambda: edges(MAPS[0]),
        lambda: magnitude(MAPS[0, 0]),
        lambda: order(MAPS),
        lambda: share_inside(MAPS, np.zeros((2, 3))),
        lambda: pointing_game(MAPS, np.zeros((2, 4)), tolerance=-1),
        lambda: confidence(np.zeros(0), KEY),
        lambda: confidence(np.zeros(3), KEY, level=95),
        lambda: confidence(np.zeros(3), KEY, resamples=0),
        lambda: confidence(np.zeros(3), jnp.zeros(2)),
    ],
)
def test_what_cannot_be_measured_is_refused(call):
    with pytest.raises(InputError, match="not"):
        call()


@pytest.mark.parametrize("box", [[5, 9, 2, 3], [0, 5, 4, 4], [0, np.nan, 4, 4]])
def test_a_box_that_is_none_is_refused(box):
    with pytest.raises(InputError, match="box 1 is"):
        places.inside_boxes(np.array([[1, 1, 4, 4], box], np.float32), (10, 10))


def test_an_order_of_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        places.order(np.array([[[1.0, np.nan]]]))
