"""The architectures by name, one family a file, and how to fit one to other images and classes. No JAX.

python -m zfjax.arch           # the names
python -m zfjax.arch zf        # one network as a table
"""

from __future__ import annotations

import argparse
import dataclasses
import math

from zfjax.arch import Arch
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.layers import Conv, Dense
from zfjax.rows import TooSmall
from zfjax.terminal import say
from zfjax.zoo.alexnet import alexnet
from zfjax.zoo.small import TUTORIAL, lenet5, sign_mlp, tutorial_cnn
from zfjax.zoo.vgg import vgg16
from zfjax.zoo.zf import zf, zf_mini

__all__ = ["ARCHS", "get_arch", "scale_width", "smallest_image"]

_TABLES = {
    "zf": zf(),
    "zf-512": zf((512, 1024, 512)),
    "zf-fc2048": zf(fc=2048),
    "zf-fc8192": zf(fc=8192),
    "zf-512-fc8192": zf((512, 1024, 512), fc=8192),
    "zf-mini": zf_mini(),
    "alexnet": alexnet(),
    "alexnet-no34": alexnet(middle=False),
    "alexnet-no7": alexnet(fc7=None),
    "alexnet-no67": alexnet(fc6=None, fc7=None),
    "alexnet-no3467": alexnet(middle=False, fc6=None, fc7=None),
    "alexnet-fc2048": alexnet(fc6=2048, fc7=2048),
    "alexnet-fc8192": alexnet(fc6=8192, fc7=8192),
    "lenet5": lenet5(),
    "vgg16": vgg16(),
    "sign-cnn": tutorial_cnn(64, 1, TUTORIAL),
    "cifar-cnn": tutorial_cnn(32, 3, dataclasses.replace(TUTORIAL, learning_rate=1e-4, epochs=250)),
    "sign-mlp": sign_mlp(),
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
    num_classes = arch.num_classes if num_classes is None else num_classes
    image_size = arch.image_size if image_size is None else image_size
    try:
        return dataclasses.replace(arch, num_classes=num_classes, image_size=image_size)
    except TooSmall as error:
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
    with exit_on_bad_input():
        if flags.name is None:
            say(*(f"{name:<16}{arch.param_count():>13,} parameters" for name, arch in ARCHS.items()))
            return
        options = {"num_classes": flags.num_classes, "image_size": flags.image_size, "width": flags.width}
        say(*get_arch(flags.name, **options).summary().split("\n"))


if __name__ == "__main__":
    main()
