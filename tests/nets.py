"""Small networks and random values that several tests share."""

import dataclasses

import numpy as np

from zfjax.arch import Arch
from zfjax.layers import LRN, AvgPool, Conv, Dense, MaxPool, pad, round_up
from zfjax.preprocess import Preprocess
from zfjax.recipe import Recipe
from zfjax.runs.run import Run

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
    """Parameters without structure: He-sized kernels, biases and statistics far from zero, so that leaks show."""
    rng = np.random.default_rng(seed)
    params = {}
    for row in arch.rows:
        if not row.param_shapes:
            continue
        kernel = row.param_shapes.get("kernel", (1, *row.shape[2:]))
        scale = np.sqrt(2 / np.prod(kernel[:-1])) / (60 if row.inputs == ("image",) else 1)
        spread = {"kernel": (0, scale), "bias": (0, 0.3), "scale": (1, 0.3), "mean": (0, 0.3), "var": (2, 0.3)}
        params[row.name] = {
            name: rng.normal(*spread[name], size=shape).astype(np.float32) for name, shape in row.param_shapes.items()
        }
    return params


def run_of(arch: Arch, params: dict, mean: np.ndarray, class_names: tuple[str, ...], config=None, step: int = 0) -> Run:
    """A run as `load_run` gives it, of these parts."""
    preprocess = dataclasses.replace(Preprocess.of(arch, mean), smallest_side=len(mean))
    return Run(arch, params, preprocess, mean, class_names, config or {}, step)


def canvas_side(arch: Arch) -> int:
    return Preprocess.of(arch).smallest_side


def middle(canvases: np.ndarray, mean: np.ndarray, size: int) -> np.ndarray:
    """What a network sees of canvases whose mean is removed, by plain numpy."""
    start = (canvases.shape[1] - size) // 2
    inside = np.s_[:, start : start + size, start : start + size]
    return canvases[inside].astype(np.float32) - np.asarray(mean, np.float32)[None][inside]


def without_relu(arch: Arch) -> Arch:
    layers = (dataclasses.replace(x, relu=False) if x.relu else x for x in arch.layers)
    return dataclasses.replace(arch, layers=tuple(layers))
