"""Simonyan & Zisserman 2014."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import VALID, Conv, Layer, MaxPool, pad
from zfjax.recipe import Recipe
from zfjax.zoo.zf import classifier


def vgg16() -> Arch:
    """VGG-16: 3x3 convolutions, 2x2 pools: 224 -> 112, 56, 28, 14, 7."""
    layers: list[Layer] = []
    for block, (depth, features) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
        layers += [Conv(f"conv{block}_{i + 1}", features, kernel=3, padding=pad(1)) for i in range(depth)]
        layers += [MaxPool(f"pool{block}", window=2, padding=VALID)]
    recipe = Recipe(init="he", filter_rms=0.0)
    return Arch((*layers, *classifier()), image_size=224, recipe=recipe)
