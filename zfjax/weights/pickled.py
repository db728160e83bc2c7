"""PyTorch's pickles, read as data: a small machine of our own, since Python's imports and calls what a file names.

It knows the dicts, lists, texts and numbers that a state dict is made of, and the tensors in them. Nothing recurses,
and what it makes is no more than a small multiple of the pickle.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from io import BytesIO
from typing import Any

from zfjax.weights.rebuilt import LEFT_OUT, SHOWN, Storage, checked_key, made, named, stored, with_state

PICKLE_BYTES = 2 << 20  # that of ResNet-152 and its optimizer has 0.4 MB, for the numbers lie elsewhere; at most 7 s


def unpickle(stream: BytesIO) -> tuple[Any, dict[str, Storage]]:
    """The object that begins at the stream's place, which is left after it, and its storages by their keys.

    Its tensors are `Tensor`. Raises ValueError for whatever is wrong with it, and for what it names beyond state dicts.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        return machine.stack.pop(), machine.storages
    except (IndexError, KeyError, TypeError):
        raise ValueError("its pickle is damaged") from None


class _Machine:
    """The stack of a pickle, those below its marks, and what it has numbered for later."""

    def __init__(self):
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def top(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def step(self, opcode: str, argument: Any) -> None:
        """One instruction. Raises ValueError, IndexError, KeyError or TypeError where it cannot be."""
        match opcode:
            case _ if opcode in _PUSHES:
                make = _PUSHES[opcode]
                self.stack.append(make() if make else argument)
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "MARK":
                self.below.append(self.stack)
                self.stack = []
            case "TUPLE":
                items = tuple(self.since_mark())
                self.stack.append(items)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self.stack.append(tuple(self.top(int(opcode[-1]))))
            case "APPEND" | "APPENDS":
                items = self.top(1) if opcode == "APPEND" else self.since_mark()
                _fill(self.stack[-1], list, lambda target: target.extend(items))
            case "SETITEM" | "SETITEMS":
                items = self.top(2) if opcode == "SETITEM" else self.since_mark()
                pairs = list(zip(map(checked_key, items[::2]), items[1::2], strict=True))
                _fill(self.stack[-1], dict, lambda target: target.update(pairs))
            case "ADDITEMS":
                self.since_mark()  # of a set, which is left out
            case "GLOBAL":
                self.stack.append(named(argument.replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                self.stack.append(named(".".join(self.top(2))))
            case "REDUCE" | "NEWOBJ":
                self.stack.append(made(*self.top(2)))
            case "BUILD":
                self.stack.append(with_state(*self.top(2)))
            case "BINPERSID":
                storage = stored(self.stack.pop())
                if self.storages.setdefault(storage.key, storage) != storage:
                    raise ValueError(f"it describes the numbers {storage.key[:SHOWN]!r} in two ways")
                self.stack.append(storage)
            case _ if opcode not in ("PROTO", "FRAME", "STOP"):
                raise ValueError(f"its pickle has the instruction {opcode}, which no state dict needs")


# What an instruction puts on the stack; None: its own argument.
_PUSHES: dict[str, Callable[[], Any] | None] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES")),
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: LEFT_OUT,
}


def _fill(target: Any, kind: type, change: Callable[[Any], Any]) -> None:
    """Changes a list or a dict; objects that were left out stay so."""
    if isinstance(target, kind):
        change(target)
    elif target is not LEFT_OUT:
        raise TypeError
