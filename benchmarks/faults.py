"""Kills trainings with -9 at random moments and compares what they end with: python -m benchmarks.faults --kills=50"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zfjax.cli.flags import parse_flags
from zfjax.data import render
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runs.folder import CHECKPOINTS, read_metrics
from zfjax.runs.steps import steps

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ("--arch=zf-mini", "--image_size=48", "--width=0.25", "--batch_size=8", "--init=he", "--keep_epochs", "1", "5")
STEPS_PER_EPOCH = 6
EARLY = 0.2  # share of kills that may come before the first step
LIFE_SECS = 1.5  # the others come so long after it at most


@dataclass(frozen=True)
class Config:
    """Trains a small network to the end once; then again and again under kill -9, until there were enough kills."""

    kills: int = 50
    """How often a training is killed."""
    epochs: int = 25
    """Of one training, six steps each; a checkpoint is written after every step."""
    seed: int = 0
    """Of the moments."""
    workdir: str | None = None
    """Where the runs are made; None: a temporary folder."""


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(config.workdir or scratch)
        trainings, moments = survive(folder, kills=config.kills, epochs=config.epochs, seed=config.seed)
    hit = ", ".join(f"{count} {moment}" for moment, count in sorted(moments.items()))
    print(f"{config.kills} kills ({hit}) in {trainings} trainings of {config.epochs * STEPS_PER_EPOCH} steps:")
    print("each ended with the same bits as the one that was left alone")


def survive(folder: Path, *, kills: int, epochs: int, seed: int = 0) -> tuple[int, collections.Counter]:
    """Returns how many trainings it took, and how many kills fell into which moment.

    Raises InputError when a training fails, or ends with other bits than the one that was left alone.
    """
    rng, moments, trainings = random.Random(seed), collections.Counter(), 0
    _draw_images(folder / "images")
    whole = _finish(folder / "whole", folder / "images", epochs)
    while sum(moments.values()) < kills:
        workdir = folder / f"killed{trainings}"
        while sum(moments.values()) < kills and _kill(workdir, folder / "images", epochs, rng):
            moment, step = _moment(workdir), max(steps(workdir), default=0)
            moments[moment] += 1
            print(f"kill {sum(moments.values())} of training {trainings}: {moment}, step {step}", flush=True)
        if _finish(workdir, folder / "images", epochs) != whole:
            raise InputError(f"{workdir} ended with other bits than {folder / 'whole'}")
        trainings += 1
    return trainings, moments


def _draw_images(folder: Path) -> None:
    for split, count in (("train", 8 * STEPS_PER_EPOCH), ("val", 10)):
        for index in range(count):
            path = folder / split / str(index % 2) / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(render(index, size=48, split=split).image).save(path)


def _start(workdir: Path, images: Path, epochs: int) -> subprocess.Popen:
    flags = [*FLAGS, f"--dataset=folder:{images}", f"--epochs={epochs}", f"--workdir={workdir}", "--checkpoint_secs=0"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    with (workdir.parent / f"{workdir.name}.log").open("w") as log:
        command = [sys.executable, "train.py", *flags]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _kill(workdir: Path, images: Path, epochs: int, rng: random.Random) -> bool:
    """Starts or continues a training and kills it; False if it was through before its time had come."""
    process, born, seen = _start(workdir, images, epochs), time.monotonic(), _newest(workdir)
    if rng.random() < EARLY:
        end = born + rng.uniform(0, 10)
    else:
        while process.poll() is None and _newest(workdir) == seen:
            time.sleep(0.005)
        end = time.monotonic() + rng.uniform(0, LIFE_SECS)
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    if process.wait() not in (0, -signal.SIGKILL):
        raise InputError(f"{workdir} failed: {_log(workdir)}")
    return process.returncode != 0


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


def _finish(workdir: Path, images: Path, epochs: int) -> dict:
    """Trains to the end and returns shape, type and checksum of every array of the last checkpoint, and the metrics."""
    if _start(workdir, images, epochs).wait():
        raise InputError(f"{workdir} failed: {_log(workdir)}")
    step = epochs * STEPS_PER_EPOCH
    about = json.loads((workdir / CHECKPOINTS / str(step) / "about" / "metadata").read_text())
    return {"leaves": about["leaves"], "val": [(line["step"], line["val_loss"]) for line in read_metrics(workdir)]}


def _log(workdir: Path) -> str:
    return (workdir.parent / f"{workdir.name}.log").read_text()[-2000:]


if __name__ == "__main__":
    main()
