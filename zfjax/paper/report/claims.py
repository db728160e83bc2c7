"""The paper's claims as inequalities, judged by what was measured here.

Each judge takes the measures of the sections (name of the section -> its numbers) and answers with a `Claim`; a missing
section or number makes the claim "not testable here", with the reason. That a claim fails is a result like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from zfjax.paper.report.document import Claim, Verdict

Measures = dict[str, dict]


class Untestable(Exception):
    """Why a claim cannot be judged."""


def judge(measures: Measures) -> tuple[Claim, ...]:
    """All claims in the order of the paper. measures: {section: {name: number}}, see the judges for the names."""
    return tuple(_claim(sentence, inequality, judged, measures) for sentence, inequality, judged in CLAIMS)


def _claim(sentence: str, inequality: str, judged: Callable, measures: Measures) -> Claim:
    try:
        holds, measured = judged(measures)
    except Untestable as reason:
        return Claim(sentence, inequality, str(reason), "not testable here")
    verdict: Verdict = "holds" if holds else "does not hold"
    return Claim(sentence, inequality, measured, verdict)


def _of(measures: Measures, section: str, *names: str) -> list:
    if section not in measures:
        raise Untestable(f"{section} was not run")
    there = measures[section]
    if "left_out" in there:
        raise Untestable(there["left_out"])
    if missing := [name for name in names if name not in there or there[name] is None]:
        raise Untestable(f"{section} has no {missing[0].replace('_', ' ')} here")
    return [there[name] for name in names]


def _numbers_of(values: list[float]) -> list[float]:
    if not all(math.isfinite(value) for value in values):
        raise Untestable("a measure is not a finite number")
    return values


def _convergence(measures: Measures) -> tuple[bool, str]:
    similarity, epochs = _of(measures, "evolution", "similarity", "epochs")
    if len(epochs) < 2 or len(similarity) < 2:
        raise Untestable(f"needs two kept epochs and two layers; the run kept epochs {', '.join(map(str, epochs))}")
    first, *_, last = _numbers_of(list(similarity.values()))
    said = ", ".join(f"{layer} {value:.2f}" for layer, value in similarity.items())
    return first > last, f"{said} (epochs {', '.join(f'{epoch:g}' for epoch in epochs[:-1])} against {epochs[-1]:g})"


def _less_change(measures: Measures) -> tuple[bool, str]:
    layers, early = _of(measures, "invariance", "layers", "early")
    first, last = _numbers_of(early)
    return last < first, f"shift: {layers[0]} {100 * first:.0f} %, {layers[1]} {100 * last:.0f} %"


def _more_linear(measures: Measures) -> tuple[bool, str]:
    layers, linearity = _of(measures, "invariance", "layers", "linearity")
    first, last = _numbers_of(linearity)
    return last > first, f"shift: {layers[0]} {first:.2f}, {layers[1]} {last:.2f}"


def _occlusion(measures: Measures) -> tuple[bool, str]:
    together, images = _of(measures, "occlusion", "correlation", "images")
    (mean,) = _numbers_of([together])
    return mean > 0, f"{mean:.2f}, mean over {images} images"


def _object(measures: Measures) -> tuple[bool, str]:
    inside, elsewhere, images = _of(measures, "occlusion", "lost_inside", "lost_elsewhere", "images")
    _numbers_of([*inside, *elsewhere])
    said = ", ".join(
        f"{what} loses {100 * a:.1f} % with the object covered, {100 * b:.1f} % elsewhere"
        for what, a, b in zip(("the class", "the map"), inside, elsewhere, strict=True)
    )
    return inside[0] > elsewhere[0] and inside[1] > elsewhere[1], f"{said} ({images} images)"


def _correspondence(measures: Measures) -> tuple[bool, str]:
    parts, random, layer, images = _of(measures, "correspondence", "parts", "random", "layer", "images")
    mean = sum(parts.values()) / len(parts)
    said = ", ".join(f"{part.replace('_', ' ')} {value:.3f}" for part, value in parts.items())
    return mean < random, f"{layer}, {images} images: {said}; random {random:.3f}"


def _pretraining(measures: Measures) -> tuple[bool, str]:
    frozen, scratch, count = _of(measures, "transfer", "pretrained", "scratch", "train_per_class")
    return frozen > scratch, f"{frozen:.1f} % against {scratch:.1f} % with {count} images a class"


def _deeper(measures: Measures) -> tuple[bool, str]:
    (rows,) = _of(measures, "transfer", "by_layer")
    if len(rows) < 2:
        raise Untestable("only one layer was read")
    values = list(rows.values())
    rank = _rank_correlation(values)
    said = ", ".join(f"{layer} {value:.1f}" for layer, value in rows.items())
    return rank > 0 and values[-1] > values[0], f"{said} %; rank correlation {rank:.2f}"


def _removal(measures: Measures) -> tuple[bool, str]:
    (errors,) = _of(measures, "ablations", "val_top1")
    base, removed = "alexnet", ("alexnet-no34", "alexnet-no7", "alexnet-no67", "alexnet-no3467")
    if missing := [name for name in (base, *removed) if errors.get(name) is None]:
        raise Untestable(f"{missing[0]} was not trained")
    worst = max(removed, key=lambda name: errors[name])
    said = ", ".join(f"{name} {100 * errors[name]:.1f}" for name in (base, *removed))
    return worst == removed[-1] and errors[worst] > errors[base], f"validation error, %: {said}"


def _first_layer(measures: Measures) -> tuple[bool, str]:
    zf, krizhevsky = _of(measures, "selection", "zf", "alexnet")
    said = "; ".join(
        f"{name}: {100 * each['dead']:.1f} % dead, {100 * each['extreme']:.0f} % in the lowest or highest band"
        for name, each in (("7x7/2", zf), ("11x11/4", krizhevsky))
    )
    return zf["dead"] <= krizhevsky["dead"] and zf["extreme"] < krizhevsky["extreme"], said


def _renormalisation(measures: Measures) -> tuple[bool, str]:
    with_cap, without, reached = _of(measures, "renormalisation", "with_cap", "without", "reached")
    if not reached:
        raise Untestable(
            f"no filter reached the radius with this recipe, so it changed nothing: largest by median RMS "
            f"{with_cap:.2f} with it, {without:.2f} without"
        )
    return with_cap < without, f"{with_cap:.2f} with it, {without:.2f} without"


def _rank_correlation(values: list[float]) -> float:
    """Spearman's, of values with their order: 1 for a row that only grows, 0 for equal ones."""
    from scipy.stats import spearmanr

    if len(set(values)) == 1:
        return 0.0
    found: Any = spearmanr(range(len(values)), values)  # a tuple with names, which its declaration lacks
    return float(found.statistic)


