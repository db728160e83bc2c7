"""The training loop: batches in, steps, validation after every epoch, checkpoints, metrics, a progress bar."""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from zfjax import terminal
from zfjax.arch import Arch
from zfjax.convnet import ConvNet
from zfjax.data import Dataset, check_batch, eval_batches, mean_image, train_batches
from zfjax.data.recorded import require_classes
from zfjax.errors import BadImage, InputError
from zfjax.preprocess import Preprocess
from zfjax.runs.folder import create_run, open_run, read_class_names, read_mean
from zfjax.runs.lock import locked
from zfjax.runtime.devices import copied, data_mesh, everywhere, on_device
from zfjax.runtime.processes import ending_together, from_leader, leads
from zfjax.runtime.signals import exit_code
from zfjax.terminal import Meter
from zfjax.train.log import RunWriter, progress_bar, say, sentence
from zfjax.train.step import eval_step, init_state, learning_rate, make_optimizer, observe, train_step
from zfjax.train.stopping import StopSignal

DTYPES = {"fp32": jnp.float32, "bf16": jnp.bfloat16}


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
) -> None:
    """Trains by the architecture's recipe into a run folder, or goes on with the run that is there.

    config: what the run folder records; a folder of another config is refused (`may_differ`: keys that may change).
    Of several processes (`zfjax.runtime.processes.join`) all call it alike, and the first one alone writes.
    Ctrl-C, SIGTERM and SIGHUP end it after the current step, with a checkpoint. Raises InputError for data, folders and
    settings that do not fit, and for a folder that another training writes to; SystemExit when it was stopped and
    when the loss is no longer finite.
    """
    _check(arch, dataset, grad_accum)  # before the run folder is made
    # in 32 bits, whatever the caller computes in
    with jax.enable_x64(False), ending_together(), locked(workdir) if leads() else contextlib.nullcontext():
        try:
            mean = _open(arch, dataset, Path(workdir), config, may_differ)
            with RunWriter(workdir) as writer, StopSignal() as stop:
                training = _Training(arch, dataset, mean, seed, precision, grad_accum, writer)
                _loop(training, stop, patience=patience, checkpoint_secs=checkpoint_secs, keep_epochs=keep_epochs)
        except BadImage as error:
            raise InputError(f"{error}; mend it, take it away, or leave such images out by --bad_images=skip") from None
        finally:
            if text := dataset.broken.report():
                who = "" if jax.process_count() == 1 else f"process {jax.process_index()}: "
                terminal.say(*f"{who}{text}".split("\n"))


def _check(arch: Arch, dataset: Dataset, grad_accum: int) -> None:
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
    training: _Training, stop: StopSignal, *, patience: int, checkpoint_secs: float, keep_epochs: Collection[int]
) -> None:
    epochs = training.arch.recipe.epochs
    start = training.begin()
    if start >= training.total_steps:
        say(f"{training.writer.workdir} is trained to the end ({epochs} epochs); nothing is left to do")
        return
    training.writer.rewind(start)
    saved_at = time.monotonic()
    with training.progress_bar(start) as bar:
        for step in training.steps(start):
            stopped, metrics = stop.agreed(training.mesh), None
            if step % training.steps_per_epoch == 0:
                metrics = training.end_epoch(step, patience)
                training.writer.append(metrics)  # before the checkpoint: a resumed run drops lines after its own
                training.save(step, metrics={"val_top1": metrics["val_top1"]}, keep=metrics["epoch"] in keep_epochs)
                saved_at = time.monotonic()
            elif stopped or time.monotonic() - saved_at > checkpoint_secs:
                training.save(step)
                saved_at = time.monotonic()
            bar.update(training.arch.recipe.batch_size)  # after the save: nobody may be left to read it
            if metrics:
                say(sentence(metrics, epochs))
                bar.set_description(f"epoch {min(metrics['epoch'] + 1, epochs)}/{epochs}")
            if stopped and step < training.total_steps:
                break
    training.writer.verify()
    if signal := stopped or stop.signal:  # in the last step too: a script that trains several networks must end here
        say(f"stopped and saved at step {step} of {training.total_steps}; the same command goes on from there")
        sys.exit(exit_code(signal))


