"""He et al. 2015, "Deep residual learning", named and strided as in torchvision, and how such networks are trained."""

from __future__ import annotations

import dataclasses

from zfjax.arch import Arch
from zfjax.layers import Add, BatchNorm, Conv, Dense, GlobalAvgPool, Layer, MaxPool, pad
from zfjax.recipe import Recipe

# Blocks of each of the four stages: their Table 1.
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BOTTLENECKS = (50, 101, 152)
# Pixels of 0..255 by their standard deviation in ImageNet (0.226 of 255 on average), as most train such nets.
RESNET_SCALE = 1 / 57.6


def residual_recipe() -> Recipe:
    """Of networks with BatchNorm: its scale and shift leave no work for a radius of the filters."""
    return Recipe(
        optimizer="sgd",
        learning_rate=0.1,  # He et al. 2015, section 3.4, as all that has no other source here
        weight_decay=1e-4,
        batch_size=256,
        epochs=90,  # Goyal et al. 2017, section 5.1
        init="he",
        schedule="cosine",  # He et al. 2018, "Bag of tricks", section 5.1: above steps of a tenth
        warmup_steps=400,  # He et al. 2015, section 4.2: what their network of 110 layers needs
        crops="random",
        filter_rms=0.0,
    )


def resnet(depth: int, *, shortcuts: bool = True) -> Arch:
    """torchvision's: where a stage begins, the 3x3 convolution has the stride, also in bottlenecks (He et al.: the 1x1
    before it). 224 -> 112, 56, 56, 28, 14, 7.

    shortcuts: without them it is their plain network, of 18 or 34 layers, which gets worse with depth (their Fig. 4).
    """
    block, widening = (_bottleneck, 4) if depth in BOTTLENECKS else (_basic, 1)
    layers: list[Layer] = [
        Conv("conv1", 64, kernel=7, strides=2, padding=pad(3), bias=None, relu=False),
        BatchNorm("bn1", relu=True),
        MaxPool("maxpool", padding=pad(1)),
    ]
    features = 64
    for stage, blocks in enumerate(DEPTHS[depth]):
        width = 64 * 2**stage
        for number in range(blocks):
            name, below, strides = f"layer{stage + 1}.{number}", layers[-1].name, 2 if stage and not number else 1
            branch = block(name, width, strides)
            if shortcuts:
                changed = strides != 1 or features != widening * width
                shortcut = _downsample(name, below, widening * width, strides) if changed else []
                ends = (branch[-1].name, shortcut[-1].name if shortcut else below)
                layers += [*branch, *shortcut, Add(name, inputs=ends, relu=True)]
            else:
                layers += [*branch[:-1], dataclasses.replace(branch[-1], relu=True)]
            features = widening * width
    layers += [GlobalAvgPool("avgpool"), Dense("fc", relu=False)]
    return Arch(tuple(layers), image_size=224, recipe=residual_recipe(), input_scale=RESNET_SCALE)


def _downsample(name: str, below: str, features: int, strides: int) -> list[Layer]:
    """The shortcut where the maps change: a convolution of 1x1."""
    options = {"kernel": 1, "strides": strides, "bias": None, "relu": False, "inputs": (below,)}
    return [Conv(f"{name}.downsample.0", features, **options), BatchNorm(f"{name}.downsample.1")]


def _basic(name: str, width: int, strides: int) -> list[Layer]:
    """Two convolutions of 3x3; what they read is the layer before in the table."""
    options = {"kernel": 3, "padding": pad(1), "bias": None, "relu": False}
    return [
        Conv(f"{name}.conv1", width, strides=strides, **options),
        BatchNorm(f"{name}.bn1", relu=True),
        Conv(f"{name}.conv2", width, **options),
        BatchNorm(f"{name}.bn2"),
    ]


def _bottleneck(name: str, width: int, strides: int) -> list[Layer]:
    """1x1, 3x3, and 1x1 to four times the width; what they read is the layer before in the table."""
    options = {"bias": None, "relu": False}
    return [
        Conv(f"{name}.conv1", width, kernel=1, **options),
        BatchNorm(f"{name}.bn1", relu=True),
        Conv(f"{name}.conv2", width, kernel=3, strides=strides, padding=pad(1), **options),
        BatchNorm(f"{name}.bn2", relu=True),
        Conv(f"{name}.conv3", 4 * width, kernel=1, **options),
        BatchNorm(f"{name}.bn3"),
    ]
