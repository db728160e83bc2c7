"""A run folder of an untrained network on the embedded scenes, which several tests draw from."""

import dataclasses
from pathlib import Path

from runs import SCENES, random_run, run_script

from zfjax.arch import Arch
from zfjax.cli import visualize

TINY_SCENES = dataclasses.replace(SCENES, name="tiny")


def make_scene_run(workdir: Path, arch: Arch = TINY_SCENES) -> Path:
    return random_run(workdir, arch)


def run_visualize(arguments: list[str], monkeypatch) -> None:
    run_script(visualize, arguments, monkeypatch)