class _Training:
    """The state of one training, the compiled steps that change it, and the sums of the epoch so far."""

    def __init__(
        self, arch: Arch, dataset: Dataset, mean, seed: int, precision: str, grad_accum: int, writer: RunWriter
    ):
        recipe = arch.recipe
        self.arch, self.dataset, self.writer, self.seed = arch, dataset, writer, seed
        self.steps_per_epoch = max(1, len(dataset.train) // recipe.batch_size)
        self.total_steps = recipe.epochs * self.steps_per_epoch
        self.mesh, self.tx = data_mesh(recipe.batch_size), make_optimizer(recipe)
        self.preprocess = copied(self.mesh, Preprocess.of(arch, mean))
        self.key = jax.jit(jax.random.key, out_shardings=everywhere(self.mesh))(seed)
        net = ConvNet(arch, DTYPES[precision])
        step = functools.partial(train_step, net=net, tx=self.tx, total_steps=self.total_steps, grad_accum=grad_accum)
        self._train_step = jax.jit(step, donate_argnums=0)
        self._eval_step = jax.jit(functools.partial(eval_step, net=net))
        self._share: dict[str, Any] = {"process_index": jax.process_index(), "process_count": jax.process_count()}
        self._restart_sums()

    def begin(self) -> int:
        """Takes up the newest checkpoint or draws new weights; returns the steps already made."""
        create = functools.partial(init_state, arch=self.arch, tx=self.tx)
        shapes = jax.eval_shape(create, jax.random.key(self.seed))
        if restored := self.writer.restore(shapes):
            self.state, start = copied(self.mesh, restored.state), restored.step
            if restored.sums:
                self._totals = copied(self.mesh, {name: np.float32(value) for name, value in restored.sums.items()})
                self._counted = restored.sums["count"]
            say(f"going on from step {start} of {self.total_steps}")
        else:
            self.state, start = jax.jit(create, out_shardings=everywhere(self.mesh))(jax.random.key(self.seed)), 0
        return start

    def steps(self, start: int):
        """Makes step after step, yielding the number made so far."""
        recipe = self.arch.recipe
        batches = train_batches(
            self.dataset.train,
            batch_size=recipe.batch_size,
            image_size=self.arch.image_size,
            crops=recipe.crops,
            seed=self.seed,
            start_step=start,
            **self._share,
        )
        before, numbers = None, range(start + 1, self.total_steps + 1)
        for step, batch in zip(numbers, on_device(self.mesh, batches, ("image", "label", "crop")), strict=False):
            self.state, self.sums = self._train_step(self.state, batch, self.preprocess, self.key)
            self._totals = _add(self._totals, self.sums)
            if before:  # the step before: waiting for this one would leave the device idle
                self._check_loss(before, step - 1)
            before = self.sums
            yield step

    def end_epoch(self, step: int, patience: int) -> dict[str, float]:
        """Validates and looks for a plateau; returns the epoch's metrics."""
        self._check_loss(self.sums, step)
        rate = learning_rate(self.arch.recipe, step - 1, self.state.plateau.drops, self.total_steps)
        assert self._totals is not None, "an epoch has steps"
        train = _averages(self._totals)
        speed = (float(self._totals["count"]) - self._counted) / (time.monotonic() - self._since)
        val = self._evaluate()
        plateau = copied(self.mesh, observe(jax.device_get(self.state.plateau), val["top1"], patience))
        self.state = self.state._replace(plateau=plateau)
        self._restart_sums()
        return {
            "step": step,
            "epoch": step // self.steps_per_epoch,
            **{f"train_{name}": value for name, value in train.items()},
            **{f"val_{name}": value for name, value in val.items()},
            "learning_rate": float(rate),
            "images_per_sec": speed,
        }

    def save(self, step: int, **options) -> None:
        self._check_loss(self.sums, step)
        # the loss is from before the update, which may have been the one that overflowed
        here = jax.tree.map(lambda leaf: leaf.addressable_data(0), self.state.params)
        if not bool(_all_finite(here)):
            self._give_up("the parameters are no longer finite", step)
        self.writer.save(step, self.state, sums=jax.device_get(self._totals), **options)

    def progress_bar(self, start: int) -> Meter:
        size, epochs = self.arch.recipe.batch_size, self.arch.recipe.epochs
        epoch = f"epoch {start // self.steps_per_epoch + 1}/{epochs}"
        return progress_bar(self.total_steps * size, start * size, epoch)

    def _evaluate(self) -> dict[str, float]:
        totals = None
        batches = eval_batches(self.dataset.val, batch_size=self.arch.recipe.batch_size, **self._share)
        for batch in on_device(self.mesh, batches, ("image", "label", "mask")):
            totals = _add(totals, self._eval_step(self.state.params, batch, self.preprocess))
        assert totals is not None, "a data set has validation images"
        return _averages(totals)

    def _check_loss(self, sums: dict[str, jax.Array], step: int) -> None:
        if not math.isfinite(float(sums["loss"])):
            self._give_up(f"the loss is {float(sums['loss'])}", step)

    def _give_up(self, what: str, step: int) -> NoReturn:
        last = self.writer.latest_step()
        kept = f"the checkpoint of step {last} is whole" if last else "there is no checkpoint yet"
        sys.exit(f"error: {what} at step {step}; {kept}; try a lower --learning_rate")

    def _restart_sums(self) -> None:
        self._totals, self._since, self._counted = None, time.monotonic(), 0.0


@jax.jit
def _all_finite(params: dict) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()


def _add(totals: dict | None, sums: dict) -> dict:
    return sums if totals is None else jax.tree.map(operator.add, totals, sums)


def _averages(totals: dict[str, jax.Array]) -> dict[str, float]:
    count = float(totals["count"])
    return {name: float(total) / count for name, total in totals.items() if name != "count"}
