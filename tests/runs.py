"""Run folders that nobody has trained, commands called in this process, and programs in processes of their own."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nets import TINY, canvas_side, random_params

from zfjax.arch import Arch
from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run

ROOT = Path(__file__).resolve().parents[1]
SCENES = dataclasses.replace(TINY, num_classes=len(CLASS_NAMES))


def make_run(
    path: Path,
    arch: Arch = SCENES,
    states: Mapping[int, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    mean: np.ndarray | None = None,
    keep: Collection[int] = (),
    **config: object,
) -> Path:
    """A run folder with a checkpoint for each of `states`, {step: state}; None: random parameters as step 7.

    names: of the classes; None: class 0, class 1, ... mean: None for grey. keep: steps that are kept for ever.
    config: beside the architecture.
    """
    names = names or [f"class {number}" for number in range(arch.num_classes)]
    grey = np.full((canvas_side(arch), canvas_side(arch), arch.channels), 127.0)
    create_run(path, {"arch": arch.to_dict(), **config}, names, grey if mean is None else mean)
    random = {7: {"params": random_params(arch), "step": np.array(7)}}
    with Checkpoints(path) as checkpoints:
        for step, state in (random if states is None else states).items():
            checkpoints.save(step, state, keep=step in keep)
    return path


def random_run(path: Path, arch: Arch = SCENES) -> Path:
    """A network for the ten classes of scenes, by default TINY at 40 of 46 pixels, never trained."""
    return make_run(path, arch, names=CLASS_NAMES, keep=(7,), dataset="scenes", data_dir=None)


def run_script(module, arguments: Sequence[object], monkeypatch) -> None:
    """A command's main with these arguments, in this process."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    module.main()


class Ended(NamedTuple):
    """How a program came out."""

    code: int
    said: str
    errors: str


def start(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen:
    """Python with these arguments, a script's or -c PROGRAM, in a process of its own at the top of the repository."""
    command = [sys.executable, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=None if env is None else dict(env), text=True, **pipes)


def finish(process: subprocess.Popen, timeout: float = 180) -> Ended:
    """Waits for its end."""
    said, errors = process.communicate(timeout=timeout)
    return Ended(process.returncode, said, errors)


def one_cpu(devices: int = 1) -> dict[str, str]:
    """The environment of a program that computes: not the two devices of these tests."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices > 1 else ""
    return {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
