"""Krizhevsky et al. 2012, replicated, with layers removed or resized as in Table 3."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import LRN, Conv, MaxPool, pad, round_up
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
