"""What a compiled program says of itself: its operations, and what each one costs by the compiler's word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
BYTES |= {"s64": 8, "u64": 8, "f64": 8, "c64": 8, "s4": 1, "u4": 1, "token": 0}
# What moves no data: names for what is there already.
FREE = {"parameter", "constant", "bitcast", "get-tuple-element", "tuple", "after-all", "partition-id", "replica-id"}
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")

_ARRAY = re.compile(r"\b([a-z]+[0-9]*)\[([0-9,]*)\]")
_OPERATION = re.compile(r"^\s+(?:ROOT )?%?(\S+) = (.*?) ([a-z][a-z0-9-]*)\((.*)$")
_HEAD = re.compile(r"^(ENTRY )?%?(\S+) \(.*\{\s*$")


class Operation(NamedTuple):
    """One operation of a computation."""

    name: str
    code: str  # "fusion", "convolution", "custom-call", ...
    type: str
    operands: tuple[str, ...]
    rest: str  # the operands' text and the attributes

    @property
    def origin(self) -> str:
        """Where it comes from in the program, as JAX named it; "" where the compiler made it up."""
        found = re.search(r'op_name="([^"]*)"', self.rest)
        return found.group(1) if found else ""

    def called(self, attribute: str) -> str | None:
        """The computation that an attribute such as `body` names."""
        found = re.search(rf"\b{attribute}=%?([\w.-]+)", self.rest)
        return found.group(1) if found else None


class Cost(NamedTuple):
    """What one operation costs, all its turns together where it stands in a loop."""

    operation: Operation
    cycles: float  # TPU: the compiler's estimate
    bytes: float  # of operands and results, each whole
    turns: int


@dataclass(frozen=True)
class Module:
    """A compiled program's text, taken apart."""

    computations: dict[str, list[Operation]]
    entry: str

    def costs(self) -> Iterator[Cost]:
        """Of every operation that the device starts by itself; what is fused into another counts with that one."""
        yield from self._costs(self.entry, 1)

    def _costs(self, name: str, turns: int) -> Iterator[Cost]:
        types = {each.name: each.type for each in self.computations[name]}
        for each in self.computations[name]:
            if each.code in FREE:
                continue
            if each.code == "while":
                yield from self._costs(each.called("body") or "", turns * _trips(each))
            elif each.code == "conditional":
                continue  # none of ours has one
            elif each.code == "call":
                yield from self._costs(each.called("to_apply") or "", turns)
            else:
                moved = sum(size(types.get(operand, "")) for operand in set(each.operands)) + size(each.type)
                yield Cost(each, turns * _cycles(each), turns * moved, turns)

    def collectives(self) -> list[tuple[str, int]]:
        """[(kind, bytes of its result on one device)] of every exchange between devices."""
        types = {each.name: each.type for computation in self.computations.values() for each in computation}
        found = []
        for cost in self.costs():
            kind = cost.operation.code.removesuffix("-start")
            if kind in COLLECTIVES:
                amount = size(cost.operation.type)
                if kind != cost.operation.code and kind != "all-reduce":  # begun, it has its operand beside the result
                    amount -= sum(size(types.get(name, "")) for name in cost.operation.operands)
                found.append((kind, cost.turns * amount))
        return found


def parse(text: str) -> Module:
    """The text of `jax.stages.Compiled.as_text`."""
    computations: dict[str, list[Operation]] = {}
    entry, current = "", None
    for line in text.splitlines():
        if head := _HEAD.match(line):
            current = computations.setdefault(head.group(2), [])
            entry = head.group(2) if head.group(1) else entry
        elif current is not None and (found := _OPERATION.match(line)):
            name, kind, code, rest = found.groups()
            current.append(Operation(name, code, kind, _operands(rest), rest))
    return Module(computations, entry)


def size(kind: str) -> int:
    """Bytes of a type such as "(bf16[2,3]{1,0}, u8[4])"."""
    return sum(
        BYTES.get(name, 4) * math.prod(int(n) for n in dims.split(",") if n) for name, dims in _ARRAY.findall(kind)
    )


def _operands(rest: str) -> tuple[str, ...]:
    """The names between the first parentheses."""
    depth = 1
    for end, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return tuple(re.findall(r"%([\w.-]+)", rest[:end]))
    return ()


def _trips(loop: Operation) -> int:
    found = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.rest)
    return int(found.group(1)) if found else 1


def _cycles(operation: Operation) -> float:
    found = re.search(r'"estimated_cycles":"?(\d+)', operation.rest)
    return float(found.group(1)) if found else 0.0
