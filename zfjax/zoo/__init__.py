"""The architectures by name, and how to fit one to other images and classes. No JAX: the table alone.

python -m zfjax.arch           # the names
python -m zfjax.arch zf        # one network as a table
"""

from __future__ import annotations

import argparse
import dataclasses
import math

from zfjax.arch import Arch, ReceptiveField, Recipe
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.layers import LRN, VALID, AvgPool, Conv, Dense, Dropout, Layer, MaxPool, pad, round_up

__all__ = ["ARCHS", "Arch", "ReceptiveField", "Recipe", "get_arch"]

# Pixels of 0..1, less their mean: without that, sign-cnn was still at chance after four epochs (on unseen signers).
TUTORIAL = Recipe(
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    epochs=10,
    init="glorot",
    schedule="constant",
    crops="whole",
    input_scale=1 / 255,
    filter_rms=0.0,
)


def _classifier(fc6: int | None = 4096, fc7: int | None = 4096, bias: float = 0.0) -> tuple[Layer, ...]:
    """Layers 6 to 8; None leaves a layer out, and its dropout with it (Table 3)."""
    hidden = [(6, fc6), (7, fc7)]
    layers = [(Dense(f"fc{i}", size, bias=bias), Dropout(f"drop{i}")) for i, size in hidden if size]
    return (*sum(layers, ()), Dense("fc8", relu=False))


def _zf(maps: tuple[int, int, int] = (384, 384, 256), fc: int = 4096) -> Arch:
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
        *_classifier(fc, fc),
    )
    return Arch(layers, image_size=224)


def _zf_mini() -> Arch:
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
        *_classifier(256, 256),
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
        input_scale=1 / 8,
    )
    return Arch(layers, image_size=64, num_classes=10, recipe=recipe)


def _alexnet(middle: bool = True, fc6: int | None = 4096, fc7: int | None = 4096) -> Arch:
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
        *_classifier(fc6, fc7, bias=1.0),
    )
    return Arch(layers, image_size=224)


def _lenet5() -> Arch:
    """LeNet-5 in its dense modern form (61,706 parameters; the 1998 net leaves out some of C3's connections)."""
    layers = (
        Conv("conv1", 6, kernel=5),
        AvgPool("pool1"),
        Conv("conv2", 16, kernel=5),
        AvgPool("pool2"),
        Dense("fc3", 120),
        Dense("fc4", 84),
        Dense("fc5", relu=False),
    )
    return Arch(layers, image_size=32, num_classes=10, channels=1, recipe=TUTORIAL)


def _vgg16() -> Arch:
    """VGG-16: 3x3 convolutions, 2x2 pools: 224 -> 112, 56, 28, 14, 7."""
    layers: list[Layer] = []
    for block, (depth, features) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
        layers += [Conv(f"conv{block}_{i + 1}", features, kernel=3, padding=pad(1)) for i in range(depth)]
        layers += [MaxPool(f"pool{block}", window=2, padding=VALID)]
    recipe = Recipe(init="he", filter_rms=0.0)
    return Arch((*layers, *_classifier()), image_size=224, recipe=recipe)


def _tutorial_cnn(image_size: int, channels: int, recipe: Recipe) -> Arch:
    """The tutorial's stack: 3x3 filters 32, 64, 128, 128 without padding, 2x2 pools, dropout."""
    layers = (
        Conv("conv1", 32, kernel=3),
        Conv("conv2", 64, kernel=3),
        MaxPool("pool2", window=2, padding=VALID),
        Dropout("drop2", 0.25),
        Conv("conv3", 128, kernel=3),
        MaxPool("pool3", window=2, padding=VALID),
        Conv("conv4", 128, kernel=3),
        MaxPool("pool4", window=2, padding=VALID),
        Dropout("drop4", 0.25),
        Dense("fc5", 1024),
        Dropout("drop5", 0.5),
        Dense("fc6", relu=False),
    )
    return Arch(layers, image_size=image_size, num_classes=10, channels=channels, recipe=recipe)


def _sign_mlp() -> Arch:
    layers = (
        Dense("fc1", 512),
        Dropout("drop1", 0.2),
        Dense("fc2", 512),
        Dropout("drop2", 0.2),
        Dense("fc3", relu=False),
    )
    return Arch(layers, image_size=64, num_classes=10, channels=1, recipe=dataclasses.replace(TUTORIAL, epochs=50))


