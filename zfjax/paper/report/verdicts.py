"""Whether an inequality holds by what was measured: its 95 % interval over images or maps, and what decided it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from zfjax.attribution.measures.bootstrap import RESAMPLES, Statistic, difference, mean, of_pairs, tails
from zfjax.paper.evaluation.measure import wilson_interval
from zfjax.paper.first_layers.measure import largest_by_median
from zfjax.paper.report.document import Verdict

FEWEST = 10  # that an interval is asked of: see `tests/paper/test_verdicts.py` for what it is worth with fewer
MOST = 100_000  # images that are named as enough
HOW = (
    "Each verdict is that of the difference between the two sides of its inequality and of the difference's 95 % "
    "interval over the images, maps or filters that are named: it holds if the whole interval is above 0, does not "
    f"hold if it is all below, and is undecided where 0 lies within the interval or it is over fewer than {FEWEST}. A "
    "claim of several parts holds if it holds for all. The interval is by the bootstrap; that of two shares by "
    "Newcombe's method 10 (1998), as of images of their own though both sides are of the same ones. Images of Figs. 5 "
    "and 7 are random ones, but rightly classified ones come first and one of each class before the rest: their "
    "claims are about such images. Accuracies on new classes are means over folds of the classes' mean accuracy; "
    "their intervals are those of a share of one fold's test images, and cover neither how folds differ nor how "
    "trainings do."
)
ONE_TRAINING = "One training of each network: another seed may give another verdict, which the intervals do not cover."
TRAININGS = (
    "Validation errors are means over {count} trainings of each network, all else is of the first one; the intervals "
    "are those of one training's images, and do not cover how trainings differ."
)


def how(trainings: int) -> str:
    """How verdicts come about, where each network was trained so many times."""
    return f"{HOW} {ONE_TRAINING if trainings == 1 else TRAININGS.format(count=trainings)}"


class Part(NamedTuple):
    """An inequality as a difference that is above 0 where it holds, and the interval of it."""

    name: str  # "" of a claim's only one
    difference: float
    low: float
    high: float
    counts: tuple[int, ...]  # of what was drawn anew
    unit: str  # what that is: images, maps
    more: bool = False  # whether there could be more of it, and the interval shrinks with the root of their number


def decide(parts: Sequence[Part]) -> tuple[Verdict, str]:
    """The verdict of a claim that has to hold for all its parts, and what decided it.

    It does not hold if it does not for one; else it is as undecided, or as little testable, as any of them.
    """
    each = [_decide(part) for part in parts]
    if len(parts) == 1:
        return each[0]
    verdicts = [verdict for verdict, _ in each]
    order: tuple[Verdict, ...] = ("does not hold", "undecided", "not testable here", "holds")
    verdict: Verdict = next(which for which in order if which in verdicts)
    said = "; ".join(f"{part.name}: {why}" for part, (_, why) in zip(parts, each, strict=True))
    return verdict, f"holds for {verdicts.count('holds')} of {len(parts)}: {said}"


def _decide(part: Part) -> tuple[Verdict, str]:
    unit = part.unit if set(part.counts) != {1} else re.sub(r"s\b", "", part.unit, count=1)
    over = f"{' and '.join(f'{count:,}' for count in dict.fromkeys(part.counts))} {unit}"
    if part.low == part.high == part.difference == 0:
        return "not testable here", f"both sides are the same, over {over}"
    said = f"{part.difference:+.2g} ({part.low:+.2g} to {part.high:+.2g}) over {over}"
    if min(part.counts) < FEWEST:
        return "undecided", f"{said}: too few to decide, {FEWEST} would be the least"
    if part.low > 0:
        return "holds", said
    if part.high < 0:
        return "does not hold", said
    return "undecided", f"{said}: 0 lies within{_needed(part)}"


def _needed(part: Part) -> str:
    """How many would tell if the difference stayed what it is; "" where there are no more, or 0 is just an end."""
    reach = part.difference - part.low if part.difference > 0 else part.high - part.difference
    factor = (reach / part.difference) ** 2 if part.difference else math.inf
    least = round(factor * min(part.counts), 6)
    if not part.more or least <= min(part.counts):
        return ""
    if least > MOST:
        return f", which not even {MOST:,} {part.unit} would change"
    step = 10 ** max(0, math.floor(math.log10(least)) - 1)
    return f", and about {math.ceil(least / step) * step:,} {part.unit} would tell"


def of_sample(name: str, values: Sequence[float], unit: str) -> Part:
    """The mean of values [N], such as differences within each image; what is not finite takes no part."""
    known = [value for value in values if math.isfinite(value)]
    return of_two(name, known, [0.0], unit)._replace(counts=(len(known),), more=True)


def of_two(name: str, first: Sequence[float], second: Sequence[float], unit: str) -> Part:
    """The mean of one sample less that of another, such as of the maps of two layers."""
    return _of_two(name, mean, first, second, unit)


def of_shares(name: str, first: float, second: float, counts: tuple[int, int], unit: str, *, more: bool = True) -> Part:
    """One share less another, each 0..1 of so many, with the interval of Newcombe (1998), method 10.

    It is put together from the score intervals of both, so that a share of 0, which the bootstrap gives no spread, has
    its own. Two shares of 0, or of 1, are a tie: nothing was seen to compare. more: as in `Part`.
    """
    apart = first - second
    if _tied((first, second)):
        return Part(name, 0.0, 0.0, 0.0, counts, unit, more)
    (low, high), (other_low, other_high) = (
        wilson_interval(share * count, count) for share, count in zip((first, second), counts, strict=True)
    )
    least = apart - math.hypot(first - low, other_high - second)
    most = apart + math.hypot(high - first, second - other_low)
    return Part(name, apart, least, most, counts, unit, more)


def _tied(shares: Sequence[float]) -> bool:
    return set(shares) in ({0}, {1})


def of_image_pairs(name: str, values: Sequence[float], images: int, unit: str) -> Part:
    """The mean over all pairs i < j of so many images, row by row."""
    both = np.zeros((images, images))
    both[np.triu_indices(images, k=1)] = values
    return Part(name, *of_pairs(both + both.T, _rng()), counts=(images,), unit=unit, more=True)


def of_trend(name: str, shares: Sequence[float], count: int, unit: str) -> Part:
    """Spearman's rank correlation of shares, each of so many images on its own, with their order.

    Shares are drawn from what Jeffreys' prior makes of them (Brown, Cai & DasGupta 2001), where those of 0 and 1 have a
    spread too.
    """
    if _tied(shares):
        return Part(name, 0.0, 0.0, 0.0, (count,), unit)
    right = np.asarray(shares) * count
    draws = _rng().beta(right + 0.5, count - right + 0.5, (RESAMPLES, len(right)))
    return Part(name, float(rank_correlation(right)), *tails(rank_correlation(draws)), (count,), unit)


def of_dominance(name: str, first: Sequence[float], second: Sequence[float], unit: str) -> Part:
    """How many times larger than the median the largest of one sample is, less the same of another.

    No draw is larger than what was seen, and one without the largest comes in 37 of 100: the interval says how much
    hangs on single ones.
    """
    return _of_two(name, largest_by_median, first, second, unit)


def rank_correlation(values: np.ndarray) -> np.ndarray:
    """Spearman's, of values [..., L] with their order: 1 where they only grow, 0 where they are equal: [...]."""
    from scipy.stats import rankdata

    ranks: Any = rankdata(values, axis=-1)
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    order = np.arange(values.shape[-1]) - (values.shape[-1] - 1) / 2
    scale = np.sqrt(np.square(centred).sum(axis=-1) * np.square(order).sum())
    return np.divide(centred @ order, scale, out=np.zeros_like(scale), where=scale > 0)


def _of_two(name: str, statistic: Statistic, first: Sequence[float], second: Sequence[float], unit: str) -> Part:
    with np.errstate(invalid="ignore"):  # quantiles between infinite ratios
        found = difference(statistic, np.asarray(first, float), np.asarray(second, float), _rng())
    return Part(name, *found, counts=(len(first), len(second)), unit=unit)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
