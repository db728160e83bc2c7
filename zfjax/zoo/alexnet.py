"""Krizhevsky et al. 2012: replicated, with layers removed or resized as in Table 3, and as other libraries have it."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import LRN, VALID, Conv, Dense, Dropout, MaxPool, pad, round_up
from zfjax.recipe import Recipe
from zfjax.zoo.zf import classifier


def alexnet(middle: bool = True, fc6: int | None = 4096, fc7: int | None = 4096) -> Arch:
    """The replica of Krizhevsky et al. 2012: groups in layers 2, 4, 5, normalisation before pooling.

    224 is rounded up to 55 as in their program (4 * 54 + 11 = 227). Section 4.1 of Zeiler & Fergus calls layers
    3, 4, 5 the sparse ones; in the original layer 3 sees both halves.
    """
    three_four = (
        Conv("conv3", 384, kernel=3, padding=pad(1)),
        Conv("conv4", 384, kernel=3, padding=pad(1), groups=2, bias=1.0),
    )
    layers = (
        Conv("conv1", 96, kernel=11, strides=4, padding=round_up(4)),
        LRN("norm1"),
        MaxPool("pool1"),
        Conv("conv2", 256, kernel=5, padding=pad(2), groups=2, bias=1.0),
        LRN("norm2"),
        MaxPool("pool2"),
        *(three_four if middle else ()),
        Conv("conv5", 256, kernel=3, padding=pad(1), groups=2, bias=1.0),
        MaxPool("pool5"),
        *classifier(fc6, fc7, bias=1.0),
    )
    return Arch(layers, image_size=224)


def caffe_alexnet(*, pool_first: bool) -> Arch:
    """Caffe's two: bvlc_alexnet normalises before it pools, bvlc_reference_caffenet after (`pool_first`).

    227 pixels without padding give the same 55 places; Caffe's defaults k = 1 and alpha = 1e-4 divided by n.
    """
    joined = []
    for number, conv in (
        (1, Conv("conv1", 96, kernel=11, strides=4)),
        (2, Conv("conv2", 256, kernel=5, padding=pad(2), groups=2, bias=1.0)),
    ):
        norm, pool = LRN(f"norm{number}", k=1.0, alpha=1e-4 / 5), MaxPool(f"pool{number}")
        joined += [conv, pool, norm] if pool_first else [conv, norm, pool]
    layers = (
        *joined,
        Conv("conv3", 384, kernel=3, padding=pad(1)),
        Conv("conv4", 384, kernel=3, padding=pad(1), groups=2, bias=1.0),
        Conv("conv5", 256, kernel=3, padding=pad(1), groups=2, bias=1.0),
        MaxPool("pool5"),
        *classifier(bias=1.0),
    )
    return Arch(layers, image_size=227)


def torchvision_alexnet() -> Arch:
    """Krizhevsky 2014 ("one weird trick") as torchvision has it: one tower, no normalisation, dropout below fc6, fc7.

    224 -> 55, 27, 27, 13, 13, 13, 13, 6; its average pool to 6x6 places, which changes nothing at 224, is left out.
    """
    layers = (
        Conv("conv1", 64, kernel=11, strides=4, padding=pad(2)),
        MaxPool("pool1", padding=VALID),
        Conv("conv2", 192, kernel=5, padding=pad(2)),
        MaxPool("pool2", padding=VALID),
        Conv("conv3", 384, kernel=3, padding=pad(1)),
        Conv("conv4", 256, kernel=3, padding=pad(1)),
        Conv("conv5", 256, kernel=3, padding=pad(1)),
        MaxPool("pool5", padding=VALID),
        Dropout("drop6"),
        Dense("fc6", 4096),
        Dropout("drop7"),
        Dense("fc7", 4096),
        Dense("fc8", relu=False),
    )
    return Arch(layers, image_size=224, recipe=Recipe(init="he", filter_rms=0.0))
