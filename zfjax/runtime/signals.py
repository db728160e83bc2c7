"""Ctrl-C and SIGTERM: who is told, for how long, and with which code a program ends then. Standard library only."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object]


def exit_code(number: int) -> int:
    """What shells know a program by that a signal has ended."""
    return 128 + number


def leave(number: int, _frame: FrameType | None = None) -> NoReturn:
    """A handler that ends the program, its blocks left in order."""
    raise SystemExit(exit_code(number))


@contextmanager
def handled(handler: Handler, numbers: Collection[int] = STOPPING) -> Iterator[dict]:
    """Within the block these signals go to `handler`, afterwards to whom they went before, which the block is given."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield before
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
