"""Szegedy et al. 2014, "Going deeper with convolutions": inception modules, as in the paper and with BatchNorm."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from zfjax.arch import Arch
from zfjax.layers import (
    LRN,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Layer,
    MaxPool,
    pad,
    round_up,
)
from zfjax.recipe import Recipe
from zfjax.zoo.resnet import RESNET_SCALE, residual_recipe


class Module(NamedTuple):
    """One line of their Table 1: maps of the branches of an inception module."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    pooled: int


MODULES = {
    "3a": Module(64, 96, 128, 16, 32, 32),
    "3b": Module(128, 128, 192, 32, 96, 64),
    "4a": Module(192, 96, 208, 16, 48, 64),
    "4b": Module(160, 112, 224, 24, 64, 64),
    "4c": Module(128, 128, 256, 24, 64, 64),
    "4d": Module(112, 144, 288, 32, 64, 64),
    "4e": Module(256, 160, 320, 32, 128, 128),
    "5a": Module(256, 160, 320, 32, 128, 128),
    "5b": Module(384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # modules that a pool follows
RECIPE = Recipe(
    learning_rate=0.01,  # this and the decay: Caffe's solver for this network; the paper gives no numbers
    weight_decay=2e-4,
    batch_size=128,
    init="he",
    schedule="cosine",  # theirs falls by 4 % every 8 epochs, in trainings of many epochs
    crops="random",
    filter_rms=0.0,
)


def googlenet(*, auxiliary: bool = False) -> Arch:
    """The paper's, with Caffe's names and its normalisation (k = 1, alpha = 1e-4 divided by n).

    224 -> 112, 56, 56, 28, 14, 7. auxiliary: with the two classifiers that only training uses, on 4a and 4d, whose
    losses count 0.3 times (their section 5).
    """
    layers: list[Layer] = [
        Conv("conv1/7x7_s2", 64, kernel=7, strides=2, padding=pad(3)),
        MaxPool("pool1/3x3_s2"),
        LRN("pool1/norm1", k=1.0, alpha=1e-4 / 5),
        Conv("conv2/3x3_reduce", 64, kernel=1),
        Conv("conv2/3x3", 192, kernel=3, padding=pad(1)),
        LRN("conv2/norm2", k=1.0, alpha=1e-4 / 5),
        MaxPool("pool2/3x3_s2"),
    ]
    below = layers[-1].name
    for name, module in MODULES.items():
        layers += _inception(f"inception_{name}", below, module)
        below = layers[-1].name
        if name in POOLED:
            below = f"pool{name[0]}/3x3_s2"
            layers += [MaxPool(below)]
        if auxiliary and name in ("4a", "4d"):
            layers += _auxiliary("loss1" if name == "4a" else "loss2", below)
    last = [Dropout("pool5/drop_7x7_s1", 0.4), Dense("loss3/classifier", relu=False)]
    layers += [GlobalAvgPool("pool5/7x7_s1"), *last]
    heads = ("loss1/classifier", "loss2/classifier") if auxiliary else ()
    return Arch(tuple(layers), image_size=224, recipe=dataclasses.replace(RECIPE, auxiliary=heads))


def _inception(name: str, below: str, module: Module) -> list[Layer]:
    ends = [f"{name}/{end}" for end in ("1x1", "3x3", "5x5", "pool_proj")]
    return [
        Conv(ends[0], module.one, kernel=1, inputs=(below,)),
        Conv(f"{name}/3x3_reduce", module.reduce3, kernel=1, inputs=(below,)),
        Conv(ends[1], module.three, kernel=3, padding=pad(1)),
        Conv(f"{name}/5x5_reduce", module.reduce5, kernel=1, inputs=(below,)),
        Conv(ends[2], module.five, kernel=5, padding=pad(2)),
        MaxPool(f"{name}/pool", strides=1, padding=pad(1), inputs=(below,)),
        Conv(ends[3], module.pooled, kernel=1),
        Concat(f"{name}/output", inputs=tuple(ends)),
    ]


def _auxiliary(name: str, below: str) -> list[Layer]:
    return [
        AvgPool(f"{name}/ave_pool", window=5, strides=3, inputs=(below,)),
        Conv(f"{name}/conv", 128, kernel=1),
        Dense(f"{name}/fc", 1024),
        Dropout(f"{name}/drop_fc", 0.7),
        Dense(f"{name}/classifier", relu=False),
    ]


def googlenet_bn() -> Arch:
    """torchvision's, named as there: BatchNorm after every convolution, no other normalisation, 3x3 filters where the
    paper has 5x5, and a last pool of 2x2."""
    layers = [
        *_normed("conv1", 64, 7, strides=2),
        MaxPool("maxpool1"),
        *_normed("conv2", 64, 1),
        *_normed("conv3", 192, 3),
        MaxPool("maxpool2"),
    ]
    for name, module in MODULES.items():
        layers += _inception_bn(f"inception{name}", layers[-1].name, module)
        if name in POOLED:
            number = int(name[0])
            window = {3: 3, 4: 2}[number]
            layers += [MaxPool(f"maxpool{number}", window=window, padding=round_up(2))]
    layers += [GlobalAvgPool("avgpool"), Dropout("dropout", 0.2), Dense("fc", relu=False)]
    return Arch(tuple(layers), image_size=224, recipe=residual_recipe(), input_scale=RESNET_SCALE)


def _inception_bn(name: str, below: str, module: Module) -> list[Layer]:
    branches = [
        _normed(f"{name}.branch1", module.one, 1, below),
        [*_normed(f"{name}.branch2.0", module.reduce3, 1, below), *_normed(f"{name}.branch2.1", module.three, 3)],
        [*_normed(f"{name}.branch3.0", module.reduce5, 1, below), *_normed(f"{name}.branch3.1", module.five, 3)],
        [
            MaxPool(f"{name}.branch4.0", strides=1, padding=pad(1), inputs=(below,)),
            *_normed(f"{name}.branch4.1", module.pooled, 1),
        ],
    ]
    join = Concat(name, inputs=tuple(branch[-1].name for branch in branches))
    return [*(layer for branch in branches for layer in branch), join]


def _normed(name: str, features: int, kernel: int, below: str = "", strides: int = 1) -> list[Layer]:
    """A convolution with BatchNorm and ReLU. below: what it reads; "": the layer before."""
    padding, inputs = pad(kernel // 2), (below,) if below else ()
    conv = Conv(f"{name}.conv", features, kernel, strides, padding, bias=None, relu=False, inputs=inputs)
    return [conv, BatchNorm(f"{name}.bn", eps=1e-3, relu=True)]
