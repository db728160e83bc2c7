"""What a training puts into its run folder, written by one process for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

from zfjax.runs.checkpoint import Checkpoints, Restored
from zfjax.runtime.processes import from_leader, leads
from zfjax.train.log import MetricsLog


class RunWriter:
    """Checkpoints and metrics of one run; a context manager. In every process but the leader it writes nothing."""

    def __init__(self, workdir: str | Path):
        self.workdir = workdir
        self._log = MetricsLog(workdir) if leads() else None
        self._checkpoints = Checkpoints(workdir) if leads() else None

    def restore(self, shapes: Any) -> Restored | None:
        """The newest whole checkpoint, read by the leader and sent to all; None where there is none."""
        found = self._checkpoints.restore_latest(shapes) if self._checkpoints else None
        step = int(from_leader(np.int32(found.step if found else -1)))
        if step < 0:
            return None
        state = found.state if found else jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        return Restored(from_leader(state), step)

    def save(self, step: int, state: Any, **options) -> None:
        """As `Checkpoints.save`."""
        if self._checkpoints:
            if jax.process_count() > 1:  # an array that spans processes is none that one of them could save
                state = jax.tree.map(lambda leaf: np.array(leaf.addressable_data(0)), state)
            self._checkpoints.save(step, state, **options)

    def rewind(self, step: int) -> None:
        """As `MetricsLog.rewind`."""
        if self._log:
            self._log.rewind(step)

    def append(self, metrics: dict[str, float]) -> None:
        """As `MetricsLog.append`."""
        if self._log:
            self._log.append(metrics)

    def wait(self) -> None:
        """Returns when the save in progress is on the disk; raises InputError when it could not be written."""
        if self._checkpoints:
            self._checkpoints.wait()

    def latest_step(self) -> int | None:
        """The newest step that is whole on the disk; None too where this process does not write."""
        return self._checkpoints.latest_step() if self._checkpoints else None

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *error) -> None:
        if self._checkpoints:
            self._checkpoints.__exit__(*error)
            self._log.__exit__(*error)
