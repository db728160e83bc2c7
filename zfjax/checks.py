"""What a number, a name or a pair may be: each check returns the value in its plain form, or raises TypeError or
ValueError without a word, for who asks knows what to call it. No JAX."""

from __future__ import annotations

import math
import numbers
import operator
import re
from collections.abc import Callable
from typing import Any

from zfjax.errors import InputError

Sides = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))


def whole(least: int | None = None, most: int | None = None) -> Callable[[Any], int]:
    """A check for whole numbers of either kind, Python's or NumPy's, in least..most; True is none."""

    def check(value: Any) -> int:
        plain = operator.index(value)
        if isinstance(value, bool):
            raise TypeError
        if (least is not None and plain < least) or (most is not None and plain > most):
            raise ValueError
        return plain

    return check


def number(low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> Callable[[Any], float]:
    """A check for finite numbers in low..high; above: low itself is none of them. Whole numbers stay whole."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise TypeError
        plain = value if isinstance(value, int) else float(value)
        if not low <= plain <= high or (above and plain == low):
            raise ValueError
        return plain

    return check


def truth(value: Any) -> bool:
    """True or False, Python's or NumPy's; no number."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError
    return bool(value)


def odd(value: Any) -> int:
    """1, 3, 5, ..."""
    if whole(1)(value) % 2 == 0:
        raise ValueError
    return operator.index(value)


def whole_pair(value: Any) -> int | tuple[int, int]:
    """A whole number from 1 on, or two of them for rows and columns."""
    if not isinstance(value, tuple | list):
        return whole(1)(value)
    rows, columns = map(whole(1), value)
    return rows, columns


def sides(value: Any) -> Sides:
    """((top, bottom), (left, right)), whole numbers from 0 on."""
    # none is negative: XLA's convolution on CPU leaves a row of garbage where padding is negative on one side only
    (top, bottom), (left, right) = (map(whole(0), side) for side in value)
    return (top, bottom), (left, right)


def name(value: Any) -> str:
    """A layer's: it may stand in paths and lists. Slashes are no folders: googlenet has a layer inception_3a/1x1."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", value) or {".", ".."} & {*value.split("/")} or len(value) > 200:
        raise ValueError
    return value


def line(value: Any) -> str:
    """Text of one line, and not blank: it may stand in a file of one a line."""
    if not isinstance(value, str) or not value.strip() or value.splitlines() != [value]:
        raise ValueError
    return value


def names(value: Any) -> tuple[str, ...]:
    """A tuple or a list of names; a bare string, which would be read letter by letter, is none."""
    if not isinstance(value, tuple | list):
        raise TypeError
    return tuple(map(name, value))


def require(check: Callable[[Any], Any], value: Any, what: str) -> Any:
    """The value in its plain form; raises InputError, "WHAT, not VALUE", where it does not pass the check."""
    try:
        return check(value)
    except (TypeError, ValueError):
        raise InputError(f"{what}, not {value!r}") from None


def at_least_one(**sizes: Any) -> None:
    """Raises InputError for the first that is no whole number from 1 on, by its name."""
    for name, size in sizes.items():
        require(whole(1), size, f"{name} must be a whole number from 1 on")
