"""Parameters that come from elsewhere as a run folder, which every command takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax import checks
from zfjax.arch import Arch
from zfjax.arguments import check_arch, check_params
from zfjax.errors import InputError, near
from zfjax.preprocess import Preprocess
from zfjax.runs.checkpoint import Checkpoints
from zfjax.runs.config import placed
from zfjax.runs.folder import create_run, versions
from zfjax.runs.lock import LOCK, locked
from zfjax.runs.steps import steps
from zfjax.runtime.places import user_path
from zfjax.terminal import some

_NNX = "; of a Flax NNX model nnx.state(model, (nnx.Param, nnx.BatchStat)) has them"
_COLLECTIONS = ("params", "batch_stats")  # of Flax's Linen


def save_run(
    path: str | Path,
    arch: Arch,
    params: Any,
    *,
    preprocess: Preprocess | None = None,
    mean: Any = None,
    class_names: Sequence[str] | None = None,
    dataset: str | None = None,
    step: int = 0,
) -> Path:
    """Makes a run folder of parameters of your own; returns its path, which `--ckpt` and `load_run` take.

    params: {layer: {"kernel", "bias", ...}}, floats, named and shaped as `init_params(key, arch)` has them: kernels of
    Conv [rows, columns, in / groups, out], of Dense [in, out] of maps flattened row by row, BatchNorm "scale", "bias",
    "mean" and "var". Flax names and turns them so: what Linen's `init` gives of a module whose layers are called as the
    table's drops in, with or without {"params": ...} and "batch_stats" around it, and so does `nnx.state(model,
    (nnx.Param, nnx.BatchStat))`. Stored as float32.
    preprocess: what becomes of a picture before the network sees it; or mean: [S, S, C] or [C] in 0..255, for
    `Preprocess.of(arch, mean)`, as networks are trained here. class_names: one for each of the network's classes; None:
    "class 0" and so on. dataset: where commands find images without --dataset, such as "folder:PATH"; None: nowhere.
    step: how long it was trained, for captions.
    Raises InputError, and writes nothing, where there is a folder with anything in it, or a file; for parameters that
    are not the architecture's, by the first layer that does not fit, and for a preprocessing of other images.
    """
    check_arch(arch)
    params = _plain(arch, params)
    preprocess = _preprocess(arch, preprocess, mean)
    names = _names(arch, class_names)
    checks.require(checks.whole(0), step, "step must be a whole number from 0 on")
    record = recorded(arch, preprocess, dataset=placed(dataset) if dataset else None)
    path = user_path(path)
    _refuse_taken(path)
    with locked(path):
        _refuse_taken(path)  # by another process meanwhile
        _fill(path, record, names, params, preprocess, step)
    return path


def recorded(arch: Arch, preprocess: Preprocess, **more: object) -> dict:
    """What a run folder records of a network that was not trained here."""
    return {
        "arch_name": arch.name,
        "image_size": arch.image_size,
        "arch": arch.to_dict(),
        "preprocess": preprocess.to_dict(),
        "versions": versions(),
        **more,
    }


def write_run(
    path: Path, record: dict, class_names: Sequence[str], params: dict, preprocess: Preprocess, *, step: int = 0
) -> None:
    """A run with one checkpoint, or nothing where it was made before, by the same record.

    params: as the architecture has them. Raises InputError as `create_run` does.
    """
    with locked(path):
        _fill(path, record, class_names, params, preprocess, step)


def _fill(
    path: Path, record: dict, class_names: Sequence[str], params: dict, preprocess: Preprocess, step: int
) -> None:
    side, mean = preprocess.smallest_side, 0.0 if preprocess.mean is None else preprocess.mean
    create_run(path, record, class_names, np.broadcast_to(np.asarray(mean), (side, side, preprocess.channels)))
    if not steps(path):
        with Checkpoints(path) as checkpoints:
            checkpoints.save(step, {"params": params, "step": np.int32(step)})
            checkpoints.verify()


def _refuse_taken(path: Path) -> None:
    try:
        there = sorted(each.name for each in path.iterdir() if each.name != LOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot make a run folder at {path} ({error.strerror}); give another path") from error
    if there:
        raise InputError(f"{path} holds {some(there)}, and nothing is written over; give another path")


def _preprocess(arch: Arch, preprocess: Preprocess | None, mean: Any) -> Preprocess:
    if (preprocess is None) == (mean is None):
        raise InputError(
            "save_run takes preprocess=, how a picture becomes what the network sees, such as zfjax.Preprocess("
            f"smallest_side={arch.image_size}, crop={arch.image_size}, scale=1 / 255), or mean=, one of the two"
        )
    made = Preprocess.of(arch, np.asarray(mean, np.float32)) if preprocess is None else preprocess
    if not isinstance(made, Preprocess):
        raise InputError(f"preprocess must be a zfjax.Preprocess, not a value of type {type(made).__name__}")
    if (made.crop, made.channels) != (arch.image_size, arch.channels):
        raise InputError(
            f"the preprocessing makes images [{made.crop}, {made.crop}, {made.channels}], and {arch.name} takes "
            f"[{arch.image_size}, {arch.image_size}, {arch.channels}]"
        )
    arrays = {name: getattr(made, name) for name in ("mean", "std") if getattr(made, name) is not None}
    return dataclasses.replace(made, **jax.tree.map(np.asarray, arrays))  # whose shapes are looked at


def _names(arch: Arch, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(f"class {number}" for number in range(arch.num_classes))
    if isinstance(names, str) or len(names) != arch.num_classes:
        given = repr(names) if isinstance(names, str) else f"{len(names):,}"
        raise InputError(f"class_names must be {arch.num_classes:,} names, one for each class, not {given}")
    return tuple(checks.require(checks.line, name, "class names must be one line each") for name in names)


def _plain(arch: Arch, params: Any) -> dict[str, dict[str, np.ndarray]]:
    """The same as dictionaries of float32 arrays; raises InputError for those of another network."""
    tree = {layer: _arrays(layer, own) for layer, own in _layers(params).items()}
    check_params(arch, tree)
    expected = {row.name: row.param_shapes for row in arch.rows}
    for layer, own in tree.items():
        if layer not in expected:
            raise InputError(f"the parameters have a layer {layer!r}; {arch.name} has {near(layer, arch.layer_names)}")
        if extra := [name for name in own if name not in expected[layer]]:
            has = ", ".join(expected[layer]) or "no parameters"
            shape = list(own[extra[0]].shape)
            raise InputError(f"the parameters have {layer}/{extra[0]} {shape}; {layer} of {arch.name} has {has}")
        for name, array in own.items():
            if not np.isfinite(array).all():
                raise InputError(f"{layer}/{name} holds values that are not finite")
    return {layer: own for layer, own in tree.items() if own}


def _layers(params: Any) -> dict[str, dict]:
    """{layer: {name: leaf}} without what Flax puts around it."""
    if not isinstance(params, Mapping):
        raise InputError(f"the parameters must be {{layer: {{name: array}}}}, not {type(params).__name__}{_NNX}")
    around = [name for name in _COLLECTIONS if name in params and _is_tree_of_layers(params[name])]
    merged: dict[str, dict] = {}
    for part in [params[name] for name in around] or [params]:
        for layer, own in part.items():
            if not isinstance(own, Mapping):
                raise InputError(f"the parameters of {layer} must be {{name: array}}, not of type {type(own).__name__}")
            merged.setdefault(layer, {}).update(own)
    return merged


def _is_tree_of_layers(tree: Any) -> bool:
    return isinstance(tree, Mapping) and all(isinstance(own, Mapping) for own in tree.values())


def _arrays(layer: str, own: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = {}
    for name, leaf in own.items():
        value = leaf.get_value() if hasattr(leaf, "get_value") else leaf  # a Variable of Flax's NNX
        kind = getattr(value, "dtype", None)
        if kind is None or not jnp.issubdtype(kind, jnp.floating):
            arrived = kind or f"of type {type(value).__name__}{_NNX if isinstance(value, Mapping) else ''}"
            raise InputError(f"{layer}/{name} must be an array of floats, not {arrived}")
        found[name] = np.asarray(value).astype(np.float32)
    return found
