"""Howard et al. 2017, "MobileNets": a depthwise convolution and one of 1x1, again and again."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import BatchNorm, Conv, Dense, GlobalAvgPool, Layer, pad
from zfjax.zoo.resnet import RESNET_SCALE, residual_recipe

# (name, maps, stride) of each pair, their Table 1, but that the last has stride 1: its maps are 7x7 before and after.
PAIRS = (
    ("conv2_1", 64, 1),
    ("conv2_2", 128, 2),
    ("conv3_1", 128, 1),
    ("conv3_2", 256, 2),
    ("conv4_1", 256, 1),
    ("conv4_2", 512, 2),
    *((f"conv5_{number}", 512, 1) for number in range(1, 6)),
    ("conv5_6", 1024, 2),
    ("conv6", 1024, 1),
)


def mobilenet_v1() -> Arch:
    """Of full width, with plain ReLUs: 224 -> 112, 112, 56, 28, 14, 7. The padding is 1 on all four sides."""
    options = {"kernel": 3, "padding": pad(1), "bias": None, "relu": False}
    layers: list[Layer] = [Conv("conv1", 32, strides=2, **options), BatchNorm("conv1/bn", relu=True)]
    below = 32
    for name, features, strides in PAIRS:
        layers += [
            Conv(f"{name}/dw", below, strides=strides, groups=below, **options),
            BatchNorm(f"{name}/dw/bn", relu=True),
            Conv(f"{name}/sep", features, kernel=1, bias=None, relu=False),
            BatchNorm(f"{name}/sep/bn", relu=True),
        ]
        below = features
    layers += [GlobalAvgPool("pool6"), Dense("fc7", relu=False)]
    return Arch(tuple(layers), image_size=224, recipe=residual_recipe(), input_scale=RESNET_SCALE)
