"""The kinds of layer that an architecture is a table of: frozen values, checked when they are made. No JAX."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from zfjax import checks
from zfjax.errors import InputError

Pair = int | tuple[int, int]  # rows, columns; an int means both
Padding = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))
Shape = tuple[int, int, int]  # height, width, channels

VALID: Padding = ((0, 0), (0, 0))
IMAGE = "image"  # what layers that read the image name as their input


def pad(size: int) -> Padding:
    """The same padding on all four sides."""
    return ((size, size), (size, size))


def round_up(strides: int) -> Padding:
    """Padding on the bottom and right only, so that sizes round up (cuda-convnet; "ceil mode" elsewhere)."""
    return ((0, strides - 1), (0, strides - 1))


def checked_padding(padding: Padding) -> Padding:
    """As plain integers; raises ValueError for what is not ((top, bottom), (left, right)), such as "SAME"."""
    try:
        return checks.sides(padding)
    except (TypeError, ValueError):
        raise ValueError(f"padding must be ((top, bottom), (left, right)), from 0 on, not {padding!r}") from None


def pair(value: Pair) -> tuple[int, int]:
    """The same size for rows and columns."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


@dataclass(frozen=True)
class _Layer:
    """What every kind has. inputs: names of the layers it reads, or "image"; empty: the layer before it in the table.
    relu: whether its result is rectified at the end. Lists become tuples and NumPy's numbers plain ones, so that every
    layer hashes and survives JSON. Raises InputError for a value that its field cannot have."""

    name: str
    inputs: tuple[str, ...] = field(default=(), kw_only=True)
    relu: bool = field(default=False, kw_only=True)

    def __new__(cls, *args: Any, **kwargs: Any):
        """Looks at names alone, before the fields are filled; copies are made without any."""
        names = [each.name for each in fields(cls)]
        if wrong := [name for name in kwargs if name not in names]:
            near = difflib.get_close_matches(wrong[0], names, 1)
            hint = f": {near[0]} is meant?" if near else ""
            raise InputError(f"{cls.__name__} has no {wrong[0]}{hint}; it has {', '.join(names)}")
        needed = [each.name for each in fields(cls) if each.default is MISSING and not each.kw_only]
        missing = [name for name in needed[len(args) :] if name not in kwargs]
        if missing and (args or kwargs):
            raise InputError(f"{cls.__name__} needs {', '.join(needed)}; {', '.join(missing)} is missing")
        return super().__new__(cls)

    def __post_init__(self):
        for each in fields(self):
            value, (check, words) = getattr(self, each.name), _FIELDS[each.name]
            if value is None and each.name in ("bias", "features"):
                continue
            try:
                plain = check(value)
            except (TypeError, ValueError, OverflowError):
                name = type(self).__name__ if each.name == "name" else self.name
                raise InputError(f"{name}: {each.name} must be {words}, not {value!r}") from None
            object.__setattr__(self, each.name, plain)


_COUNT = (checks.whole(1), "a whole number from 1 on")
_PAIR = (checks.whole_pair, "a whole number from 1 on, or two of them for rows and columns")
_FINITE = (checks.number(), "a finite number")
_FIELDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "name": (checks.name, 'at most 200 letters, digits, "_", "-", ".", and single "/" between, as in inception_3a/1x1'),
    "inputs": (checks.names, 'a tuple of names of layers, such as ("conv1",)'),
    "relu": (checks.truth, "True or False"),
    "count_include_pad": (checks.truth, "True or False"),
    "features": _COUNT,
    "groups": _COUNT,
    "kernel": _PAIR,
    "window": _PAIR,
    "strides": _PAIR,
    "dilation": _PAIR,
    "padding": (
        checks.sides,
        "((top, bottom), (left, right)) of whole numbers from 0 on; zfjax.layers.pad(1) is one all round",
    ),
    "bias": (checks.number(), "a finite number, or None for no biases"),
    "n": (checks.odd, "an odd whole number from 1 on"),
    "k": _FINITE,
    "alpha": _FINITE,
    "beta": _FINITE,
    "eps": (checks.number(0), "a finite number from 0 on"),
    "momentum": (checks.number(0, 1), "a number in 0..1"),
    "rate": (checks.number(0, 1), "a number in 0..1"),
}


@dataclass(frozen=True)
class Conv(_Layer):
    """Convolution, bias, and ReLU. `bias` is where biases start under init="paper"; None: no biases.

    `features=None`: one map per class (a classifier, with a global mean after it). `dilation` puts that many places
    between the cells of a window (1: none are skipped).
    """

    features: int | None
    kernel: Pair
    strides: Pair = 1
    padding: Padding = VALID
    groups: int = 1
    bias: float | None = 0.0
    dilation: Pair = 1
    relu: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class MaxPool(_Layer):
    """Max pooling that records its switches."""

    window: Pair = 3
    strides: Pair = 2
    padding: Padding = round_up(2)


@dataclass(frozen=True)
class AvgPool(_Layer):
    """Average pooling. `count_include_pad`: whether padding counts as zeros in the mean, or not at all."""

    window: Pair = 2
    strides: Pair = 2
    padding: Padding = VALID
    count_include_pad: bool = True


@dataclass(frozen=True)
class GlobalAvgPool(_Layer):
    """The mean over all places of each map."""


@dataclass(frozen=True)
class LRN(_Layer):
    """Contrast normalisation across maps, b = a / (k + alpha * sum over n neighbours of a^2)^beta.

    `alpha` is NOT divided by n, as Krizhevsky et al. 2012 write it (PyTorch and Caffe divide: there it is 5e-4).
    """

    n: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75


@dataclass(frozen=True)
class BatchNorm(_Layer):
    """(x - mean) / sqrt(var + eps) * scale + bias for each map: over the batch in training, by running statistics
    otherwise, which keep `momentum` of their old value at each step (Ioffe & Szegedy 2015)."""

    eps: float = 1e-5
    momentum: float = 0.9


@dataclass(frozen=True)
class Dense(_Layer):
    """Fully connected layer on the flattened input, and ReLU. `features=None`: one per class (the classifier).
    `bias` as of Conv."""

    features: int | None = None
    bias: float | None = 0.0
    relu: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class Dropout(_Layer):
    """Sets a share `rate` of its input to zero and scales up the rest, in training only."""

    rate: float = 0.5


@dataclass(frozen=True)
class Concat(_Layer):
    """The maps of all its inputs, one after the other."""


@dataclass(frozen=True)
class Add(_Layer):
    """The sum of its inputs."""


@dataclass(frozen=True)
class Identity(_Layer):
    """Its input, under another name or rectified."""


Layer = Conv | MaxPool | AvgPool | GlobalAvgPool | LRN | BatchNorm | Dense | Dropout | Concat | Add | Identity
KINDS: dict[str, type[Layer]] = {kind.__name__: kind for kind in Layer.__args__}
