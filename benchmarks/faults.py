"""Kills trainings with -9 at random moments and compares what they end with: python -m benchmarks.faults --kills=50

Now and then an image is taken away before a killed training is started again, which then has to refuse.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from zfjax.cli.flags import parse_flags
from zfjax.data import render
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runs.folder import CHECKPOINTS, read_metrics
from zfjax.runs.steps import steps

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ("--batch_size=8", "--init=he", "--keep_epochs", "1", "5")
NETWORK = ("--arch=zf-mini", "--image_size=48", "--width=0.25")
STEPS_PER_EPOCH = 6
EARLY = 0.2  # share of kills that may come before the first step
LIFE_SECS = 1.5  # the others come so long after it at most
CHANGED = 0.15  # share of restarts that are tried without one of the images first


@dataclass(frozen=True)
class Config:
    """Trains a small network to the end once; then again and again under kill -9, until there were enough kills."""

    kills: int = 50
    """How often a training is killed."""
    epochs: int = 25
    """Of one training, six steps each; a checkpoint is written after every step."""
    processes: int = 1
    """That train together; the one to be killed is drawn by lot."""
    seed: int = 0
    """Of the moments."""
    workdir: str | None = None
    """Where the runs are made; None: a temporary folder."""


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input(), tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(config.workdir or scratch), config.epochs, config.processes)
        trainings, moments = survive(bench, kills=config.kills, seed=config.seed)
    refused = moments.pop(REFUSED, 0)
    hit = ", ".join(f"{count} {moment}" for moment, count in sorted(moments.items()))
    print(f"{config.kills} kills ({hit}) in {trainings} trainings of {config.epochs * STEPS_PER_EPOCH} steps:")
    print("each ended with the same bits as the one that was left alone")
    print(f"{refused} times started without one of its images: refused each time")


REFUSED = "refused"


class Bench(NamedTuple):
    """Where trainings run, how long they are, of how many processes, and of what network."""

    folder: Path
    epochs: int
    processes: int = 1
    network: tuple[str, ...] = NETWORK

    @property
    def images(self) -> Path:
        return self.folder / "images"


def survive(bench: Bench, *, kills: int, seed: int = 0) -> tuple[int, collections.Counter]:
    """Returns how many trainings it took, and how many kills fell into which moment; also how often the training was
    REFUSED for an image that had gone.

    Raises InputError when a training fails, goes on without an image, or ends with other bits than the one that was
    left alone.
    """
    rng, moments, trainings = random.Random(seed), collections.Counter(), 0
    _draw_images(bench.images)
    whole = _finish(bench, "whole")
    while moments.total() - moments[REFUSED] < kills:
        name = f"killed{trainings}"
        while moments.total() - moments[REFUSED] < kills and _kill(bench, name, rng):
            moment, step = _moment(bench.folder / name), _newest(bench.folder / name)
            moments[moment] += 1
            print(f"kill {moments.total() - moments[REFUSED]} of {name}: {moment}, step {step}", flush=True)
            if step and rng.random() < CHANGED:
                _refused(bench, name, rng)
                moments[REFUSED] += 1
        if _finish(bench, name) != whole:
            raise InputError(f"{bench.folder / name} ended with other bits than {bench.folder / 'whole'}")
        trainings += 1
    return trainings, moments


def _draw_images(folder: Path) -> None:
    for split, count in (("train", 8 * STEPS_PER_EPOCH), ("val", 10)):
        for index in range(count):
            path = folder / split / str(index % 2) / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(render(index, size=48, split=split).image).save(path)


@contextlib.contextmanager
def _started(bench: Bench, name: str) -> Iterator[list[subprocess.Popen]]:
    length = (f"--epochs={bench.epochs}", "--checkpoint_secs=0")
    flags = [*FLAGS, *bench.network, f"--dataset=folder:{bench.images}", *length]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    with contextlib.ExitStack() as logs:
        for number in range(bench.processes):
            log = logs.enter_context(_log(bench, name, number).open("w"))
            place = [f"--coordinator=127.0.0.1:{port}", f"--num_processes={bench.processes}", f"--process_id={number}"]
            workdir = bench.folder / (name if not number else f"{name}-beside{number}")
            command = [sys.executable, "train.py", *flags, f"--workdir={workdir}", *place[: 3 * (bench.processes > 1)]]
            processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _kill(bench: Bench, name: str, rng: random.Random) -> bool:
    """Starts or continues a training and kills it; False if it was through before its time had come."""
    workdir = bench.folder / name
    born, seen, victim, patience = time.monotonic(), _newest(workdir), rng.randrange(bench.processes), rng.random()
    with _started(bench, name) as processes:
        if patience < EARLY:
            end = born + rng.uniform(0, 10)
        else:
            while all(each.poll() is None for each in processes) and _newest(workdir) == seen:
                time.sleep(0.005)
            end = time.monotonic() + rng.uniform(0, LIFE_SECS)
        while all(each.poll() is None for each in processes) and time.monotonic() < end:
            time.sleep(0.001)
        through = processes[victim].poll() is not None
        processes[victim].send_signal(signal.SIGKILL)
        for each in processes:  # those that are left notice by themselves
            _leave(bench, name, each)
    if through and any(each.returncode for each in processes):
        raise InputError(f"{workdir} failed: {_said(bench, name)}")
    return not through


def _leave(bench: Bench, name: str, left: subprocess.Popen) -> None:
    """Waits for the end of one whose partner was killed; one that waits for a partner to begin with is stopped."""
    try:
        left.wait(timeout=90)
    except subprocess.TimeoutExpired:
        if "waiting for" not in _said(bench, name):
            raise InputError(f"{name} hangs: {_said(bench, name)}") from None
        left.terminate()
        left.wait(timeout=30)


def _refused(bench: Bench, name: str, rng: random.Random) -> None:
    image = rng.choice(sorted(bench.images.rglob("*.png")))
    hidden, before = bench.folder / "hidden.png", _newest(bench.folder / name)
    image.rename(hidden)
    with _started(bench, name) as processes:
        codes = [process.wait(timeout=120) for process in processes]
    hidden.rename(image)
    if codes[0] != 2 or _newest(bench.folder / name) != before:
        raise InputError(f"{name} went on without {image} ({codes}): {_said(bench, name)}")


def _newest(workdir: Path) -> int:
    return max(steps(workdir), default=0)


def _moment(workdir: Path) -> str:
    """What a kill has interrupted, as far as its traces tell."""
    folder = workdir / CHECKPOINTS
    if any(path.name not in ("trash", "damaged") and not path.name.isdigit() for path in folder.glob("*")):
        return "while a checkpoint was written"
    if any((folder / "trash").glob("*")):
        return "while one was deleted"
    return "between" if steps(workdir) else "before the first"


def _finish(bench: Bench, name: str) -> dict:
    """Trains to the end and returns shape, type and checksum of every array of the last checkpoint, and the metrics."""
    workdir = bench.folder / name
    with _started(bench, name) as processes:
        if any([process.wait() for process in processes]):
            raise InputError(f"{workdir} failed: {_said(bench, name)}")
    step = bench.epochs * STEPS_PER_EPOCH
    about = json.loads((workdir / CHECKPOINTS / str(step) / "about" / "metadata").read_text())
    return {"leaves": about["leaves"], "val": [(line["step"], line["val_loss"]) for line in read_metrics(workdir)]}


def _log(bench: Bench, name: str, number: int) -> Path:
    return bench.folder / f"{name}.{number}.log"


def _said(bench: Bench, name: str) -> str:
    return "\n".join(_log(bench, name, number).read_text()[-1000:] for number in range(bench.processes))


if __name__ == "__main__":
    main()
