"""Small networks and random values that several tests share."""

import dataclasses

import numpy as np

from zfjax.arch import Arch, Recipe
from zfjax.layers import LRN, AvgPool, Conv, Dense, MaxPool, pad, round_up
from zfjax.runs.run import expected_params

HE = Recipe(init="he")

# ZFNet in miniature: overlapping pools that round up, contrast normalisation, padding, two dense layers.
TINY = Arch(
    layers=(
        Conv("conv1", 8, kernel=7, strides=2, padding=pad(1)),
        MaxPool("pool1"),
        LRN("norm1"),
        Conv("conv2", 6, kernel=3, padding=pad(1)),
        MaxPool("pool2"),
        Conv("conv3", 6, kernel=3, padding=pad(1), groups=2),
        Dense("fc4", 10),
        Dense("fc5", relu=False),
    ),
    image_size=40,
    num_classes=5,
    recipe=HE,
)
# AlexNet's order, an average pool, uneven padding, grey images.
ODD = Arch(
    layers=(
        Conv("conv1", 4, kernel=5, strides=3, padding=round_up(3)),
        LRN("norm1"),
        MaxPool("pool1", window=2, strides=1, padding=((1, 0), (1, 0))),
        Conv("conv2", 6, kernel=2, groups=2, relu=False),
        AvgPool("pool2"),
        Dense("fc3", relu=False),
    ),
    image_size=33,
    num_classes=3,
    channels=1,
    recipe=HE,
)


def pixels(arch: Arch, count: int = 2, seed: int = 0) -> np.ndarray:
    """Mean-free noise about as strong as photos, float32 [count, size, size, channels]."""
    shape = (count, arch.image_size, arch.image_size, arch.channels)
    return np.random.default_rng(seed).normal(scale=60, size=shape).astype(np.float32)


def random_params(arch: Arch, seed: int = 0) -> dict:
    """Parameters without structure: He-sized kernels and biases far from zero, so that leaking biases show."""
    rng = np.random.default_rng(seed)
    params = {}
    for layer, shapes in expected_params(arch).items():
        kernel = shapes["kernel"].shape
        scale = np.sqrt(2 / np.prod(kernel[:-1])) / (60 if layer == arch.layers[0].name else 1)
        params[layer] = {
            "kernel": rng.normal(scale=scale, size=kernel).astype(np.float32),
            "bias": rng.normal(scale=0.3, size=kernel[-1]).astype(np.float32),
        }
    return params


def without_relu(arch: Arch) -> Arch:
    layers = (dataclasses.replace(x, relu=False) if isinstance(x, Conv | Dense) else x for x in arch.layers)
    return dataclasses.replace(arch, layers=tuple(layers))
