"""The paper's own network (Fig. 3), its variants of Table 3, and a small sister."""

from __future__ import annotations

from zfjax.arch import Arch
from zfjax.layers import LRN, VALID, Conv, Dense, Dropout, Layer, MaxPool, pad
from zfjax.recipe import Recipe


def classifier(fc6: int | None = 4096, fc7: int | None = 4096, bias: float = 0.0) -> tuple[Layer, ...]:
    """Layers 6 to 8; None leaves a layer out, and its dropout with it (Table 3)."""
    hidden = [(6, fc6), (7, fc7)]
    layers = [(Dense(f"fc{i}", size, bias=bias), Dropout(f"drop{i}")) for i, size in hidden if size]
    return (*sum(layers, ()), Dense("fc8", relu=False))


def zf(maps: tuple[int, int, int] = (384, 384, 256), fc: int = 4096) -> Arch:
    """Fig. 3: 224 -> 110, 55, 26, 13, 13, 13, 13, 6. Contrast normalisation comes after pooling (its caption)."""
    layers = (
        Conv("conv1", 96, kernel=7, strides=2, padding=pad(1)),
        MaxPool("pool1"),
        LRN("norm1"),
        Conv("conv2", 256, kernel=5, strides=2),
        MaxPool("pool2"),
        LRN("norm2"),
        Conv("conv3", maps[0], kernel=3, padding=pad(1)),
        Conv("conv4", maps[1], kernel=3, padding=pad(1)),
        Conv("conv5", maps[2], kernel=3, padding=pad(1)),
        MaxPool("pool5"),
        *classifier(fc, fc),
    )
    return Arch(layers, image_size=224)


def zf_mini() -> Arch:
    """ZF's five convolutions at 64x64 and a quarter of the width: 32, 16, 16, 8, 8, 8, 8, 4.

    conv2 has stride 1 and a padding, since stride 2 would leave conv3 to conv5 only 3x3 places to show anything at.
    """
    layers = (
        Conv("conv1", 24, kernel=7, strides=2, padding=pad(3)),
        MaxPool("pool1"),
        LRN("norm1"),
        Conv("conv2", 64, kernel=5, padding=pad(2)),
        MaxPool("pool2"),
        LRN("norm2"),
        Conv("conv3", 96, kernel=3, padding=pad(1)),
        Conv("conv4", 96, kernel=3, padding=pad(1)),
        Conv("conv5", 64, kernel=3, padding=pad(1)),
        MaxPool("pool5"),
        *classifier(256, 256),
    )
    # The decay shrinks what is left of the random initial weights, which would drown the projections in noise; with
    # inputs eight times smaller than the paper's, conv1 learns at the pace of the layers above.
    recipe = Recipe(
        optimizer="adam",
        learning_rate=1e-3,
        weight_decay=1.0,
        batch_size=32,
        epochs=8,
        init="he",
        schedule="cosine",
        warmup_steps=50,
    )
    return Arch(layers, image_size=64, num_classes=10, recipe=recipe, input_scale=1 / 8)


def zfnet512() -> Arch:
    """The network that ONNX's model zoo calls zfnet512: neither Fig. 3's nor the large one of section 4.

    224 -> 109, 54, 25, 12, 12, 12, 12, 6: nothing is padded below conv3, sizes round down, normalisation comes before
    pooling, pool5 has windows of 2x2, fc7 has 1024 units.
    """
    layers = (
        Conv("conv1", 96, kernel=7, strides=2),
        LRN("norm1"),
        MaxPool("pool1", padding=VALID),
        Conv("conv2", 256, kernel=5, strides=2),
        LRN("norm2"),
        MaxPool("pool2", padding=VALID),
        *(Conv(f"conv{number}", 512, kernel=3, padding=pad(1)) for number in (3, 4, 5)),
        MaxPool("pool5", window=2, padding=VALID),
        Dense("fc6", 4096),
        Dense("fc7", 1024),
        Dense("fc8", relu=False),
    )
    return Arch(layers, image_size=224)
