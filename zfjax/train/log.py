"""What a training leaves in its run folder, and what it says.

Checkpoints to go on from, metrics.jsonl for programs, TensorBoard's events for people; a progress bar, a line an epoch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zfjax import terminal
from zfjax.runs.checkpoint import Checkpoints, Restored
from zfjax.runs.folder import append_metrics, truncate_metrics
from zfjax.runtime.processes import from_leader, leads
from zfjax.terminal import Meter, meter
from zfjax.train.events import Events
from zfjax.train.step import SUMS


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
        known = found.sums if found else {}
        sums = from_leader(np.array([known.get(name, np.nan) for name in SUMS], np.float32))
        whole = bool(np.isfinite(sums).all())
        return Restored(from_leader(state), step, {name: float(sums[i]) for i, name in enumerate(SUMS) if whole})

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
        """As `MetricsLog.append`, where the folder is still the run's."""
        if self._log and self._checkpoints:
            self._checkpoints.check()
            self._log.append(metrics)

    def show(self, pictures: Mapping[str, bytes], step: int) -> None:
        """As `MetricsLog.show`."""
        if self._log:
            self._log.show(pictures, step)

    def verify(self) -> None:
        """As `Checkpoints.verify`."""
        if self._checkpoints:
            self._checkpoints.verify()

    def latest_step(self) -> int | None:
        """The newest step that is whole on the disk; None too where this process does not write."""
        return self._checkpoints.latest_step() if self._checkpoints else None

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *error) -> None:
        if self._checkpoints:
            try:
                self._checkpoints.__exit__(*error)
            finally:
                if self._log:
                    self._log.close()


class MetricsLog:
    """metrics.jsonl and TensorBoard's events of one run; to be closed."""

    def __init__(self, workdir: str | Path):
        self._workdir = Path(workdir)
        self._events: Events | None = None  # from `rewind` on

    def rewind(self, step: int) -> None:
        """Begins after `step`: what an interrupted run wrote beyond its last checkpoint will be written again."""
        truncate_metrics(self._workdir, step)
        self._events = Events(self._workdir, step + 1 if step else 0)

    def append(self, metrics: dict[str, float]) -> None:
        """Writes one record; it must have a "step"."""
        append_metrics(self._workdir, metrics)
        if self._events:
            scalars = {name: value for name, value in metrics.items() if name != "step"}
            self._events.add(scalars, int(metrics["step"]))

    def show(self, pictures: Mapping[str, bytes], step: int) -> None:
        """PNG images by their names, for TensorBoard alone."""
        if self._events:
            self._events.show(pictures, step)

    def close(self) -> None:
        if self._events:
            self._events.close()


def progress_bar(total: int, done: int, epoch: str) -> Meter:
    """Counts images; shown by the process that leads."""
    return meter(
        total=total,
        initial=done,
        unit=" images",
        desc=epoch,
        mininterval=0.5 if sys.stderr.isatty() else 30,  # a log file needs no animation
        smoothing=0.05,
        disable=not leads(),
    )


def say(text: str) -> None:
    """A line from the process that leads."""
    if leads():
        terminal.say(text)


def sentence(metrics: dict[str, float], epochs: int) -> str:
    """An epoch's metrics as a line."""
    names = {"train top-1": "train_top1", "val top-1": "val_top1", "val top-5": "val_top5"}
    shares = "  ".join(f"{name} {100 * metrics[key]:.1f} %" for name, key in names.items())
    head = f"epoch {metrics['epoch']}/{epochs}  loss {metrics['train_loss']:.3f}"
    speed = f"{metrics['images_per_sec']:.0f} images/s, {100 * metrics['data_wait']:.0f} % waiting for data"
    peak = f", {100 * metrics['peak_share']:.1f} % of peak" if "peak_share" in metrics else ""
    return f"{head}  {shares}  rate {metrics['learning_rate']:.2g}  {speed}{peak}"
