"""Iandola et al. 2016, "SqueezeNet": fire modules, and a convolution as the classifier."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import VALID, Concat, Conv, Dropout, GlobalAvgPool, Layer, MaxPool, Padding, pad
from zfjax.recipe import Recipe

# Maps that fire2 to fire9 squeeze to; each of their two expansions has four times as many.
SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)
# The authors' solver, but for init and crops; of what there is here a cosine comes nearest to its linear decay.
RECIPE = Recipe(
    learning_rate=0.04,
    weight_decay=2e-4,
    batch_size=512,
    epochs=68,  # 170,000 steps
    init="he",
    schedule="cosine",
    crops="random",
    filter_rms=0.0,
)


def squeezenet(version: str = "1.0", image_size: int = 224, last_padding: Padding = VALID) -> Arch:
    """Version 1.0 (their Table 1) or 1.1 (smaller filters in conv1, earlier pools). Sizes round up as in Caffe.

    last_padding: of conv10, 1 all round in Caffe's 1.0, none in torchvision's.
    """
    features, kernel = (96, 7) if version == "1.0" else (64, 3)
    pooled = (4, 8) if version == "1.0" else (3, 5)
    layers: list[Layer] = [Conv("conv1", features, kernel, strides=2), MaxPool("pool1")]
    for number, squeezed in enumerate(SQUEEZED, start=2):
        layers += _fire(f"fire{number}", squeezed)
        layers += [MaxPool(f"pool{number}")] if number in pooled else []
    layers += [
        Dropout("drop9"),
        Conv("conv10", features=None, kernel=1, padding=last_padding),
        GlobalAvgPool("pool10"),
    ]
    return Arch(tuple(layers), image_size=image_size, recipe=RECIPE)


def caffe_squeezenet() -> Arch:
    """Version 1.0 as its authors trained it with Caffe: 227 -> 111, 55, 27, 13, 15."""
    return squeezenet(image_size=227, last_padding=pad(1))


def _fire(name: str, squeezed: int) -> list[Layer]:
    squeeze, one, three = (f"{name}/{part}" for part in ("squeeze1x1", "expand1x1", "expand3x3"))
    return [
        Conv(squeeze, squeezed, kernel=1),
        Conv(one, 4 * squeezed, kernel=1, inputs=(squeeze,)),
        Conv(three, 4 * squeezed, kernel=3, padding=pad(1), inputs=(squeeze,)),
        Concat(f"{name}/concat", inputs=(one, three)),
    ]
