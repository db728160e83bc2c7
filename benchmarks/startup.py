"""How long the scripts take to begin: python -m benchmarks.startup"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.timing import interleave, show, spread, start
from zfjax.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("train", "evaluate", "visualize", "transfer", "reproduce")
POLL_SECS = 0.01
GIVE_UP_SECS = 900


@dataclass(frozen=True)
class Config:
    """Seconds to --help, to the first training step, and to the first figure, without and with compiled programs."""

    arch: str = "zf"
    """Architecture that is trained and drawn."""
    image_size: int = 224
    """Side of its input in pixels."""
    batch_size: int = 32
    """Images of a step."""
    train_flags: str = ""
    """More flags for train.py, separated by spaces."""
    visualize_flags: str = ""
    """More flags for visualize.py, separated by spaces."""
    runs: int = 7
    """Timed starts of each kind."""


def call(*command: str, cache: str = "") -> None:
    """Runs a script to its end. cache: the user's cache folder. Raises InputError where it fails."""
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment(cache), capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")


def environment(cache: str) -> dict[str, str]:
    """This process's, with another cache folder of the user where one is given."""
    return {**os.environ, "XDG_CACHE_HOME": cache} if cache else dict(os.environ)


def train_until_first_step(config: Config, folder: Path, workdir: Path, cache: str) -> None:
    """Starts train.py, returns when the first step's checkpoint begins to be written, and stops it."""
    command = [sys.executable, "train.py", *train_flags(config, folder), f"--workdir={workdir}", "--checkpoint_secs=0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(cache), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        deadline = time.monotonic() + GIVE_UP_SECS
        while not any((workdir / "checkpoints").glob("1*")):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise InputError(f"{' '.join(command)} made no step: {process.stdout.read().strip()[-300:]}")
            time.sleep(POLL_SECS)
        process.kill()


def make_photos(folder: Path, size: int, count: int) -> None:
    """A data set of two classes, `count` images in all for training and as many for validation."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for index in range(count):
            path = folder / split / "ab"[index % 2] / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(path)


def train_flags(config: Config, folder: Path) -> list[str]:
    sizes = {"arch": config.arch, "image_size": config.image_size, "batch_size": config.batch_size}
    flags = [f"--{name}={value}" for name, value in sizes.items()]
    return [*flags, f"--dataset=folder:{folder}", *config.train_flags.split()]


def starts(config: Config, root: Path) -> dict[str, Callable[[], None]]:
    """What is timed. Cold: into an empty folder of compiled programs every time; warm: out of one that is filled."""
    photos, run = root / "photos", root / "run"
    make_photos(photos, config.image_size, 2 * config.batch_size)
    call("train.py", *train_flags(config, photos), f"--workdir={run}", "--epochs=1")
    draw = ["visualize.py", f"--ckpt={run}", "--figure=features", "--num_maps=4", f"--limit={config.batch_size}"]

    def fresh() -> str:
        return tempfile.mkdtemp(dir=root)

    def step(cache: Callable[[], str]) -> None:
        train_until_first_step(config, photos, Path(fresh()) / "run", cache())

    def figure(cache: Callable[[], str]) -> None:
        call(*draw, *config.visualize_flags.split(), f"--out={fresh()}", cache=cache())

    warm = fresh()
    sides: dict[str, Callable[[], None]] = {
        f"{name}.py --help": lambda name=name: call(f"{name}.py", "--help") for name in SCRIPTS
    }
    for what, begin in {"train.py to its first step": step, "visualize.py to its first figure": figure}.items():
        sides[f"{what}, cold"] = lambda begin=begin: begin(fresh)
        sides[f"{what}, warm"] = lambda begin=begin: begin(lambda: warm)
    return sides


def run(config: Config) -> None:
    with tempfile.TemporaryDirectory() as root:
        seconds = interleave(starts(config, Path(root)), config.runs, label="starts")
    show(
        f"Starts: {config.arch} at {config.image_size}, batch {config.batch_size}",
        ("start", "milliseconds"),
        [(name, spread(times)) for name, times in seconds.items()],
        f"Each a new process, with {2 * config.batch_size} JPEG images in its data set, whose mean train.py computes "
        "first. To the first step: until its checkpoint begins to be written. First figure: the nine strongest images "
        f"of four maps of every convolution over {config.batch_size} images.",
        "cold, warm: the folder of compiled programs in the user's cache is empty, or filled by an earlier start.",
    )


if __name__ == "__main__":
    start(Config, run)
