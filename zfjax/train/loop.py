"""The training loop: batches in, steps, validation after every epoch, checkpoints, metrics, a progress bar."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Collection
from pathlib import Path

import jax
import numpy as np

from zfjax.arch import Arch
from zfjax.data import Dataset, check_batch, mean_image
from zfjax.data.recorded import require_classes
from zfjax.errors import InputError
from zfjax.preprocess import Preprocess
from zfjax.runs.folder import create_run, open_run, read_class_names, read_mean
from zfjax.runs.lock import locked
from zfjax.runtime.devices import data_mesh
from zfjax.runtime.processes import ending_together, from_leader, leads
from zfjax.runtime.signals import exit_code
from zfjax.train.log import RunWriter, say, sentence
from zfjax.train.profiling import profiled
from zfjax.train.stopping import StopSignal
from zfjax.train.training import AfterEpoch, Training
from zfjax.train.waiting import ADVICE, LONG


def train(
    arch: Arch,
    dataset: Dataset,
    workdir: str | Path,
    *,
    config: dict,
    may_differ: Collection[str] = ("versions",),
    seed: int = 0,
    precision: str = "fp32",
    grad_accum: int = 1,
    patience: int = 5,
    checkpoint_secs: float = 300.0,
    keep_epochs: Collection[int] = (),
    profile: int = 0,
    after_epoch: AfterEpoch | None = None,
) -> None:
    """Trains by the architecture's recipe into a run folder, or goes on with the run that is there.

    config: what the run folder records; a folder of another config is refused (`may_differ`: keys that may change).
    profile: of how many steps a trace is written, see `zfjax.train.profiling`.
    after_epoch: called with the number of an epoch that ended and the network so far, a Run in this process's memory;
    what it returns, {name: PNG}, is shown in TensorBoard. After a kill it may see an epoch again, the same to the bit.
    Of several processes (`zfjax.runtime.processes.join`) all call it alike, and the first one alone writes.
    Ctrl-C, SIGTERM and SIGHUP end it after the current step, with a checkpoint. Raises InputError for data, folders and
    settings that do not fit, and for a folder that another training writes to; SystemExit when it was stopped and
    when the loss is no longer finite.
    """
    _check(arch, dataset, grad_accum)  # before the run folder is made
    with (
        jax.enable_x64(False),  # and one kind of random numbers, whatever the caller computes with
        jax.threefry_partitionable(True),
        ending_together(),
        locked(workdir) if leads() else contextlib.nullcontext(),
    ):
        try:
            mean = _open(arch, dataset, Path(workdir), config, may_differ)
            with RunWriter(workdir) as writer, StopSignal() as stop:
                training = Training(arch, dataset, mean, seed, precision, grad_accum, writer)
                times = {"patience": patience, "checkpoint_secs": checkpoint_secs, "profile": profile}
                _loop(training, stop, keep_epochs=keep_epochs, after_epoch=after_epoch, **times)
        finally:
            dataset.broken.say("" if jax.process_count() == 1 else f"process {jax.process_index()}: ")


def _check(arch: Arch, dataset: Dataset, grad_accum: int) -> None:
    arch.check_classifier()
    batch_size, devices = arch.recipe.batch_size, data_mesh(arch.recipe.batch_size).size
    check_batch(dataset.train, batch_size, jax.process_count())
    if grad_accum < 1 or batch_size % (devices * grad_accum):
        raise InputError(
            f"--grad_accum: {grad_accum} parts of batch_size {batch_size} on {devices} device(s) do not fit"
        )


def _open(arch: Arch, dataset: Dataset, workdir: Path, config: dict, may_differ: Collection[str]) -> np.ndarray:
    """The run's mean image, which is computed once, when the run is made."""
    there = leads() and open_run(workdir, config, may_differ=may_differ)
    if there:
        require_classes(workdir, read_class_names(workdir), dataset.class_names)
    side = Preprocess.of(arch).smallest_side
    mean = np.zeros((side, side, arch.channels), np.float32)
    if not from_leader(np.int32(there)):
        if arch.recipe.subtract_mean:
            share = {"process_index": jax.process_index(), "process_count": jax.process_count()}
            mean = dataset.mean if dataset.mean is not None else mean_image(dataset.train, progress=leads(), **share)
        if leads():
            create_run(workdir, config, dataset.class_names, mean, may_differ=may_differ)
    return from_leader(read_mean(workdir) if leads() else mean)


def _loop(
    training: Training,
    stop: StopSignal,
    *,
    patience: int,
    checkpoint_secs: float,
    keep_epochs: Collection[int],
    profile: int,
    after_epoch: AfterEpoch | None,
) -> None:
    epochs = training.arch.recipe.epochs
    start = training.begin()
    if start >= training.total_steps:
        say(f"{training.writer.workdir} is trained to the end ({epochs} epochs); nothing is left to do")
        return
    training.writer.rewind(start)
    saved_at, advised = time.monotonic(), False
    steps = profiled(training.steps(start), profile, training.writer.workdir, training.settle)
    with training.progress_bar(start) as bar, contextlib.closing(steps):
        for step in steps:
            if step == start + 1:  # what compiling took, half a minute on a GPU, says nothing of the steps to come
                bar.unpause()
            stopped, metrics = stop.agreed(training.mesh), None
            if step % training.steps_per_epoch == 0:
                metrics = training.end_epoch(step, patience)
                training.writer.append(metrics)  # before the checkpoint: a resumed run drops lines after its own
                if after_epoch:
                    training.show(after_epoch, step)
                training.save(step, metrics={"val_top1": metrics["val_top1"]}, keep=metrics["epoch"] in keep_epochs)
                saved_at = time.monotonic()
            elif stopped or time.monotonic() - saved_at > checkpoint_secs:
                training.save(step)
                saved_at = time.monotonic()
            bar.update(training.arch.recipe.batch_size)  # after the save: nobody may be left to read it
            if metrics:
                say(sentence(metrics, epochs))
                if metrics["data_wait"] > LONG and not advised:
                    say(ADVICE.format(share=100 * metrics["data_wait"]))
                    advised = True
                bar.set_description(f"epoch {min(metrics['epoch'] + 1, epochs)}/{epochs}")
            if stopped and step < training.total_steps:
                break
    training.writer.verify()
    if signal := stopped or stop.signal:  # in the last step too: a script that trains several networks must end here
        say(f"stopped and saved at step {step} of {training.total_steps}; the same command goes on from there")
        sys.exit(exit_code(signal))
