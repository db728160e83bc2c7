"""Simonyan & Zisserman 2014."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import VALID, BatchNorm, Conv, Layer, MaxPool, pad
from zfjax.recipe import Recipe
from zfjax.zoo.resnet import RESNET_SCALE, residual_recipe
from zfjax.zoo.zf import classifier

# Convolutions in each of the five blocks: configurations A, B, D and E of their Table 1.
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(depth: int, *, batch_norm: bool = False) -> Arch:
    """3x3 convolutions, 2x2 pools: 224 -> 112, 56, 28, 14, 7. batch_norm: after each convolution, as torchvision has
    it, whose convolutions keep their biases."""
    layers: list[Layer] = []
    for block, (count, features) in enumerate(zip(DEPTHS[depth], (64, 128, 256, 512, 512), strict=True), start=1):
        for number in range(1, count + 1):
            name = f"{block}_{number}"
            layers += [Conv(f"conv{name}", features, kernel=3, padding=pad(1), relu=not batch_norm)]
            layers += [BatchNorm(f"bn{name}", relu=True)] if batch_norm else []
        layers += [MaxPool(f"pool{block}", window=2, padding=VALID)]
    layers += classifier()
    if batch_norm:
        return Arch(tuple(layers), image_size=224, recipe=residual_recipe(), input_scale=RESNET_SCALE)
    return Arch(tuple(layers), image_size=224, recipe=Recipe(init="he", filter_rms=0.0))
