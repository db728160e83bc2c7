"""Ctrl-C, SIGTERM and SIGHUP: who is told, for how long, and with which code a program ends. Standard library only."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object]


def exit_code(number: int) -> int:
    """What shells know a program by that a signal has ended."""
    return 128 + number


def leave(number: int, _frame: FrameType | None = None) -> NoReturn:
    """A handler that ends the program, its blocks left in order."""
    raise SystemExit(exit_code(number))


@contextmanager
def handled(handler: Handler, numbers: Collection[int] = STOPPING) -> Iterator[dict]:
    """Within the block these signals go to `handler`, afterwards to whom they went before, which the block is given.

    A hang-up that is ignored stays so: that is what nohup is for.
    """
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    wanted = [number for number in numbers if not (number == signal.SIGHUP and ignored)]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield before
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


_interrupts: list[int] = []  # that `remember_interrupts` has seen


def remember_interrupts() -> None:
    """Ctrl-C from now on is known to `obey_interrupts` even where its KeyboardInterrupt gets lost.

    Python drops one that is raised in a callback of its garbage collection, and JAX has such a callback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def obey_interrupts() -> None:
    """Raises KeyboardInterrupt for one that got lost."""
    if _interrupts:
        _interrupts.clear()
        raise KeyboardInterrupt


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _interrupts.append(number)
    raise KeyboardInterrupt


@contextmanager
def heard(listener: Callable[[int], object]) -> Iterator[None]:
    """Within the block a thread tells `listener` of every signal that has a handler, at once.

    The handlers themselves wait until the main thread is back in Python, which a step of a large network keeps it from
    for minutes.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def listen() -> None:
        while numbers := ours.recv(64):
            for number in numbers:
                listener(number)

    thread = threading.Thread(target=listen, daemon=True)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        theirs.close()  # ends the thread
        thread.join(1)
        ours.close()
