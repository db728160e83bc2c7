"""Thresholds that are no activations: what keeps a variance or a length from zero before its root is taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from zfjax.attribution.relus.program import Equation, Rectify, Step
from zfjax.attribution.relus.value import Value

_ON = frozenset(  # each number of the result is made of one of the operand's, and rises or falls with it
    "add add_any sub neg mul div max min clamp copy convert_element_type broadcast_in_dim reshape squeeze expand_dims "
    "transpose pvary".split()
)
_ROOTS = frozenset("sqrt rsqrt cbrt pow".split())


def guards(
    steps: Sequence[Step], values: Sequence[Value], outputs: Collection[int], named: Collection[int]
) -> set[int]:
    """The rectified values that go into a root or under a fraction line, and nowhere else but to the outputs (running
    statistics): a normalisation's, as Flax's max(0, mean of squares - squared mean). named: those that are none."""
    users: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        for number in () if isinstance(step, Rectify) else step.inputs:
            users[number].append(step)

    def ends(number: int) -> set[str]:
        """What the value comes to: "root", "output", or "other"."""
        if number in named:
            return {"other"}
        here = {"output"} if number in outputs else set()
        return here.union(*(after(step, number) for step in users[number]))

    def after(step: Step, number: int) -> set[str]:
        if not isinstance(step, Equation):
            return {"other"}
        name, below_line = step.eqn.primitive.name, step.inputs[0] != number
        if (name in _ROOTS or (name == "integer_pow" and step.eqn.params["y"] < 0)) and not below_line:
            return {"root"}
        if name == "div" and below_line:
            return {"root"}
        alone = sum(values[each].depends for each in step.inputs) == 1
        return ends(step.outputs[0]) if alone and name in _ON else {"other"}

    rectified = [step.value for step in steps if isinstance(step, Rectify)]
    return {number for number in rectified if "root" in (found := ends(number)) and "other" not in found}
