"""A run folder as a reader sees it: the network, its parameters alone, and what it was trained with."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.preprocess import Preprocess
from zfjax.runs.folder import CHECKPOINTS, check_files, find_run, read_class_names, read_config, read_mean
from zfjax.runs.size import check_size
from zfjax.runs.steps import steps
from zfjax.runs.stored import DamagedCheckpoint, restore
from zfjax.terminal import visible


class Run(NamedTuple):
    """A trained network and all that is needed to use it."""

    arch: Arch
    params: dict[str, dict[str, jax.Array]]  # params["conv1"]["kernel"] is HWIO
    preprocess: Preprocess  # run.preprocess(pictures) is what the network sees
    mean: np.ndarray  # float32 [S, S, C]; also in `preprocess`
    class_names: tuple[str, ...]
    config: dict
    step: int

    @property
    def variables(self) -> tuple[dict, Preprocess]:
        """What `zfjax.model.on_canvases` takes as its parameters."""
        return self.params, self.preprocess

    @property
    def shown_names(self) -> tuple[str, ...]:
        """The class names as people see them: where several classes have one, as ImageNet's two cranes, each with its
        number, "crane (134)", which counts from 0 as labels do."""
        often = Counter(self.class_names)
        return tuple(f"{name} ({i})" if often[name] > 1 else name for i, name in enumerate(self.class_names))


def load_run(path: str | Path, step: int | None = None) -> Run:
    """Reads a run folder: the parameters of `step`, or of the newest whole checkpoint.

    Warns in one line when a damaged newer checkpoint is passed over. Raises InputError when the path is no run
    folder, has no (such) checkpoint, or holds parameters that do not fit its architecture.
    """
    workdir = find_run(path)
    config = read_config(workdir)
    arch, names = _arch(workdir, config), read_class_names(workdir)
    if len(names) != arch.num_classes:
        raise InputError(f"{workdir}/classes.txt has {len(names)} names; the network has {arch.num_classes} classes")
    mean = read_mean(workdir)
    preprocess = _preprocess(workdir, config, arch, mean)
    step, params = _newest_params(workdir, arch) if step is None else (step, _given_params(workdir, arch, step))
    check_files(workdir)
    return Run(arch, params, preprocess, mean, names, config, step)


def _arch(workdir: Path, config: dict) -> Arch:
    try:
        arch = Arch.from_dict(config["arch"])
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{workdir}/config.json holds no architecture that this version knows ({error!r})") from error
    check_size(arch, "for one image", f"{workdir}/config.json describes it so")
    return arch


def _preprocess(workdir: Path, config: dict, arch: Arch, mean: np.ndarray) -> Preprocess:
    """As recorded; runs of earlier versions record the architecture alone, from which it follows."""
    try:
        earlier = {**Preprocess.of(arch).to_dict(), "smallest_side": len(mean)}
        data = config.get("preprocess", earlier)
        made = Preprocess.from_dict(data, mean)
    except (InputError, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{workdir}/config.json and mean.npy describe no preprocessing ({error})") from error
    if (made.crop, made.channels) != (arch.image_size, arch.channels):
        raise InputError(
            f"{workdir}/config.json prepares {made.crop}x{made.crop}x{made.channels} pixels; the network takes "
            f"{arch.image_size}x{arch.image_size}x{arch.channels}"
        )
    return made


def _newest_params(workdir: Path, arch: Arch) -> tuple[int, dict]:
    failed, tried = None, set()
    while left := [step for step in steps(workdir) if step not in tried]:  # a training may delete and add meanwhile
        step = left[-1]
        tried.add(step)
        try:
            return step, _params(workdir, arch, step)
        except _Damaged as error:
            if step in steps(workdir):
                failed = failed or error
                warnings.warn(visible(f"passed over a checkpoint: {error}"), stacklevel=3)
    raise failed or InputError(f"{workdir} has no checkpoint yet; the first is written when an epoch ends")


class _Damaged(InputError):
    """One step of several cannot be read."""


def _given_params(workdir: Path, arch: Arch, step: int) -> dict:
    if step not in (there := steps(workdir)):
        listed = f"it has {', '.join(map(str, there))}" if there else "it has none yet"
        raise InputError(f"{workdir} has no checkpoint of step {step}; {listed}")
    return _params(workdir, arch, step)


def _params(workdir: Path, arch: Arch, step: int) -> dict:
    try:
        return restore(workdir.absolute() / CHECKPOINTS / str(step), {"params": expected_params(arch)})["params"]
    except DamagedCheckpoint as error:
        raise _Damaged(f"the checkpoint of step {step} in {workdir} is damaged: {error}") from error


def expected_params(arch: Arch) -> dict[str, dict[str, jax.ShapeDtypeStruct]]:
    """The float32 parameters that an architecture has: kernels [h, w, in / groups, out] or [in, out], and so on."""
    return {
        row.name: {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in row.param_shapes.items()}
        for row in arch.rows
        if row.param_shapes
    }
