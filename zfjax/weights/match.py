"""Tensors of a file as the parameters of a network of ours: other names, other orders of axes, other class counts."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Conv, Dense
from zfjax.rows import Row
from zfjax.weights.names import Entry, Modules, modules_by_layer, modules_of, shown

_OUTPUTS = 16  # that are turned at a time: AlexNet's fc6 takes 0.12 s, and all 4,096 at once 0.94 s


class Matched(NamedTuple):
    """A network with the weights of a file."""

    arch: Arch  # with the file's count of classes
    params: dict[str, dict[str, np.ndarray]]  # float32, as `zfjax.init_params` makes them
    note: str  # what a user should be told, that not the names but the order matched; or ""


class _Problems(NamedTuple):
    """What keeps a file from being a network."""

    missing: list[str]
    misfits: list[str]
    extra: list[str]


def match(tensors: dict[str, np.ndarray], arch: Arch, *, source: str = "the file") -> Matched:
    """Puts every tensor where it belongs; none is left over and none is lacking.

    tensors: as `read_tensors` has them. Kernels may be as PyTorch has them, [out, in, rows, columns] and [out, in] with
    maps before places, or as ours, [rows, columns, in, out] and [in, out]; which, the shapes of all of them say.
    Raises InputError that names the first few that are missing, of another shape, or without a place, and how many.
    """
    modules, others = modules_of(tensors, arch)
    places, by_name = modules_by_layer(modules, arch)
    count = sum(bool(row.param_shapes) for row in arch.rows)
    if not by_name and len(modules) != count:
        has = f"it has {len(modules)} layers with weights ({shown([*modules, *others])})"
        raise InputError(f"{source} does not fit {arch.name}: {has}, and {arch.name} {count} ({shown([*places])})")
    made = _placed(modules, others, places, arch)
    if isinstance(made, str) and by_name and len(modules) == count:  # fc3 may be another layer's name there
        by_order = dict(zip(places, modules, strict=True))
        if not isinstance(again := _placed(modules, others, by_order, arch), str):
            made, places, by_name = again, by_order, False
    if isinstance(made, str):
        raise InputError(f"{source} does not fit {arch.name}: {made}")
    return Matched(*made, "" if by_name else _note(places, source, arch))


def _placed(modules: Modules, others: list[str], places: dict[str, str], arch: Arch) -> tuple[Arch, dict] | str:
    """The network with the file's count of classes and its parameters, or a sentence on what keeps it from being one.

    places: {layer: module of the file}.
    """
    found = {layer: modules.get(module, {}) for layer, module in places.items()}
    of_torch = _of_torch(arch, found)
    arch = _with_classes(arch, found, of_torch)
    problems = _Problems([], [], [*others])
    rows = [row for row in arch.rows if row.param_shapes]
    params = {row.name: _layer_params(row, places[row.name], found[row.name], of_torch, problems) for row in rows}
    for module in (name for name in modules if name not in places.values()):
        problems.extra.extend(entry.name for entry in modules[module].values())
    return f"{_sentence(problems)}{_other_size(arch, found, of_torch)}" if any(problems) else (arch, params)


def _kernel(row: Row, found: Modules) -> Entry | None:
    return found[row.name].get("weight") if "kernel" in row.param_shapes else None


def _kernel_shape(row: Row, of_torch: bool) -> tuple[int, ...]:
    shape = row.param_shapes["kernel"]
    return (*shape[::-1][:2], *shape[:-2]) if of_torch else shape


def _of_torch(arch: Arch, found: Modules) -> bool:
    """Whether kernels have PyTorch's order of axes: where a square one cannot say it, the others do."""
    fits = {True: 0, False: 0}
    for row in arch.rows:
        if entry := _kernel(row, found) if row.param_shapes else None:
            for of_torch in fits:
                fits[of_torch] += entry.array.shape == _kernel_shape(row, of_torch)
    return fits[True] >= fits[False]


def _with_classes(arch: Arch, found: Modules, of_torch: bool) -> Arch:
    """The network with as many classes as the file's classifier has."""
    for row in arch.rows:
        if isinstance(row.layer, Conv | Dense) and row.layer.features is None and (entry := _kernel(row, found)):
            if classes := entry.array.shape[:1] if of_torch else entry.array.shape[-1:]:
                return dataclasses.replace(arch, num_classes=classes[0])
    return arch


def _layer_params(
    row: Row, module: str, parts: dict[str, Entry], of_torch: bool, problems: _Problems
) -> dict[str, np.ndarray]:
    """One layer's parameters; what keeps them from being any is added to `problems`."""
    params, left = {}, dict(parts)
    for name, shape in row.param_shapes.items():
        part = "weight" if name in ("kernel", "scale") else name
        wanted = _kernel_shape(row, of_torch) if name == "kernel" else shape
        if (entry := left.pop(part, None)) is None:
            problems.missing.append(f"{module}.{part}")
        elif entry.array.shape != wanted:
            problems.misfits.append(f"{entry.name} is {_size(entry.array.shape)} in place of {_size(wanted)}")
        elif entry.array.dtype != np.float32 or (name == "var" and entry.array.min() < 0):
            problems.misfits.append(f"{entry.name} has {'variances below 0' if name == 'var' else entry.array.dtype}")
        else:
            params[name] = _as_ours(row, entry.array) if name == "kernel" and of_torch else entry.array
    problems.extra.extend(entry.name for entry in left.values())
    return params


def _as_ours(row: Row, kernel: np.ndarray) -> np.ndarray:
    """PyTorch's order of axes as ours. It flattens a map [C, H, W], and we [H, W, C]."""
    if isinstance(row.layer, Dense):
        height, width, channels = row.input_shape
        kernel = kernel.reshape(-1, channels, height, width)
    turned = kernel.transpose(2, 3, 1, 0)
    ours = np.empty(turned.shape, np.float32)
    for start in range(0, len(kernel), _OUTPUTS):
        ours[..., start : start + _OUTPUTS] = turned[..., start : start + _OUTPUTS]
    return ours.reshape(row.param_shapes["kernel"])


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _sentence(problems: _Problems) -> str:
    missing, misfits, extra = problems
    parts = [f"{len(missing)} missing ({shown(missing)})"] if missing else []
    parts += [f"{len(misfits)} of another shape or type ({shown(misfits)})"] if misfits else []
    parts += [f"{len(extra)} without a place ({shown(extra)})"] if extra else []
    return "; ".join(parts)


def _other_size(arch: Arch, found: Modules, of_torch: bool) -> str:
    """What to say where a layer on a whole map has weights for a map of another size; "" elsewhere."""
    for row in arch.rows:
        if isinstance(row.layer, Dense) and row.input_shape[:2] != (1, 1) and (entry := _kernel(row, found)):
            places, rest = divmod(entry.array.shape[-1 if of_torch else 0], row.input_shape[2])
            side = math.isqrt(places)
            if entry.array.ndim == 2 and not rest and side * side == places != math.prod(row.input_shape[:2]):
                ours = f"{_size(row.input_shape[:2])} at {arch.image_size} pixels"
                return f"; its {row.name} is for maps of {side}x{side}, which are {ours}: give the size of its training"
    return ""


def _note(places: dict[str, str], source: str, arch: Arch) -> str:
    pairs = shown([f"{module} as {layer}" for layer, module in places.items()])
    return f"the layers of {source} have other names than those of {arch.name}; they were taken in order: {pairs}"
