"""Average precision, the measure of PASCAL VOC (Table 6)."""

from __future__ import annotations

import numpy as np


def average_precision(scores: np.ndarray, present: np.ndarray) -> float:
    """The area under precision against recall, images ranked by their scores; NaN where no image has the class.

    scores: [N]. present: bool [N], whether the image has the class. Images of equal score are one step.
    Precision at a recall is the best at that or any higher recall, as PASCAL VOC measures from 2010 on.
    """
    if not present.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(present[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # the last of each group of equals
    hits, seen = hits[ends], ends + 1
    precision = np.maximum.accumulate((hits / seen)[::-1])[::-1]
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])
