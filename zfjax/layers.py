"""The kinds of layer that an architecture is a table of: frozen values, no behaviour, no JAX."""

from __future__ import annotations

from dataclasses import dataclass

Padding = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))
Shape = tuple[int, int, int]  # height, width, channels

VALID: Padding = ((0, 0), (0, 0))


def pad(size: int) -> Padding:
    """The same padding on all four sides."""
    return ((size, size), (size, size))


def round_up(strides: int) -> Padding:
    """Padding on the bottom and right only, so that sizes round up (cuda-convnet; "ceil mode" elsewhere)."""
    return ((0, strides - 1), (0, strides - 1))


@dataclass(frozen=True)
class Conv:
    """Convolution, bias, and ReLU. `bias` is what the biases start from with the paper's weights."""

    name: str
    features: int
    kernel: int
    strides: int = 1
    padding: Padding = VALID
    groups: int = 1
    relu: bool = True
    bias: float = 0.0


@dataclass(frozen=True)
class MaxPool:
    """Max pooling that records its switches."""

    name: str
    window: int = 3
    strides: int = 2
    padding: Padding = round_up(2)


@dataclass(frozen=True)
class AvgPool:
    """Average pooling without padding."""

    name: str
    window: int = 2
    strides: int = 2


@dataclass(frozen=True)
class LRN:
    """Contrast normalisation across maps, b = a / (k + alpha * sum over n neighbours of a^2)^beta.

    `alpha` is NOT divided by n, as Krizhevsky et al. 2012 write it (PyTorch and Caffe divide: there it is 5e-4).
    """

    name: str
    n: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75


@dataclass(frozen=True)
class Dense:
    """Fully connected layer on the flattened input, and ReLU. `features=None`: one per class (the classifier)."""

    name: str
    features: int | None = None
    relu: bool = True
    bias: float = 0.0


@dataclass(frozen=True)
class Dropout:
    """Sets a share `rate` of its input to zero and scales up the rest, in training only."""

    name: str
    rate: float = 0.5


Layer = Conv | MaxPool | AvgPool | LRN | Dense | Dropout
KINDS = {kind.__name__: kind for kind in (Conv, MaxPool, AvgPool, LRN, Dense, Dropout)}
