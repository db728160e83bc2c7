"""The paper's claims as inequalities, judged by what was measured here.

Each judge takes the measures of the sections (name of the section -> its numbers) and answers with the parts of its
claim and what was measured; a missing section or number makes the claim "not testable here", with the reason. That a
claim fails is a result like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from zfjax.paper.first_layers.measure import largest_by_median
from zfjax.paper.report import verdicts
from zfjax.paper.report.document import Claim
from zfjax.paper.report.measures import Measures, Untestable, finite, less, measured
from zfjax.paper.report.verdicts import Part

Judged = tuple[list[Part], str]
PARTS = ("eye", "nose")  # of Table 1


def judge(measures: Measures) -> tuple[Claim, ...]:
    """All claims in the order of the paper. measures: {section: {name: number}}, see the judges for the names."""
    return tuple(_claim(sentence, inequality, judged, measures) for sentence, inequality, judged in CLAIMS)


def _claim(sentence: str, inequality: str, judged: Callable, measures: Measures) -> Claim:
    try:
        parts, said = judged(measures)
        for part in parts:
            finite(**{f"{part.name} {inequality.partition(':')[0]}, drawn anew".lstrip(): part[1:4]})
    except Untestable as reason:
        return Claim(sentence, inequality, "", "not testable here", str(reason))
    verdict, decided = verdicts.decide(parts)
    return Claim(sentence, inequality, said, verdict, decided)


def _mean(values: Sequence[float]) -> float:
    known = np.asarray(values, float)
    return float(known[np.isfinite(known)].mean())


def _convergence(measures: Measures) -> Judged:
    similarity, first, last, epochs = measured(measures, "evolution", "similarity", "first_maps", "last_maps", "epochs")
    if len(epochs) < 2 or len(similarity) < 2:
        raise Untestable(f"needs two kept epochs and two layers; the run kept epochs {', '.join(map(str, epochs))}")
    if not first or not last:
        raise Untestable("a layer has no map that tells images apart")
    finite(likeness_in_the_first_layer=first, likeness_in_the_last_layer=last)
    said = ", ".join(f"{layer} {value:.2f}" for layer, value in similarity.items())
    against = f"epochs {', '.join(f'{epoch:g}' for epoch in epochs[:-1])} against {epochs[-1]:g}"
    return [verdicts.of_two("", first, last, "maps")], f"{said} ({against})"


def _less_change(measures: Measures) -> Judged:
    layers, (first, last) = measured(measures, "invariance", "layers", "early_changes")
    parts = [verdicts.of_sample("", less("change at small shifts", first, last), "images")]
    return parts, f"shift: {layers[0]} {100 * _mean(first):.0f} %, {layers[1]} {100 * _mean(last):.0f} %"


def _more_linear(measures: Measures) -> Judged:
    layers, (first, last) = measured(measures, "invariance", "layers", "linearities")
    parts = [verdicts.of_sample("", less("R² of a straight line", last, first), "images")]
    return parts, f"shift: {layers[0]} {_mean(first):.2f}, {layers[1]} {_mean(last):.2f}"


def _occlusion(measures: Measures) -> Judged:
    (together,) = measured(measures, "occlusion", "correlations")
    parts = [verdicts.of_sample("", less("correlation of map and class", together, [0.0] * len(together)), "images")]
    return parts, f"{_mean(together):.2f}, mean over the images"


def _object(measures: Measures) -> Judged:
    inside, elsewhere = measured(measures, "occlusion", "lost_inside", "lost_elsewhere")
    names = ("the class", "the map")
    rows = list(zip(names, inside, elsewhere, strict=True))
    parts = [verdicts.of_sample(what, less(f"share that {what} loses", a, b), "images") for what, a, b in rows]
    said = ", ".join(
        f"{what} loses {100 * _mean(a):.1f} % with the object covered, {100 * _mean(b):.1f} % elsewhere"
        for what, a, b in rows
    )
    return parts, said


def _correspondence(measures: Measures) -> Judged:
    names = ("part_pairs", "random_pairs", "layer", "images")
    pairs, random, layer, images = measured(measures, "correspondence", *names)
    named = {part: row for part, row in pairs.items() if any(name in part for name in PARTS)}
    if lacking := [name for name in PARTS if not any(name in part for part in named)]:
        raise Untestable(f"the images have no {lacking[0]} among their parts ({', '.join(pairs)})")
    if images < 2:
        raise Untestable(f"the Hamming distance is of pairs of images; here: {images}")
    finite(Hamming_distance_of_random_places=random)
    finite(**{f"Hamming distance of the {part}": row for part, row in named.items()})
    said = ", ".join(f"{part.replace('_', ' ')} {_mean(row):.3f}" for part, row in pairs.items())
    parts = [
        verdicts.of_image_pairs(part.replace("_", " "), np.subtract(random, row), images, "images")
        for part, row in named.items()
    ]
    return parts, f"{layer}: {said}; random {_mean(random):.3f}"


def _pretraining(measures: Measures) -> Judged:
    names = ("pretrained", "scratch", "train_per_class", "test")
    frozen, scratch, count, test = measured(measures, "transfer", *names)
    finite(accuracy_on_frozen_layers=frozen, accuracy_from_scratch=scratch)
    parts = [verdicts.of_shares("", frozen / 100, scratch / 100, (test, test), "test images of a fold")]
    return parts, f"{frozen:.1f} % against {scratch:.1f} % with {count} images a class"


def _deeper(measures: Measures) -> Judged:
    rows, test = measured(measures, "transfer", "by_layer", "test")
    if len(rows) < 2:
        raise Untestable("only one layer was read")
    finite(**{f"accuracy on layer {layer}": value for layer, value in rows.items()})
    shares = [value / 100 for value in rows.values()]
    unit = "test images of a fold"
    parts = [
        verdicts.of_trend("rank correlation", shares, test, unit),
        verdicts.of_shares("last layer less first", shares[-1], shares[0], (test, test), unit),
    ]
    return parts, f"{', '.join(f'{layer} {value:.1f}' for layer, value in rows.items())} %"


def _removal(measures: Measures) -> Judged:
    errors, count = measured(measures, "ablations", "val_top1", "val_images")
    fewest, others = "alexnet-no3467", ("alexnet", "alexnet-no34", "alexnet-no7", "alexnet-no67")
    if missing := [name for name in (*others, fewest) if errors.get(name) is None]:
        raise Untestable(f"{missing[0]} was not trained")
    finite(**{f"validation error of {name}": errors[name] for name in (*others, fewest)})
    said = ", ".join(f"{name} {100 * errors[name]:.1f}" for name in (*others, fewest))
    parts = [
        verdicts.of_shares(f"than {name}", errors[fewest], errors[name], (count, count), "validation images")
        for name in others
    ]
    return parts, f"validation error, %: {said}"


def _first_layers(measures: Measures) -> list[dict]:
    both = measured(measures, "selection", "zf", "alexnet")
    finite(share_of_dead_filters=[each["dead"] for each in both])
    return both


def _dead(measures: Measures) -> Judged:
    zf, krizhevsky = _first_layers(measures)
    counts = tuple(each["filters"] for each in (krizhevsky, zf))
    parts = [verdicts.of_shares("", krizhevsky["dead"], zf["dead"], counts, "filters", more=False)]
    return parts, f"7x7/2: {100 * zf['dead']:.1f} % dead; 11x11/4: {100 * krizhevsky['dead']:.1f} %"


def _extreme(measures: Measures) -> Judged:
    zf, krizhevsky = _first_layers(measures)
    counts = tuple(round(each["filters"] * (1 - each["dead"])) for each in (krizhevsky, zf))
    if not all(counts):
        raise Untestable("all filters of a network are dead")
    finite(share_of_extreme_filters=[zf["extreme"], krizhevsky["extreme"]])
    parts = [verdicts.of_shares("", krizhevsky["extreme"], zf["extreme"], counts, "filters", more=False)]
    shares = ", ".join(
        f"{name} {100 * each['extreme']:.0f} %" for name, each in (("7x7/2", zf), ("11x11/4", krizhevsky))
    )
    return parts, f"in the lowest or highest band: {shares}"


def _renormalisation(measures: Measures) -> Judged:
    with_cap, without, reached = measured(measures, "renormalisation", "rms_with", "rms_without", "reached")
    finite(RMS_of_filters_with_renormalisation=with_cap, RMS_of_filters_without_renormalisation=without)
    largest = [largest_by_median(np.array(each)) for each in (with_cap, without)]
    said = f"{largest[0]:.2f} with it, {largest[1]:.2f} without"
    if not reached:
        raise Untestable(f"no filter reached the radius with this recipe, so it changed nothing: {said}")
    if not all(map(math.isfinite, largest)):
        raise Untestable("half of a network's filters are zero")
    return [verdicts.of_dominance("", without, with_cap, "filters")], said


CLAIMS = (
    (
        "Lower layers converge within a few epochs, upper layers only much later (section 4, Fig. 4).",
        "likeness of the responses at the earlier epochs kept to those in the end: first layer > last layer",
        _convergence,
    ),
    (
        "Small transformations change layer 1 drastically and layer 7 less (section 4, Fig. 5).",
        "share of the largest distance reached at a tenth of the shifts: first layer > top layer",
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
        "Eyes and noses correspond more than random places at layer 5 (section 4.3, Table 1).",
        "Hamming distance of random places > that of each eye and of the nose",
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
        "validation error without 3, 4, 6, 7 > that of the complete network, and without fewer of them",
        _removal,
    ),
    (
        "7x7 filters, stride 2: fewer dead ones than with 11x11, stride 4 (section 4.1, Fig. 6).",
        "share of dead filters: 11x11/4 > 7x7/2",
        _dead,
    ),
    (
        "7x7 filters, stride 2: fewer extreme frequencies than with 11x11, stride 4 (section 4.1, Fig. 6).",
        "share of filters with most energy in the lowest or highest third of frequencies: 11x11/4 > 7x7/2",
        _extreme,
    ),
    (
        "Renormalising filters keeps a few from dominating the first layer (section 3, Fig. 6a).",
        "largest / median RMS of the first layer's filters: without renormalisation > with",
        _renormalisation,
    ),
)
