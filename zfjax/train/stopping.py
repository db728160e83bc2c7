"""Ctrl-C, SIGTERM and SIGHUP as a wish that the training loop looks at between two steps."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zfjax.runtime.signals import exit_code, handled, heard, obey_interrupts
from zfjax.terminal import say

_GRACE_SECS = 2.0  # in which the main thread may end by itself


class StopSignal:
    """Notes SIGINT, SIGTERM and SIGHUP instead of dying, and says what it waits for. A context manager.

    A Ctrl-C that got lost before counts. A second one has its usual effect; where a step keeps the main thread from
    that, it ends the process all the same.
    """

    def __init__(self):
        self.signal = 0
        self._heard: list[int] = []
        self._left = threading.Event()
        self._asked: jax.Array | None = None
        self._block = contextlib.ExitStack()

    def agreed(self, mesh: Mesh) -> int:
        """The signal after which all processes stop, or 0; each of them asks once after every step.

        Alone, the process's own. Of several, one that any has got, told to all one step later: so they end after the
        same step, and nobody waits for the answer.
        """
        if jax.process_count() == 1:
            return self.signal
        before, split = self._asked, NamedSharding(mesh, PartitionSpec("data"))
        mine = np.full(jax.local_device_count(), self.signal, np.int32)
        self._asked = _largest(jax.make_array_from_process_local_data(split, mine))
        return 0 if before is None else int(before)

    def __enter__(self) -> StopSignal:
        obey_interrupts()
        self._before = self._block.enter_context(handled(self._note))
        self._block.enter_context(heard(self._hear))
        return self

    def _note(self, number: int, _) -> None:
        self.signal = number
        signal.signal(number, self._before[number])

    def _hear(self, number: int) -> None:
        """In a thread of its own, and so while a step is computed."""
        if number not in self._before:
            return
        if number not in self._heard:
            self._heard.append(number)
            say("stopping after this step; once more stops at once", error=True)
        elif not self._left.wait(_GRACE_SECS):
            os._exit(exit_code(number))

    def __exit__(self, *_) -> None:
        self._left.set()
        self._block.close()


@jax.jit
def _largest(signals: jax.Array) -> jax.Array:
    return jnp.max(signals)
