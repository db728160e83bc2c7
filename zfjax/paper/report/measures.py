"""The sections' measures as claims take them: if they are there and are numbers; else why no claim can be judged."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Measures = dict[str, dict]


class Untestable(Exception):
    """Why a claim cannot be judged."""


def measured(measures: Measures, section: str, *names: str) -> list:
    """What a section measured, by name. Raises Untestable where it was not run, was left out or lacks one."""
    if section not in measures:
        raise Untestable(f"{section} was not run")
    there = measures[section]
    if "left_out" in there:
        raise Untestable(there["left_out"])
    if missing := [name for name in names if name not in there or there[name] is None]:
        raise Untestable(f"{section} has no {missing[0].replace('_', ' ')} here")
    return [there[name] for name in names]


def finite(**named: float | Sequence[float]) -> None:
    """Raises Untestable, with its name, for a measure that is no finite number or has one that is none among it."""
    for name, values in named.items():
        if not np.isfinite(values).all():
            raise Untestable(f"{name.replace('_', ' ')}: a measure that is not a finite number")


def less(name: str, first: Sequence[float], second: Sequence[float]) -> list[float]:
    """What the same images have more of the first. NaN is what an image does not have, such as the correlation of a map
    that is the same everywhere; raises Untestable where no image has both."""
    found = [a - b for a, b in zip(first, second, strict=True)]
    if not any(map(math.isfinite, found)):
        raise Untestable(f"{name}: no image has a measure that is a finite number")
    return found
