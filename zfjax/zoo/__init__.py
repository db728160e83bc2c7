"""The architectures by name, one family a file, and how to fit one to other images and classes. No JAX.

python -m zfjax.arch           # the names
python -m zfjax.arch zf        # one network as a table
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from zfjax.arch import Arch
from zfjax.errors import InputError, exit_on_bad_input, near
from zfjax.rows import TooSmall
from zfjax.terminal import say
from zfjax.zoo.alexnet import alexnet, caffe_alexnet, torchvision_alexnet
from zfjax.zoo.googlenet import googlenet, googlenet_bn
from zfjax.zoo.mobilenet import mobilenet_v1
from zfjax.zoo.resnet import resnet
from zfjax.zoo.small import TUTORIAL, lenet5, sign_mlp, tutorial_cnn
from zfjax.zoo.squeezenet import caffe_squeezenet, squeezenet
from zfjax.zoo.vgg import vgg
from zfjax.zoo.width import scale_width
from zfjax.zoo.zf import zf, zf_mini, zfnet512

__all__ = ["ARCHS", "get_arch", "scale_width", "smallest_image"]

_BUILDERS: dict[str, Callable[[], Arch]] = {
    "zf": zf,
    "zf-512": partial(zf, (512, 1024, 512)),
    "zf-fc2048": partial(zf, fc=2048),
    "zf-fc8192": partial(zf, fc=8192),
    "zf-512-fc8192": partial(zf, (512, 1024, 512), fc=8192),
    "zf-mini": zf_mini,
    "alexnet": alexnet,
    "alexnet-no34": partial(alexnet, middle=False),
    "alexnet-no7": partial(alexnet, fc7=None),
    "alexnet-no67": partial(alexnet, fc6=None, fc7=None),
    "alexnet-no3467": partial(alexnet, middle=False, fc6=None, fc7=None),
    "alexnet-fc2048": partial(alexnet, fc6=2048, fc7=2048),
    "alexnet-fc8192": partial(alexnet, fc6=8192, fc7=8192),
    "alexnet-torchvision": torchvision_alexnet,
    "bvlc-alexnet": partial(caffe_alexnet, pool_first=False),
    "caffenet": partial(caffe_alexnet, pool_first=True),
    "zfnet512": zfnet512,
    "lenet5": lenet5,
    **{f"vgg{depth}": partial(vgg, depth) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}-bn": partial(vgg, depth, batch_norm=True) for depth in (11, 13, 16, 19)},
    "googlenet": googlenet,
    "googlenet-aux": partial(googlenet, auxiliary=True),
    "googlenet-bn": googlenet_bn,
    "squeezenet1_0": squeezenet,
    "squeezenet1_1": partial(squeezenet, "1.1"),
    "squeezenet-caffe": caffe_squeezenet,
    **{f"resnet{depth}": partial(resnet, depth) for depth in (18, 34, 50, 101, 152)},
    **{f"plain{depth}": partial(resnet, depth, shortcuts=False) for depth in (18, 34)},
    "mobilenet_v1": mobilenet_v1,
    "sign-cnn": partial(tutorial_cnn, 64, 1, TUTORIAL),
    "cifar-cnn": partial(tutorial_cnn, 32, 3, dataclasses.replace(TUTORIAL, learning_rate=1e-4, epochs=250)),
    "sign-mlp": sign_mlp,
}


class _Zoo(Mapping[str, Arch]):
    """Name -> Arch; each is built when it is first asked for: all together take a tenth of a second."""

    def __init__(self, builders: dict[str, Callable[[], Arch]]):
        self._builders, self._built = builders, dict[str, Arch]()

    def __getitem__(self, name: str) -> Arch:
        if name not in self._built:
            self._built[name] = dataclasses.replace(self._builders[name](), name=name)
        return self._built[name]

    def __contains__(self, name: object) -> bool:  # Mapping's own would build it
        return name in self._builders

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


ARCHS: Mapping[str, Arch] = _Zoo(_BUILDERS)


def get_arch(name: str, *, num_classes: int | None = None, image_size: int | None = None, width: float = 1.0) -> Arch:
    """An architecture of `ARCHS`, with its classifier, sizes and width adapted.

    num_classes, image_size: None keeps the table's own (1000 classes and 224 pixels for the paper's networks).
    width: factor on the features of every layer but the classifier, see `scale_width`.
    Raises InputError for an unknown name, for a width that is not above 0, and for an image too small for a layer,
    with the smallest that would do; with num_classes, for a network without a classifier.
    """
    if name not in ARCHS:
        raise InputError(f"unknown architecture {name!r}; choose one of {near(name, tuple(ARCHS))}")
    arch = scale_width(ARCHS[name], width)
    image_size = arch.image_size if image_size is None else image_size
    try:
        arch = dataclasses.replace(
            arch, num_classes=arch.num_classes if num_classes is None else num_classes, image_size=image_size
        )
    except TooSmall as error:
        fits = smallest_image(name, at_least=image_size)
        raise InputError(f"{error}; the smallest image for {name} is {fits}x{fits}") from None
    if num_classes is not None:
        arch.check_classifier()
    return arch


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
            say(*(f"{name:<20}{arch.param_count():>13,} parameters" for name, arch in ARCHS.items()))
            return
        options = {"num_classes": flags.num_classes, "image_size": flags.image_size, "width": flags.width}
        say(*get_arch(flags.name, **options).summary().split("\n"))


if __name__ == "__main__":
    main()
