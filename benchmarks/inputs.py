"""The network and the images that both sides of a comparison get: random, the same every time, from NumPy alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from zfjax.arch import Arch
from zfjax.layers import Dropout
from zfjax.runs.run import expected_params
from zfjax.zoo import get_arch

MEAN = 120.0  # of all pixels, for the sake of having one to remove


def network(image_size: int = 224, name: str = "zf") -> tuple[Arch, dict]:
    """An architecture and random parameters for it: kernels by He's rule, biases about zero.

    With pixels of -120..135 the activations are in the tens, so that contrast normalisation has something to do.
    """
    arch = get_arch(name, image_size=image_size)
    rng = np.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        scale = math.sqrt(2 / math.prod(shape[:-1])) if len(shape) > 1 else 0.1
        return scale * rng.standard_normal(shape, dtype=np.float32)

    shapes = expected_params(arch)
    return arch, {layer: {name: draw(of.shape) for name, of in values.items()} for layer, values in shapes.items()}


def canvases(count: int, size: int) -> np.ndarray:
    """Noise with structure at several scales, uint8 [count, size, size, 3]."""
    rng = np.random.default_rng(1)
    total = np.zeros((count, size, size, 3), np.float32)
    for cell in (32, 8, 1):
        grid = rng.uniform(-1, 1, (count, -(-size // cell), -(-size // cell), 3)).astype(np.float32)
        total += grid.repeat(cell, axis=1).repeat(cell, axis=2)[:, :size, :size]
    return np.clip(MEAN + 60 * total, 0, 255).astype(np.uint8)


def crops(count: int, size: int) -> np.ndarray:
    """What a network sees of canvases of its own size: float32 [count, size, size, 3], mean removed."""
    return canvases(count, size).astype(np.float32) - MEAN


def without_dropout(arch: Arch) -> Arch:
    """The same network with nothing random in it."""
    layers = tuple(layer for layer in arch.layers if not isinstance(layer, Dropout))
    return dataclasses.replace(arch, layers=layers)
