"""Which layer of ours a module of a file is: by our own names, by torchvision's, or by the order in both."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from zfjax.arch import Arch
from zfjax.layers import Dense, Dropout
from zfjax.terminal import visible

_SHOWN = 80  # characters of a name from a file


class Entry(NamedTuple):
    """One tensor of a file under its full name."""

    name: str
    array: np.ndarray


Modules = dict[str, dict[str, Entry]]  # {module: {"weight", "bias", "mean", "var"}}, in the file's order

_PARTS = {
    "weight": ("weight", "kernel", "scale", "gamma", "w", "W"),
    "bias": ("bias", "beta", "b", "B"),
    "mean": ("running_mean", "moving_mean", "mean"),
    "var": ("running_var", "moving_variance", "var"),
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_NAME = re.compile(rf"(.+?)[./_]({'|'.join(sorted(_PART_OF, key=len, reverse=True))})")
_HEADS_IN_TRAINING = ("aux1.", "aux2.")  # of torchvision's GoogLeNet, which nothing else needs


def modules_of(tensors: dict[str, np.ndarray], arch: Arch) -> tuple[Modules, list[str]]:
    """The tensors by module, with dots in place of slashes, and the names of those that belong to none.

    GoogLeNet's auxiliary classifiers are left out where the network has none.
    """
    modules: Modules = {}
    others = []
    left_out = tuple(
        head for head in _HEADS_IN_TRAINING if not any(_dotted(n).startswith(head) for n in arch.layer_names)
    )
    for name, array in tensors.items():
        found = _NAME.fullmatch(name)
        module = _dotted(found[1]) if found else ""
        if module.startswith(left_out) and left_out:
            continue
        parts = modules.setdefault(module, {}) if found else {}
        if not found or _PART_OF[found[2]] in parts:
            others.append(name)
        else:
            parts[_PART_OF[found[2]]] = Entry(name, array)
    return modules, others


def modules_by_layer(modules: Modules, arch: Arch) -> tuple[dict[str, str], bool]:
    """{layer: module} for every layer of the network that has parameters, and whether it is by name.

    A naming counts when the file has half of its modules; by order there is a module for each layer while they last.
    """
    layers = [row.name for row in arch.rows if row.param_shapes]
    sequential = sequential_names(arch)
    namings = [{name: _dotted(name) for name in layers}, {name: sequential[name] for name in layers}]
    best = max(namings, key=lambda naming: len(modules.keys() & naming.values()))
    if 2 * len(modules.keys() & best.values()) >= len(layers):
        return best, True
    names, first = list(modules), [next(iter(parts.values())).name for parts in modules.values()]
    if first == sorted(first):  # safetensors and trees of JAX are in this order, with conv10 before conv2
        names.sort(key=_natural)
    return dict(zip(layers, names, strict=False)), False


def sequential_names(arch: Arch) -> dict[str, str]:
    """torchvision's names of a chain's layers, "features.0", "classifier.6": of AlexNet, VGG and SqueezeNet.

    Its two lists count ReLUs, pools and dropout too; a fire module is one place. The second begins with the first layer
    of dropout or of full connections.
    """
    names, part, place, group = {}, "features", 0, ""
    for row in arch.rows:
        outer, _, inner = row.name.rpartition("/")
        if part == "features" and isinstance(row.layer, Dropout | Dense):
            part, place = "classifier", 0
        if outer and outer == group:
            place -= 1  # still the same module
        group = outer
        suffix = re.sub(r"^squeeze1x1$", "squeeze", inner)
        names[row.name] = f"{part}.{place}.{suffix}" if outer else f"{part}.{place}"
        place += 1 if outer else 1 + row.layer.relu
    return names


def shown(names: list[str], most: int = 3) -> str:
    """The first few of many names, of which some come from a file."""
    few = ", ".join(visible(name[:_SHOWN]) for name in names[:most])
    return f"{few}, ..." if len(names) > most else few


def _dotted(name: str) -> str:
    return name.replace("/", ".")


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that puts conv2 before conv10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
