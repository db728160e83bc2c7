"""Piecewise linear functions of one number: what `where(x > 0, x, 0)` and its like are, however they are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

FAR = 1e300  # stands for infinity, so that nothing becomes NaN
Line = tuple[float, float]  # slope, offset


@dataclass(frozen=True)
class Piecewise:
    """lines[i] holds between ends[i - 1] and ends[i]; what holds at the ends themselves is not kept."""

    ends: tuple[float, ...]
    lines: tuple[Line, ...]

    @property
    def is_line(self) -> bool:
        return len(self.lines) == 1

    @property
    def is_step(self) -> bool:
        """Whether its slope is zero everywhere: what a comparison gives."""
        return all(slope == 0 for slope, _ in self.lines)


def line(slope: float, offset: float = 0.0) -> Piecewise:
    return Piecewise((), ((slope, offset),))


IDENTITY = line(1.0)


def constant(value: float) -> Piecewise:
    return line(0.0, max(-FAR, min(FAR, value)))


def _joined(ends: list[float], lines: list[Line]) -> Piecewise:
    """Without ends at which nothing changes, and without those that lie beyond all numbers."""
    kept: list[tuple[float, Line]] = []
    for start, each in zip([-math.inf, *ends], lines, strict=True):
        if start >= FAR / 10:
            break
        if kept and (kept[-1][1] == each or start <= -FAR / 10):
            kept[-1] = (kept[-1][0], each)
        else:
            kept.append((start, each))
    return Piecewise(tuple(start for start, _ in kept[1:]), tuple(each for _, each in kept))


def _crossing(one: Line, other: Line) -> float | None:
    """Where two lines meet; None if they are parallel."""
    return None if one[0] == other[0] else (other[1] - one[1]) / (one[0] - other[0])


def _middle(low: float, high: float) -> float:
    """A number between the two."""
    if math.isinf(low) and math.isinf(high):
        return 0.0
    if math.isinf(low):
        return high - 1 - abs(high)
    return low + 1 + abs(low) if math.isinf(high) else (low + high) / 2


def combine(choose: Callable[..., Line | None], *parts: Piecewise) -> Piecewise | None:
    """choose(a number between two ends, the lines that hold there) -> the line of the result; None: it has none.

    The ends are those of all parts, and the places where two of them meet.
    """
    ends = sorted({end for part in parts for end in part.ends})
    for low, high in pairwise([-math.inf, *ends, math.inf]):
        held = [_held(part, _middle(low, high)) for part in parts]
        meeting = [_crossing(one, other) for number, one in enumerate(held) for other in held[:number]]
        ends += [place for place in meeting if place is not None and low < place < high]
    ends = sorted(set(ends))
    lines = []
    for low, high in pairwise([-math.inf, *ends, math.inf]):
        place = _middle(low, high)
        if (chosen := choose(place, *(_held(part, place) for part in parts))) is None:
            return None
        lines.append(chosen)
    return _joined(ends, lines)


def _held(part: Piecewise, place: float) -> Line:
    return part.lines[sum(end < place for end in part.ends)]


def _value(each: Line, place: float) -> float:
    return each[0] * place + each[1]


def _product(_: float, one: Line, other: Line) -> Line | None:
    if one[0] and other[0]:
        return None  # quadratic
    flat, steep = (one, other) if one[0] == 0 else (other, one)
    return steep[0] * flat[1], steep[1] * flat[1]


def _quotient(place: float, one: Line, other: Line) -> Line | None:
    return None if other[0] or not other[1] else _product(place, one, (0.0, 1 / other[1]))


def _sum(sign: int) -> Callable[..., Line]:
    return lambda _, one, other: (one[0] + sign * other[0], one[1] + sign * other[1])


def _largest(place: float, *lines: Line) -> Line:
    return max(lines, key=lambda each: _value(each, place))


def _smallest(place: float, *lines: Line) -> Line:
    return min(lines, key=lambda each: _value(each, place))


def _clamped(place: float, low: Line, each: Line, high: Line) -> Line:
    return _smallest(place, _largest(place, low, each), high)


def _selected(place: float, which: Line, *cases: Line) -> Line | None:
    number = _value(which, place)
    return cases[int(number)] if number in range(len(cases)) else None


def _truth(told: Callable[..., bool]) -> Callable[..., Line]:
    return lambda place, *lines: (0.0, float(told(*(_value(each, place) for each in lines))))


def _sign(place: float, each: Line) -> Line:
    value = _value(each, place)
    return 0.0, float((value > 0) - (value < 0))


# By the names of JAX's primitives. Those of one operand must also look where it meets zero: see `apply`.
_RULES: dict[str, Callable[..., Line | None]] = {
    "add": _sum(1),
    "add_any": _sum(1),
    "sub": _sum(-1),
    "mul": _product,
    "div": _quotient,
    "neg": lambda _, each: (-each[0], -each[1]),
    "max": _largest,
    "min": _smallest,
    "clamp": _clamped,
    "select_n": _selected,
    "gt": _truth(lambda a, b: a > b),
    "ge": _truth(lambda a, b: a >= b),
    "lt": _truth(lambda a, b: a < b),
    "le": _truth(lambda a, b: a <= b),
    "eq": _truth(lambda a, b: a == b),
    "ne": _truth(lambda a, b: a != b),
    "and": _truth(lambda a, b: bool(a) and bool(b)),
    "or": _truth(lambda a, b: bool(a) or bool(b)),
    "not": _truth(lambda a: not a),
    "convert_element_type": lambda _, each: each,
    "copy": lambda _, each: each,
    "pvary": lambda _, each: each,
    "abs": lambda place, each: each if _value(each, place) >= 0 else (-each[0], -each[1]),
    "sign": _sign,
}
NAMES = frozenset(_RULES)
_MEET_ZERO = ("abs", "sign")


def apply(name: str, parts: list[Piecewise]) -> Piecewise | None:
    """What a primitive of `NAMES` makes of functions of the same number; None where that is not piecewise linear."""
    rule = _RULES[name]
    if name in _MEET_ZERO:
        return combine(lambda place, each, _: rule(place, each), parts[0], constant(0))
    return combine(rule, *parts)
