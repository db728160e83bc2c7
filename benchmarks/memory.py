"""Whether a training's memory grows: python -m benchmarks.memory --folder=PATH"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.runs.folder import METRICS

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECS = 0.5


@dataclass(frozen=True)
class Config:
    """Trains a thin network on a folder of images, and on parts of it, and prints resident memory as it goes."""

    folder: str
    """Images as PATH/{train,val}/CLASS/*.jpg."""
    steps: int = 2000
    """Updates; each reads 16 images of the source and is small, so that what the program keeps shows."""
    shares: tuple[float, ...] = (1.0, 0.4)
    """Shares of the training images, a training each."""
    arch_flags: str = "--arch=zf-mini --image_size=224 --width=0.03125 --batch_size=16 --init=he --checkpoint_secs=15"
    """Flags of train.py; canvases of 256 pixels are not kept in memory when there are more than 1,365 of them."""


def main() -> None:
    config = parse_flags(Config)
    with exit_on_bad_input(), tempfile.TemporaryDirectory() as scratch:
        for share in config.shares:
            folder = Path(scratch) / f"images-{share}"
            count = _link(Path(config.folder), folder, share)
            measure(config, folder, Path(scratch) / f"run-{share}", count)


def _link(source: Path, folder: Path, share: float) -> int:
    """The first images of every class, as links; returns how many there are to train on."""
    count = 0
    for split, part in (("train", share), ("val", 0.1)):
        for kind in sorted((source / split).glob("*/")):
            files = sorted(kind.iterdir())
            (folder / split / kind.name).mkdir(parents=True)
            for file in files[: max(1, int(part * len(files)))]:
                (folder / split / kind.name / file.name).symlink_to(file.resolve())
                count += split == "train"
    return count


def measure(config: Config, folder: Path, workdir: Path, count: int) -> None:
    """Prints a line for some moments of one training: seconds since the first step, images and MiB."""
    epochs = -(-config.steps * 16 // count)
    command = [sys.executable, "train.py", *config.arch_flags.split(), f"--dataset=folder:{folder}"]
    environment = {**os.environ, "XLA_FLAGS": ""}
    with subprocess.Popen(
        [*command, f"--epochs={epochs}", f"--workdir={workdir}"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        samples = []
        while process.poll() is None:
            if any((workdir / "checkpoints").glob("[0-9]*")):
                samples.append((time.monotonic(), _resident(process.pid)))
            time.sleep(SAMPLE_SECS)
    if process.returncode or len(samples) < 5 or not (workdir / METRICS).exists():
        raise InputError(f"the training ended with {process.returncode} after {len(samples)} samples")
    samples = [sample for sample in samples if sample[1]]
    shown = [samples[int(part * (len(samples) - 1))] for part in (0, 0.25, 0.5, 0.75, 1)]
    peak = max(size for _, size in samples)
    row = "  ".join(f"{moment - samples[0][0]:.0f} s: {size}" for moment, size in shown)
    tqdm.write(f"{count:,} images, {epochs * (count // 16):,} steps; MiB resident: {row}; largest: {peak}")


def _resident(pid: int) -> int:
    """MiB; 0 where the process has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) // 1024 if found else 0


if __name__ == "__main__":
    main()
