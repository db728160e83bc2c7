"""A run folder of an untrained network on the embedded scenes, which several tests draw from."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
from nets import TINY, random_params

from zfjax.arch import Arch
from zfjax.cli import visualize
from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run

TINY_SCENES = dataclasses.replace(TINY, num_classes=len(CLASS_NAMES), name="tiny")


def make_scene_run(workdir: Path, arch: Arch = TINY_SCENES) -> Path:
    config = {"arch": arch.to_dict(), "dataset": "scenes", "data_dir": None}
    create_run(workdir, config, CLASS_NAMES, np.full((46, 46, arch.channels), 127.0))
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(3, {"params": random_params(arch), "step": np.array(3)})
    return workdir


def run_visualize(arguments: list[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["visualize.py", *arguments])
    visualize.main()
