"""Verdicts: intervals against what is known of them, and the four answers on data made for each."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from zfjax.attribution.measures.bootstrap import difference, mean, of_pairs, resampled, tails
from zfjax.paper.report.verdicts import (
    FEWEST,
    Part,
    decide,
    how,
    of_dominance,
    of_image_pairs,
    of_sample,
    of_shares,
    of_trend,
    of_two,
    rank_correlation,
)

RNG = np.random.default_rng(0)


def part(low, mean, high, count=20, name="", more=True):
    return Part(name, mean, low, high, (count,), "images", more)


def test_of_two_samples_each_is_drawn_on_its_own():
    """Deviations 1 and 2 of 40 and 90 normals: the difference's is the root of 1 / 40 + 4 / 90."""
    samples = [(RNG.normal(3, 1, 40), RNG.normal(1, 2, 90)) for _ in range(20)]
    found = np.array([difference(mean, *each, RNG) for each in samples])
    np.testing.assert_allclose(found[:, 0], [first.mean() - second.mean() for first, second in samples])
    np.testing.assert_allclose(np.mean(found[:, 2] - found[:, 1]), 2 * 1.96 * np.sqrt(1 / 40 + 4 / 90), rtol=0.08)
    assert np.mean((found[:, 1] < 2) & (found[:, 2] > 2)) >= 0.8
    alike, low, high = difference(mean, samples[0][0], samples[0][0], RNG)
    assert alike == 0 and low < -0.2 and high > 0.2, "not on the same draws"


def test_of_pairs_images_are_drawn():
    """All 27 draws of three images by hand: those of one image alone have no pair."""
    values = np.array([[0, 1, 2], [1, 0, 6], [2, 6, 0]], float)
    means = []
    for draw in itertools.product(range(3), repeat=3):
        pairs = [values[i, j] for i, j in itertools.combinations(draw, 2) if i != j]
        means += [np.mean(pairs)] if pairs else []
    assert len(means) == 24 and sorted({float(mean) for mean in means}) == [1, 2, 3, 6]
    expected = np.quantile(means, [0.025, 0.975])
    assert of_pairs(values + 9 * np.eye(3), RNG) == (3, *expected), "none with itself"
    four = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))) ** 2
    means = []
    for draw in itertools.product(range(4), repeat=4):
        pairs = [four[i, j] for i, j in itertools.combinations(draw, 2) if i != j]
        means += [np.mean(pairs)] if pairs else []
    found = of_pairs(four, np.random.default_rng(1))
    np.testing.assert_allclose(found, [four.sum() / 12, *np.quantile(means, [0.025, 0.975])], atol=0.3)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ((56, 70), (48, 80), (0.2000, 0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.6000, 0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.5714, 0.0582, 0.8063)),
        ((5, 56), (0, 29), (0.0893, -0.0381, 0.1926)),
        ((10, 10), (0, 20), (1.0000, 0.6791, 1.0000)),
        ((10, 10), (0, 10), (1.0000, 0.6075, 1.0000)),
    ],
)
def test_a_difference_of_shares_is_newcombes(first, second, wanted):
    """Newcombe 1998, Interval estimation for the difference between independent proportions, table II, method 10."""
    shares, counts = zip(*((hits / count, count) for hits, count in (first, second)), strict=True)
    found, mirrored = of_shares("", *shares, counts, "filters"), of_shares("", *shares[::-1], counts[::-1], "filters")
    assert found[1:4] == pytest.approx(wanted, abs=1e-4) and found.counts == counts
    assert mirrored[1:4] == pytest.approx((-found.difference, -found.high, -found.low)), "the other way round"


def test_a_share_of_nothing_is_not_sure():
    """Four filters of 96 against none are Fisher's p = 0.12, six 0.03; none and none, or all and all, are a tie."""
    for hits, verdict in ((1, "undecided"), (4, "undecided"), (6, "holds")):
        assert decide([of_shares("", hits / 96, 0, (96, 96), "filters")])[0] == verdict
        mirrored = decide([of_shares("", 0, hits / 96, (96, 96), "filters")])[0]
        assert mirrored == {"holds": "does not hold"}.get(verdict, verdict)
    for share in (0, 1):
        assert decide([of_shares("", share, share, (96, 50), "filters")])[0] == "not testable here"
        assert decide([of_trend("", [share] * 3, 50, "images")])[0] == "not testable here"
    assert decide([of_trend("", [0.98, 0.98, 1.0], 50, "images")])[0] == "undecided", "one image of 50"
    assert decide([of_trend("", [1.0, 1.0, 0.98], 50, "images")])[0] == "undecided"


def test_fewer_than_the_least_hold_the_truth_too_seldom():
    """Of 300 samples of normals the 95 % interval holds the mean: of five about 83 %, of ten about 90."""
    held, rng = {}, np.random.default_rng(3)
    for count in (5, FEWEST):
        draws = [resampled(mean, rng.normal(0, 1, count), rng) for _ in range(300)]
        held[count] = np.mean([low < 0 < high for low, high in map(tails, draws)])
    assert held[5] < 0.87 < held[FEWEST] < 0.95


