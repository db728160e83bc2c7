"""Claims of measures that are no numbers: none is judged, and each says which measure it was."""

import numpy as np
import pytest

from zfjax.paper.report.claims import CLAIMS, judge

NAN, INF = float("nan"), float("inf")
PAIRS = [0.1] * 66
NETWORKS = ("alexnet", "alexnet-no34", "alexnet-no7", "alexnet-no67", "alexnet-no3467")


def evolution(first, last):
    return {"similarity": {"a": 0.9, "b": 0.5}, "first_maps": first, "last_maps": last, "epochs": [1, 2]}


def parts(nose=PAIRS, random=PAIRS, images=12):
    pairs = {"left_eye": PAIRS if images > 1 else [], "nose": nose}
    return {"part_pairs": pairs, "random_pairs": random, "layer": "pool5", "images": images}


def transfer(frozen=80.0, scratch=30.0, middle=50.0):
    by_layer = {"1": 40.0, "3": middle, "7": 80.0}
    return {"pretrained": frozen, "scratch": scratch, "train_per_class": 15, "by_layer": by_layer, "test": 250}


def selection(dead=0.0, extreme=0.2):
    one = {"dead": 0.1, "extreme": 0.6, "filters": 96}
    return {"zf": one, "alexnet": {**one, "dead": dead, "extreme": extreme}}


def filters(with_cap, without):
    return {"rms_with": with_cap, "rms_without": without, "reached": True}


def occlusion(correlations, inside=((0.5,) * 20, (NAN,) * 20)):
    elsewhere = [[0.1] * 20, [0.1] * 20]
    return {"correlations": correlations, "lost_inside": inside, "lost_elsewhere": elsewhere}


ERRORS = dict.fromkeys(NETWORKS, 0.4)
SHIFTED = {"layers": ["a", "b"], "early_changes": [[NAN], [1.0]], "linearities": [[NAN], [1.0]]}


@pytest.mark.parametrize(
    ("judged", "section", "measures", "said"),
    [
        ("_convergence", "evolution", evolution([NAN] + [0.9] * 20, [0.5] * 20), "likeness in the first layer: "),
        ("_convergence", "evolution", evolution([0.9] * 20, [0.5] * 20 + [INF]), "likeness in the last layer: "),
        ("_less_change", "invariance", SHIFTED, "change at small shifts: no image"),
        ("_more_linear", "invariance", SHIFTED, "R² of a straight line: no image"),
        ("_occlusion", "occlusion", occlusion([NAN]), "correlation of map and class: no image"),
        ("_object", "occlusion", occlusion([0.5] * 20), "share that the map loses: no image"),
        ("_correspondence", "correspondence", parts(nose=[NAN, *PAIRS[1:]]), "Hamming distance of the nose: "),
        ("_correspondence", "correspondence", parts(random=[NAN, *PAIRS[1:]]), "Hamming distance of random places: "),
        ("_correspondence", "correspondence", parts([], [], 1), "the Hamming distance is of pairs of images; here: 1"),
        ("_pretraining", "transfer", transfer(frozen=NAN), "accuracy on frozen layers: "),
        ("_pretraining", "transfer", transfer(scratch=INF), "accuracy from scratch: "),
        ("_deeper", "transfer", transfer(middle=NAN), "accuracy on layer 3: "),
        ("_removal", "ablations", {"val_top1": {**ERRORS, "alexnet-no7": NAN}, "val_images": 90}, "of alexnet-no7: "),
        ("_dead", "selection", selection(dead=NAN), "share of dead filters: "),
        ("_extreme", "selection", selection(dead=NAN), "share of dead filters: "),
        ("_extreme", "selection", selection(extreme=NAN), "share of extreme filters: "),
        ("_renormalisation", "renormalisation", filters([NAN] + [1.0] * 23, [1.0] * 24), "with renormalisation"),
        ("_renormalisation", "renormalisation", filters([0.0] * 11 + [1.0] * 13, [1.0] * 24), "RMS of the first layer"),
        ("_renormalisation", "renormalisation", filters([1.0] * 24, [0.0] * 11 + [1.0] * 13), "drawn anew"),
    ],
)  # fmt: skip
def test_a_measure_that_is_no_number_decides_nothing_and_is_named(judged, section, measures, said):
    claims = {each.__name__: claim for (_, _, each), claim in zip(CLAIMS, judge({section: measures}), strict=True)}
    assert claims[judged].verdict == "not testable here" and said in claims[judged].decided


def test_an_image_without_a_measure_takes_no_part():
    """A map that is the same everywhere has no correlation; the others have."""
    together = [NAN, NAN, *np.linspace(0.4, 0.6, 20)]
    claims = judge({"occlusion": occlusion(together)})
    (claim,) = (claim for claim in claims if claim.verdict != "not testable here")
    assert claim.verdict == "holds" and claim.decided.endswith("over 20 images")
