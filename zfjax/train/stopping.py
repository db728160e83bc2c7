"""Ctrl-C and SIGTERM as a wish that the training loop looks at between two steps."""

from __future__ import annotations

import contextlib
import signal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zfjax.runtime.signals import handled


class StopSignal:
    """Notes SIGINT and SIGTERM instead of dying; a second one has its usual effect. A context manager."""

    def __init__(self):
        self.signal = 0
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
        self._before = self._block.enter_context(handled(self._note))
        return self

    def _note(self, number: int, _) -> None:
        self.signal = number
        signal.signal(number, self._before[number])

    def __exit__(self, *_) -> None:
        self._block.close()


@jax.jit
def _largest(signals: jax.Array) -> jax.Array:
    return jnp.max(signals)