_TABLES = {
    "zf": _zf(),
    "zf-512": _zf((512, 1024, 512)),
    "zf-fc2048": _zf(fc=2048),
    "zf-fc8192": _zf(fc=8192),
    "zf-512-fc8192": _zf((512, 1024, 512), fc=8192),
    "zf-mini": _zf_mini(),
    "alexnet": _alexnet(),
    "alexnet-no34": _alexnet(middle=False),
    "alexnet-no7": _alexnet(fc7=None),
    "alexnet-no67": _alexnet(fc6=None, fc7=None),
    "alexnet-no3467": _alexnet(middle=False, fc6=None, fc7=None),
    "alexnet-fc2048": _alexnet(fc6=2048, fc7=2048),
    "alexnet-fc8192": _alexnet(fc6=8192, fc7=8192),
    "lenet5": _lenet5(),
    "vgg16": _vgg16(),
    "sign-cnn": _tutorial_cnn(64, 1, TUTORIAL),
    "cifar-cnn": _tutorial_cnn(32, 3, dataclasses.replace(TUTORIAL, learning_rate=1e-4, epochs=250)),
    "sign-mlp": _sign_mlp(),
}
ARCHS: dict[str, Arch] = {name: dataclasses.replace(arch, name=name) for name, arch in _TABLES.items()}


def get_arch(name: str, *, num_classes: int | None = None, image_size: int | None = None, width: float = 1.0) -> Arch:
    """An architecture of `ARCHS`, with its classifier, sizes and width adapted.

    num_classes, image_size: None keeps the table's own (1000 classes and 224 pixels for the paper's networks).
    width: factor on the features of every layer but the classifier, see `scale_width`.
    Raises InputError for an unknown name, for a width that is not above 0, and for an image too small for a layer,
    with the smallest that would do.
    """
    if name not in ARCHS:
        raise InputError(f"unknown architecture {name!r}; choose one of {', '.join(ARCHS)}")
    arch = scale_width(ARCHS[name], width)
    num_classes, image_size = num_classes or arch.num_classes, image_size or arch.image_size
    try:
        return dataclasses.replace(arch, num_classes=num_classes, image_size=image_size)
    except InputError as error:
        fits = smallest_image(name, at_least=image_size)
        raise InputError(f"{error}; the smallest image for {name} is {fits}x{fits}") from None


def scale_width(arch: Arch, width: float) -> Arch:
    """The same network with `width` times the features in every hidden layer; sizes and receptive fields stay.

    Rounded to whole numbers: to what the groups of a convolution and of the next one divide, and at least one a group.
    Raises InputError for a width that is not above 0.
    """
    if not 0 < width < math.inf:
        raise InputError(f"the width must be a number above 0, not {width}")
    layers = list(arch.layers)
    next_groups = 1  # of the convolution above, which splits what this one puts out
    for index, layer in reversed(list(enumerate(layers))):
        if isinstance(layer, Conv | Dense) and layer.features:
            step = math.lcm(layer.groups, next_groups) if isinstance(layer, Conv) else 1
            features = step * max(1, round(layer.features * width / step))
            layers[index] = dataclasses.replace(layer, features=features)
            next_groups = layer.groups if isinstance(layer, Conv) else 1
    return dataclasses.replace(arch, layers=tuple(layers))


def smallest_image(name: str, *, at_least: int = 1) -> int:
    """Side of the smallest square image, of those from `at_least` on, in which every window of a network finds room."""
    return next(size for size in range(max(1, at_least), 1 << 12) if _fits(ARCHS[name], size))


def _fits(arch: Arch, image_size: int) -> bool:
    try:
        return bool(dataclasses.replace(arch, image_size=image_size))
    except InputError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zfjax.arch", description="Prints a network as a table.")
    parser.add_argument("name", nargs="?", help="architecture; without it, all names and their parameter counts")
    parser.add_argument("--image_size", type=int, help="side of the square image, pixels (default: the network's own)")
    parser.add_argument("--num_classes", type=int, help="size of the classifier (default: the network's own)")
    parser.add_argument("--width", type=float, default=1.0, help="factor on the features of every hidden layer")
    flags = parser.parse_args()
    if flags.name is None:
        print("\n".join(f"{name:<16}{arch.param_count():>13,} parameters" for name, arch in ARCHS.items()))
        return
    with exit_on_bad_input():
        options = {"num_classes": flags.num_classes, "image_size": flags.image_size, "width": flags.width}
        print(get_arch(flags.name, **options).summary())


if __name__ == "__main__":
    main()
