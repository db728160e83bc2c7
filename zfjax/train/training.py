"""One training: its state, the compiled steps that change it, and the sums of the epoch so far."""

from __future__ import annotations

import functools
import math
import operator
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.convnet import ConvNet, seed_key
from zfjax.data import Dataset, eval_batches, train_batches
from zfjax.preprocess import Preprocess
from zfjax.runs.run import Run
from zfjax.runtime.devices import copied, data_mesh, everywhere, on_device
from zfjax.runtime.peaks import peak_flops
from zfjax.runtime.processes import leads
from zfjax.runtime.xla import options_for_one_run
from zfjax.terminal import Meter
from zfjax.train.log import RunWriter, progress_bar, say
from zfjax.train.step import eval_step, init_state, learning_rate, make_optimizer, observe, train_step
from zfjax.train.waiting import Waiting

AfterEpoch = Callable[[int, Run], Mapping[str, bytes]]  # (epoch, the network so far) -> {name: PNG} for TensorBoard
DTYPES = {"fp32": jnp.float32, "bf16": jnp.bfloat16}


class Training:
    """The state of one training, the compiled steps that change it, and the sums of the epoch so far."""

    def __init__(
        self, arch: Arch, dataset: Dataset, mean, seed: int, precision: str, grad_accum: int, writer: RunWriter
    ):
        recipe = arch.recipe
        self.arch, self.dataset, self.mean, self.writer, self.seed = arch, dataset, mean, writer, seed
        self.steps_per_epoch = max(1, len(dataset.train) // recipe.batch_size)
        self.total_steps = recipe.epochs * self.steps_per_epoch
        self.mesh, self.tx = data_mesh(recipe.batch_size), make_optimizer(recipe)
        self.preprocess = copied(self.mesh, Preprocess.of(arch, mean))
        self.key = jax.jit(seed_key, out_shardings=everywhere(self.mesh))(seed)
        net = ConvNet(arch, DTYPES[precision])
        step = functools.partial(train_step, net=net, tx=self.tx, total_steps=self.total_steps, grad_accum=grad_accum)
        self._train_step = jax.jit(step, donate_argnums=0)
        self._eval_step = jax.jit(functools.partial(eval_step, net=net))
        self._peak = peak_flops((device.device_kind for device in self.mesh.devices.flat), precision)
        self._waiting = Waiting()
        self._share: dict[str, Any] = {"process_index": jax.process_index(), "process_count": jax.process_count()}
        self._restart_sums()

    def begin(self) -> int:
        """Takes up the newest checkpoint or draws new weights; returns the steps already made."""
        create = functools.partial(init_state, arch=self.arch, tx=self.tx)
        shapes = jax.eval_shape(create, seed_key(self.seed))
        if restored := self.writer.restore(shapes):
            self.state, start = copied(self.mesh, restored.state), restored.step
            if restored.sums:
                self._totals = copied(self.mesh, {name: np.float32(value) for name, value in restored.sums.items()})
                self._counted = restored.sums["count"]
            say(f"going on from step {start} of {self.total_steps}")
        else:
            options = options_for_one_run(self.mesh.devices.flat[0].platform)
            create = jax.jit(create, out_shardings=everywhere(self.mesh), compiler_options=options)
            self.state, start = create(seed_key(self.seed)), 0
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
        coming = on_device(self.mesh, self._waiting.timed(batches), ("image", "label", "crop"))
        for step, batch in zip(numbers, coming, strict=False):
            with jax.profiler.StepTraceAnnotation("train", step_num=step):  # for traces; 3 us
                self.state, self.sums = self._train_step(self.state, batch, self.preprocess, self.key)
            self._waiting.computing(self.sums)
            self._totals = _add(self._totals, self.sums)
            if before:  # the step before: waiting for this one would leave the device idle
                self._check_loss(before, step - 1)
            before = self.sums
            yield step

    def settle(self) -> None:
        """Returns when the steps that were begun have been computed."""
        jax.block_until_ready(self.state)

    def end_epoch(self, step: int, patience: int) -> dict[str, float]:
        """Validates and looks for a plateau; returns the epoch's metrics."""
        self._check_loss(self.sums, step)
        rate = learning_rate(self.arch.recipe, step - 1, self.state.plateau.drops, self.total_steps)
        assert self._totals is not None, "an epoch has steps"
        train = _averages(self._totals)
        seconds = time.monotonic() - self._since
        speed = (float(self._totals["count"]) - self._counted) / seconds
        waited = self._waiting.seconds / seconds
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
            "data_wait": waited,
            **self._share_of_peak(speed),
        }

    def _share_of_peak(self, images_per_sec: float) -> dict[str, float]:
        """What part of the products that the devices can do the network's own are; {} for devices not known."""
        if not self._peak:
            return {}
        return {"peak_share": 2 * self.arch.train_mult_adds() * images_per_sec / self._peak}

    def show(self, after_epoch: AfterEpoch, step: int) -> None:
        """Lets others look at what has been learnt, in the process that leads; the epoch's clock stands meanwhile."""
        if leads():
            since = time.monotonic()
            self.writer.show(after_epoch(step // self.steps_per_epoch, self._as_run(step)), step)
            self._since += time.monotonic() - since

    def _as_run(self, step: int) -> Run:
        """As `load_run` would give it. A copy: the next step writes its parameters over these."""
        params = jax.tree.map(lambda leaf: np.array(leaf.addressable_data(0)), self.state.params)
        preprocess = Preprocess.of(self.arch, self.mean)
        return Run(self.arch, params, preprocess, self.mean, self.dataset.class_names, {}, step)

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
        self._waiting.seconds = 0.0


@jax.jit
def _all_finite(params: dict) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()


def _add(totals: dict | None, sums: dict) -> dict:
    return sums if totals is None else jax.tree.map(operator.add, totals, sums)


def _averages(totals: dict[str, jax.Array]) -> dict[str, float]:
    count = float(totals["count"])
    return {name: float(total) / count for name, total in totals.items() if name != "count"}
