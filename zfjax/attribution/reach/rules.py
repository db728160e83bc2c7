"""Which cells of its operands one equation reads: a rule for each primitive.

A rule takes the equation, the boxes asked of its outputs (None of those that nobody asked for) and a `Look`; it
returns a box for each operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jax.extend.core import JaxprEqn

from zfjax.attribution.reach import indexing, sliding
from zfjax.attribution.reach.boxes import Box, Range, box, clipped, reshaped, whole
from zfjax.attribution.reach.equation import Look, Rule, along, joined, shape_of

# One cell of each output reads the same cell of each operand, or of a scalar its only one.
POINTWISE = frozenset(
    """abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil clamp clz complex conj
    convert_element_type copy cos cosh device_put digamma div eq eq_to erf erf_inv erfc exp exp2 expm1 floor ge
    gt igamma igamma_grad_a igammac imag integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min mul
    mulhi name ne neg nextafter not optimization_barrier or polygamma population_count pow pvary real
    reduce_precision regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic
    shift_right_logical sharding_constraint sign sin sinh sqrt square stop_gradient sub tan tanh xor zeta""".split()
)
EACH_ITS_OWN = frozenset({"optimization_barrier", "device_put"})  # output i is operand i alone
REDUCING = frozenset(f"reduce_{name}" for name in ("sum", "max", "min", "prod", "and", "or", "xor")) | {
    "argmax",
    "argmin",
}
CUMULATIVE = frozenset(f"cum{name}" for name in ("sum", "prod", "max", "min", "logsumexp"))


def rule_for(name: str) -> Rule:
    """The rule of a primitive; of one that is not known here: all of every operand, and a word about it."""
    if name in EACH_ITS_OWN:
        return lambda equation, asked, look: list(asked)
    for names, rule in _FAMILIES:
        if name in names:
            return rule
    return _RULES.get(name, _unknown)


def _unknown(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    look.gave_up(f"what {equation.primitive.name} reads is not known: all of it is taken")
    return [whole(shape_of(operand)) for operand in equation.invars]


def _pointwise(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    part = joined(asked)
    assert part is not None
    return [part if shape_of(operand) else () for operand in equation.invars]


def _reduce(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    part = joined(asked)
    assert part is not None
    axes = equation.params["axes" if "axes" in equation.params else "dimensions"]
    kept, shape = iter(part), shape_of(equation.invars[0])
    found = tuple((0, size - 1) if axis in axes else next(kept) for axis, size in enumerate(shape))
    return [found if shape_of(operand) else () for operand in equation.invars]


def _cumulate(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    def change(axis: int, part: Range, size: int) -> Range | None:
        if axis != equation.params["axis"]:
            return part
        return clipped((part[0], size) if equation.params["reverse"] else (0, part[1]), size)

    return along(equation, asked, change)


def _along_whole(axes: Callable[[JaxprEqn], Sequence[int]]) -> Rule:
    """A rule for what mixes all cells along some axes and keeps to itself along the others."""

    def rule(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
        return along(equation, asked, lambda axis, part, size: (0, size - 1) if axis in axes(equation) else part)

    return rule


def _last_axes(equation: JaxprEqn) -> range:
    return range(len(shape_of(equation.invars[0])))[-len(equation.params["fft_lengths"]) :]


def _reverse(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    turned = equation.params["dimensions"]
    return along(
        equation, asked, lambda axis, part, size: (size - 1 - part[1], size - 1 - part[0]) if axis in turned else part
    )


def _broadcast(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), axes, shape = asked, equation.params["broadcast_dimensions"], shape_of(equation.invars[0])
    wide = shape_of(equation.outvars[0])
    assert part is not None
    return [tuple(part[to] if wide[to] == size else (0, 0) for to, size in zip(axes, shape, strict=True))]


def _transpose(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    assert asked[0] is not None
    back = dict(zip(equation.params["permutation"], asked[0], strict=True))
    return [tuple(back[axis] for axis in range(len(back)))]


def _reshape(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    """Also squeeze, which is one. Where `vmap` has put `dimensions`, the operand is transposed so before."""
    shape = shape_of(equation.invars[0])
    order = equation.params.get("dimensions") if equation.primitive.name == "reshape" else None
    order = range(len(shape)) if order is None else order
    found = reshaped(asked[0], shape_of(equation.outvars[0]), [shape[axis] for axis in order])
    return [None if found is None else box([found[list(order).index(axis)] for axis in range(len(shape))])]


def _multiply(equation: JaxprEqn, asked: Sequence[Box], look: Look) -> list[Box]:
    (part,), (summed, batched) = asked, equation.params["dimension_numbers"]
    assert part is not None
    found, taken = [], len(batched[0])
    for operand, added, shared in zip(equation.invars, summed, batched, strict=True):
        ranges = []
        for axis, size in enumerate(shape_of(operand)):
            if axis in shared:
                ranges.append(part[shared.index(axis)])
            elif axis in added:
                ranges.append((0, size - 1))
            else:
                ranges.append(part[taken])
                taken += 1
        found.append(box(ranges))
    return found


_FAMILIES: tuple[tuple[frozenset[str], Rule], ...] = (
    (POINTWISE, _pointwise),
    (REDUCING, _reduce),
    (CUMULATIVE, _cumulate),
    (frozenset({"reshape", "squeeze"}), _reshape),
)
_RULES: dict[str, Rule] = {
    "reduce": _reduce,
    "sort": _along_whole(lambda equation: (equation.params["dimension"],)),
    "top_k": _along_whole(lambda equation: (equation.params["axis"] % len(shape_of(equation.invars[0])),)),
    "fft": _along_whole(_last_axes),
    "rev": _reverse,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "dot_general": _multiply,
    **indexing.RULES,
    **sliding.RULES,
}