CLAIMS = (
    (
        "Lower layers converge within a few epochs, upper layers only much later (section 4, Fig. 4).",
        "likeness of the responses at the earlier epochs kept to those in the end: first layer > last layer",
        _convergence,
    ),
    (
        "Small transformations change layer 1 drastically and layer 7 less (section 4, Fig. 5).",
        "share of the largest distance reached at a tenth of the shifts: top layer < first layer",
        _less_change,
    ),
    (
        "Layer 7 follows translation almost linearly (section 4, Fig. 5).",
        "R² of a straight line through the origin: top layer > first layer",
        _more_linear,
    ),
    (
        "Covering the image where the strongest map looks lowers the class too (section 4.2, Fig. 7).",
        "correlation over places of the square between map activity and class probability > 0",
        _occlusion,
    ),
    (
        "Covering the object lowers its class and its strongest map together (section 4.2, Fig. 7).",
        "share lost with the square's centre in the object's box > elsewhere, for both",
        _object,
    ),
    (
        "Parts of objects correspond more than random places at layer 5 (section 4.3, Table 1).",
        "mean Hamming distance of the parts < that of random places",
        _correspondence,
    ),
    (
        "A pretrained network beats one trained from scratch on the new data (section 5.2, Tables 4, 5).",
        "accuracy of a new softmax on frozen layers > from scratch",
        _pretraining,
    ),
    (
        "Accuracy grows with the layer that is read (section 5.3, Table 7).",
        "rank correlation of accuracy with depth > 0, and last layer > first",
        _deeper,
    ),
    (
        "Removing layers 3, 4 and 6, 7 together hurts most (section 5.1, Table 3).",
        "validation error without 3, 4, 6, 7 > without fewer of them, and > complete",
        _removal,
    ),
    (
        "7x7 filters, stride 2: fewer dead and fewer extreme ones than with 11x11, stride 4 (section 4.1, Fig. 6).",
        "share dead: no larger; share with most energy in the lowest or highest third of frequencies: smaller",
        _first_layer,
    ),
    (
        "Renormalising filters keeps a few from dominating the first layer (section 3, Fig. 6a).",
        "largest / median RMS of the first layer's filters: with renormalisation < without",
        _renormalisation,
    ),
)
