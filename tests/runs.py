"""A run folder of random parameters, and the scripts called on it."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
from nets import TINY, canvas_side, random_params

from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.folder import create_run

SCENES = dataclasses.replace(TINY, num_classes=len(CLASS_NAMES))


def random_run(path: Path) -> Path:
    """TINY for the ten classes of scenes, at 40 of 46 pixels, never trained."""
    side = canvas_side(SCENES)
    config = {"arch": SCENES.to_dict(), "dataset": "scenes", "data_dir": None}
    create_run(path, config, CLASS_NAMES, np.full((side, side, 3), 127.0))
    with Checkpoints(path) as checkpoints:
        checkpoints.save(7, {"params": random_params(SCENES), "step": np.array(7)}, keep=True)
    return path


def run_script(module, arguments: list[str], monkeypatch) -> None:
    """A script's main with these arguments."""
    monkeypatch.setattr(sys, "argv", [module.__name__, *arguments])
    module.main()
