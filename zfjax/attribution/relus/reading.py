"""Reading a jaxpr: which of its equations are ReLUs, which are linear, and which are neither."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jax.extend import core

from zfjax.attribution.relus import loops, piecewise, primitives
from zfjax.attribution.relus.functions import MOVES, NOWHERE, function, functions_of, moved
from zfjax.attribution.relus.guards import guards
from zfjax.attribution.relus.program import Equation, Problem, Program, Rectify, Relu, Step, Structured, needed
from zfjax.attribution.relus.rectifier import Rectifier, ceiling, is_relu, recognised
from zfjax.attribution.relus.value import Root, Value, settled, uniform


def read(jaxpr: core.ClosedJaxpr, args: Sequence[Value], where: str = "") -> tuple[Program, list[Value]]:
    """The steps of a jaxpr, and what is known of its results, given what is known of its arguments.

    Its own constants are in the program. What is open at its end, or comes from a loop's body, is settled there.
    """
    reading = Reading()
    consts = reading.closed_over(jaxpr)
    inputs = [
        reading.add(lambda number, var=var, value=value: loops.argument(number, var.aval, value))
        for var, value in zip(jaxpr.jaxpr.invars, args, strict=True)
    ]
    outputs = [reading.settle(number) for number in reading.walk(jaxpr.jaxpr, consts, inputs, where)]
    reading.drop_guards(outputs)
    steps, live = needed(reading.steps, outputs)
    relus = tuple(relu for number, relu in reading.relus if number in live)
    problems = tuple(problem for number, problem in reading.problems if number in live)
    program = Program(tuple(inputs), tuple(outputs), steps, reading.constants, relus, problems)
    return program, [reading.values[number] for number in outputs]


@dataclass
class Reading:
    """A jaxpr being read: what is known of its values so far, and the steps to take."""

    values: list[Value] = field(default_factory=list)
    constants: dict[int, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    relus: list[tuple[int, Relu]] = field(default_factory=list)  # with the number of a value that stands or falls
    problems: list[tuple[int, Problem]] = field(default_factory=list)  # with it
    named: set[int] = field(default_factory=set)  # results of functions with a gradient of their own, as jax.nn.relu

    def add(self, make: Callable[[int], Value]) -> int:
        self.values.append(make(len(self.values)))
        return len(self.values) - 1

    def walk(self, jaxpr: core.Jaxpr, consts: Sequence[int], args: Sequence[int], where: str) -> list[int]:
        """Takes the equations one by one; returns the numbers of the results."""
        known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))
        for eqn in jaxpr.eqns:
            inputs = [self._atom(known, atom) for atom in eqn.invars]
            known |= zip(eqn.outvars, self._read(eqn, inputs, _place(where, eqn)), strict=True)
        return [self._atom(known, atom) for atom in jaxpr.outvars]

    def _atom(self, known: dict, atom: Any) -> int:
        return self.constant(atom.val, atom.aval) if isinstance(atom, core.Literal) else known[atom]

    def constant(self, array: Any, aval: Any) -> int:
        number = self.add(lambda _: Value(aval, constant=uniform(array)))
        self.constants[number] = array
        return number

    def closed_over(self, jaxpr: core.ClosedJaxpr) -> list[int]:
        """The numbers of the constants that a jaxpr brings along."""
        return [self.constant(array, var.aval) for array, var in zip(jaxpr.consts, jaxpr.jaxpr.constvars, strict=True)]

    def _read(self, eqn: core.JaxprEqn, inputs: list[int], where: str) -> list[int]:
        name = eqn.primitive.name
        if name in primitives.CALLS:
            return self._call(eqn, inputs, where)
        depends = any(self.values[number].depends for number in inputs)
        if (same := primitives.unchanged(name, inputs, depends)) is not None:
            return [same]
        if depends and name in loops.KINDS:
            return self._structured(eqn, [self.settle(number) for number in inputs], where)
        if (done := self._as_function(eqn, inputs, where)) is not None:
            return [done]
        if depends:
            self._note(eqn, inputs, where)
            inputs = [self.settle(number) for number in inputs]
        return self.plain(eqn, inputs, where)

    def plain(self, eqn: core.JaxprEqn, inputs: Sequence[int], where: str) -> list[int]:
        """The equation as it stands; its results are settled."""
        from_ = [self.values[number] for number in inputs]
        name = eqn.primitive.name
        depends = any(value.depends for value in from_)
        carries = any(value.differentiable for value in from_) and name not in primitives.STEPS
        uniform_ = from_[0].constant if name in primitives.UNIFORM and not depends else None
        compared = frozenset().union(*(value.compared for value in from_)) if name in ("and", "or", "not") else ()
        if name in primitives.COMPARISONS:
            compared = inputs

        def result(number: int, aval: Any) -> Value:
            value = settled(number, aval, depends, carries)
            if depends and name in MOVES:
                value = moved(eqn, from_[0], value)
            elif compared:
                value = dataclasses.replace(value, compared=frozenset(compared), shared=any(v.shared for v in from_))
            return dataclasses.replace(value, constant=uniform_, made_by=(name, where))

        outputs = [self.add(lambda number, aval=var.aval: result(number, aval)) for var in eqn.outvars]
        self.steps.append(Equation(eqn, tuple(inputs), tuple(outputs)))
        return outputs

    def _as_function(self, eqn: core.JaxprEqn, inputs: list[int], where: str) -> int | None:
        """The result where it is a piecewise linear function, number by number, of a value before; else None."""
        operands = [self.values[number] for number in inputs]
        if not (views := functions_of(eqn, operands)):
            return None
        aval = eqn.outvars[0].aval
        if not any(value.depends for value in operands):
            number = self.add(lambda _: Value(aval, constant=views[NOWHERE].lines[0][1] if NOWHERE in views else None))
        else:
            number = self.add(lambda number: function(number, eqn, operands, inputs, views, where))
        self.steps.append(Equation(eqn, tuple(inputs), (number,)))
        if not self.values[number].open:
            return number
        curbed = eqn.primitive.name == "min" and any(value.rectified for value in operands)
        for root, view in views.items():
            # at once: what follows is no part of it, unless it is a ceiling
            found = recognised(view) if is_relu(view) else ceiling(view) if curbed else None
            if found and self._rectify(number, root, found):
                break
        return number

    def settle(self, number: int) -> int:
        """Decides what an open value is: one of the activations, or a problem."""
        value = self.values[number]
        if not value.open:
            return number
        if not any(
            (each := recognised(view)) and self._rectify(number, root, each) for root, view in value.views.items()
        ):
            self.problems.append((number, Problem(*value.made_by, "no ReLU, and not linear")))
            self.values[number] = settled(number, value.aval, True, True)
        return number

    def _rectify(self, number: int, root: Root, rectifier: Rectifier) -> bool:
        """Gives a value the rectifier's gradient; not where what it is a function of is no value by itself."""
        below = next((place for place, value in enumerate(self.values) if root in (place, *value.names)), None)
        if below is None:
            return False
        value = self.values[number]
        self.steps.append(Rectify(rectifier, below, number))
        self.relus.append((number, Relu(rectifier.kind, value.made_by[1], tuple(value.aval.shape))))
        rectified = rectifier.kind in ("relu", "leaky_relu")
        self.values[number] = settled(number, value.aval, True, value.differentiable, rectified)
        return True

    def drop_guards(self, outputs: Sequence[int]) -> None:
        """Takes back the ReLUs that what followed has shown to be none."""
        steps, _ = needed(self.steps, outputs)
        dropped = guards(steps, self.values, outputs, self.named)
        self.steps = [step for step in self.steps if not (isinstance(step, Rectify) and step.value in dropped)]
        self.relus = [(number, relu) for number, relu in self.relus if number not in dropped]

    def _note(self, eqn: core.JaxprEqn, inputs: Sequence[int], where: str) -> None:
        """Notes a problem unless what comes down the equation is its gradient in the deconvnet too."""
        if reason := primitives.refusal(eqn.primitive.name, [self.values[number] for number in inputs], inputs):
            for number in inputs:  # one reason is enough
                if self.values[number].open:
                    self.values[number] = settled(number, self.values[number].aval, True, True)
            problem = Problem(eqn.primitive.name, where, reason, eqn.primitive.name in primitives.NO_GRADIENT)
            self.problems.append((len(self.values), problem))  # of what it will make

    def _call(self, eqn: core.JaxprEqn, inputs: list[int], where: str) -> list[int]:
        """Opens the call; a custom rule stays in force where there is no ReLU below it."""
        name = eqn.primitive.name
        custom = name in primitives.CUSTOM
        if custom:
            inputs = [self.settle(number) for number in inputs]
        jaxpr = eqn.params[primitives.CALLS[name]]
        child = dataclasses.replace(self, steps=[], relus=[], problems=[])
        inside = f"{where}/{eqn.params.get('name', '')}".strip("/")
        consts = self.closed_over(jaxpr)
        outputs = child.walk(jaxpr.jaxpr, consts, inputs, inside)
        if eqn.params.get("name") in primitives.GATES:
            child.problems.append((outputs[0], Problem(eqn.params["name"], where, "a gate, and no ReLU")))
        if custom:
            outputs = [child.settle(number) for number in outputs]
            self.named.update(outputs)
            child.drop_guards(outputs)
        one_function = child.problems and child.is_one_function(inputs, outputs)
        if outputs and (one_function or (custom and not child.relus)):
            told = [self.values[number] for number in outputs]
            kept = self.plain(eqn, [self.settle(number) for number in inputs], where)
            self.problems += [(kept[0], problem) for _, problem in child.problems]
            for number, value in zip(kept, told, strict=True):
                # a rule of its own may let through what the steps in it would not, as straight-through estimators do
                carries = self.values[number].differentiable if custom else value.differentiable
                own = settled(number, value.aval, value.depends, carries)
                self.values[number] = dataclasses.replace(own, constant=value.constant, made_by=(name, inside))
            return kept
        if custom and (lost := self._lost(inputs, outputs)) is not None:
            child.problems.append(
                (lost, Problem(name, inside, "a ReLU in it, and a rule of its own past a step", True))
            )
        self.steps += child.steps
        self.relus += child.relus
        self.problems += child.problems
        return outputs

    def _lost(self, inputs: Sequence[int], outputs: Sequence[int]) -> int | None:
        """A result that no gradient comes down from once the call's own rule is dropped."""
        if not any(self.values[number].differentiable for number in inputs):
            return None
        found = (number for number in outputs if self.values[number].depends and self.values[number].real)
        return next((number for number in found if not self.values[number].differentiable), None)

    def _structured(self, eqn: core.JaxprEqn, inputs: list[int], where: str) -> list[int]:
        inner = loops.read(eqn, [self.values[number] for number in inputs], where, read)
        outputs = [
            self.add(lambda number, var=var, value=value: loops.argument(number, var.aval, value))
            for var, value in zip(eqn.outvars, inner.results, strict=True)
        ]
        for program in inner.programs:
            self.relus += [(outputs[0], relu) for relu in program.relus]
            self.problems += [(outputs[0], problem) for problem in program.problems]
        self.problems += [(outputs[0], inner.problem)] if inner.problem else []
        numbers = tuple(inputs), tuple(outputs)
        self.steps.append(Structured(eqn, inner.programs, *numbers) if inner.programs else Equation(eqn, *numbers))
        return outputs

    def is_one_function(self, inputs: Sequence[int], outputs: Sequence[int]) -> bool:
        """Whether what was read is a curve of one value, number by number: an activation such as elu, to take whole."""
        below = [self.values[number] for number in inputs if self.values[number].differentiable]
        names = {
            step.eqn.primitive.name
            for step in self.steps
            if isinstance(step, Equation) and any(self.values[number].depends for number in step.inputs)
        }
        alike = len(below) == 1 and len(outputs) == 1 and self.values[outputs[0]].aval.shape == below[0].aval.shape
        return alike and names <= primitives.CURVES | piecewise.NAMES | {"stop_gradient"} and not self._has_structure()

    def _has_structure(self) -> bool:
        return any(isinstance(step, Structured) for step in self.steps)


def _place(where: str, eqn: core.JaxprEqn) -> str:
    names = str(eqn.source_info.name_stack)
    return f"{where}/{names}".strip("/") if names else where
