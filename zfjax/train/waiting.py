"""How long the devices stood still because the images of the next step were not there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax

LONG = 0.1  # a share of the time that is worth a word
ADVICE = (
    "the devices waited for images {share:.0f} % of the time: more cores bring them faster, and so does a set that is "
    "prepared once (python -m zfjax.data.prepare; --format=raw is the fastest)"
)


class Waiting:
    """A clock of one process, which runs while its devices have made every step and the next batch is waited for.

    Time in which they still compute is none of it: a batch that comes before they have done costs nothing. A thread
    notes when they have, so that nobody waits for them who would not. What comes before the first step is no waiting.
    """

    def __init__(self):
        self.seconds = 0.0
        self._watcher = ThreadPoolExecutor(1, "waiting")
        self._done: Future[float] | None = None

    def timed(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same batches, each asked for when it is wanted."""
        coming = iter(batches)
        while True:
            asked = time.monotonic()
            if (batch := next(coming, None)) is None:
                return
            arrived = time.monotonic()
            if self._done and self._done.done():
                self.seconds += arrived - max(asked, self._done.result())
            yield batch

    def computing(self, result: Any) -> None:
        """The devices have been given a step, which ends when its result is there."""
        self._done = self._watcher.submit(_when_ready, result)


def _when_ready(result: Any) -> float:
    jax.block_until_ready(result)
    return time.monotonic()