@pytest.mark.parametrize(
    ("made", "verdict", "said"),
    [
        (part(0.1, 0.2, 0.3), "holds", "+0.2 (+0.1 to +0.3) over 20 images"),
        (part(-0.3, -0.2, -0.1), "does not hold", "-0.2 (-0.3 to -0.1) over 20 images"),
        (part(-0.3, -0.2, 0), "undecided", "-0.2 (-0.3 to +0) over 20 images: 0 lies within"),
        (part(0, 0.2, 0.3), "undecided", "+0.2 (+0 to +0.3) over 20 images: 0 lies within"),
        (part(-0.1, 0.1, 0.3, more=False), "undecided", "+0.1 (-0.1 to +0.3) over 20 images: 0 lies within"),
        # the interval is half as wide with four times as many
        (part(-0.1, 0.1, 0.3), "undecided", "0 lies within, and about 80 images would tell"),
        (part(-0.4, -0.1, 0.2), "undecided", "0 lies within, and about 180 images would tell"),
        (part(-0.4, 0, 0.2), "undecided", "0 lies within, which not even 100,000 images would change"),
        (part(0.1, 0.2, 0.3, 5), "undecided", "over 5 images: too few to decide, 10 would be the least"),
        (part(0, 0, 0), "not testable here", "both sides are the same, over 20 images"),
    ],
)
def test_the_four_answers(made, verdict, said):
    answer, decided = decide([made])
    assert answer == verdict and decided.endswith(said)


def test_a_claim_of_several_parts_has_to_hold_for_all():
    good, bad = part(0.1, 0.2, 0.3, name="eye"), part(-0.3, -0.2, -0.1, name="nose")
    open_, tie = part(-0.1, 0.1, 0.3, name="mouth"), part(0, 0, 0, name="ear")
    for parts, verdict, count in (
        ([good, good], "holds", "2 of 2"),
        ([good, bad], "does not hold", "1 of 2"),
        ([good, open_, bad], "does not hold", "1 of 3"),
        ([good, open_, tie], "undecided", "1 of 3"),
        ([good, tie], "not testable here", "1 of 2"),
    ):
        answer, decided = decide(parts)
        assert answer == verdict and decided.startswith(f"holds for {count}: eye: ")


def test_samples_with_a_known_answer():
    above = RNG.normal(0.5, 1, 60)
    assert decide([of_sample("", above, "images")])[0] == "holds"
    assert decide([of_sample("", -above, "images")])[0] == "does not hold"
    assert decide([of_sample("", above - above.mean() + 0.01, "images")])[0] == "undecided"
    assert of_sample("", [*above, np.nan, np.inf], "images").counts == (60,)
    assert decide([of_two("", above + 2, above, "maps")])[0] == "holds"
    assert decide([of_two("", above, above, "maps")])[0] == "undecided"
    assert decide([of_two("", np.zeros(12), np.zeros(12), "maps")])[0] == "not testable here"
    pairs = np.array([i + j for i, j in itertools.combinations(range(12), 2)], float)
    found = of_image_pairs("", pairs, 12, "images")
    assert found.difference == pytest.approx(11) and found.low < 10 and found.high > 12 and found.counts == (12,)


def test_rank_correlation_is_scipys():
    rows = np.array([[1, 5, 9, 7.0], [9, 5, 2, 1], [1, 1, 3, 2], [4, 4, 4, 4]])
    wanted = [spearmanr(range(4), row).statistic for row in rows[:3]]
    np.testing.assert_allclose(rank_correlation(rows), [*wanted, 0], atol=1e-12)


def test_more_is_advised_only_where_there_is_more():
    """A network has as many filters and maps as it has; a rank correlation follows no root law."""
    samples = (np.arange(12) % 4 - 1.0, np.zeros(12))
    made = {
        "images": (of_sample("", samples[0], "images"), of_shares("", 0.5, 0.4, (20, 20), "images")),
        "none": (
            of_two("", *samples, "maps"),
            of_dominance("", [8.0] + [1.0] * 29, [1.0] * 30, "filters"),
            of_shares("", 0.5, 0.4, (20, 20), "filters", more=False),
            of_trend("", [0.5, 0.6, 0.55], 50, "images"),
        ),
    }
    for which, parts in made.items():
        for each in parts:
            verdict, said = decide([each])
            assert verdict == "undecided" and (" would tell" in said) == (which == "images"), said


def test_what_intervals_leave_out_is_said():
    assert "One training of each network" in how(1) and "trainings of each" not in how(1)
    assert "means over 3 trainings of each network" in how(3) and "One training of each" not in how(3)
    for said in (how(1), how(3)):
        assert "rightly classified ones come first" in said and "how folds differ" in said


def test_a_trend_is_as_sure_as_its_shares():
    clear = of_trend("", [0.1, 0.3, 0.5, 0.7], 200, "images")
    assert clear[1:4] == (1, 1, 1) and clear.counts == (200,)
    flat = of_trend("", [0.5, 0.51, 0.5], 50, "images")
    assert flat.low == -1 and flat.high == 1


def test_one_filter_that_dominates_may_not_be_drawn():
    """Without the largest, in 37 of 100 draws, the ratio is 1; with four such it is never."""
    one, four, even = [8.0] + [1.0] * 29, [8.0] * 4 + [1.0] * 26, [1.0] * 30
    assert of_dominance("", one, even, "filters")[1:4] == (7, 0, 7)
    assert of_dominance("", four, even, "filters")[1:4] == (7, 7, 7)
