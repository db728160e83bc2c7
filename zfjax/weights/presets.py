"""How pictures are prepared for published weights: what a file of weights does not say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import IMAGE, Conv, Dense
from zfjax.preprocess import Preprocess


class _Numbers(NamedTuple):
    """(pixels - mean) * scale / std, of pixels in 0..255; mean and std in the order red, green, blue.

    blue_first: the weights expect blue, green, red.
    """

    mean: tuple[float, float, float]
    scale: float
    std: tuple[float, float, float] | None = None
    blue_first: bool = False


PRESETS: dict[str, _Numbers] = {
    # the reference training of torchvision: mean and standard deviation of ImageNet in 0..1
    "torchvision": _Numbers((0.485 * 255, 0.456 * 255, 0.406 * 255), 1 / 255, (0.229, 0.224, 0.225)),
    # BVLC's models: the mean pixel (104, 117, 123) of ImageNet, blue first, and no scale
    "caffe": _Numbers((123.0, 117.0, 104.0), 1.0, blue_first=True),
    "zero_to_one": _Numbers((0.0, 0.0, 0.0), 1 / 255),
    "minus_one_to_one": _Numbers((127.5, 127.5, 127.5), 1 / 127.5),
}
# networks of the zoo whose published weights are Caffe's
_CAFFE = ("bvlc-alexnet", "caffenet", "googlenet", "squeezenet-caffe", "zfnet512")


def default_preset(arch: Arch) -> str:
    """What the published weights of an architecture were trained with."""
    if arch.channels == 1:
        return "zero_to_one"
    if arch.name == "googlenet-bn":  # torchvision has it from TensorFlow, and brings pictures back to -1..1 inside it
        return "minus_one_to_one"
    return "caffe" if arch.name in _CAFFE else "torchvision"


def preprocessing(preset: str, arch: Arch, smallest_side: int | None = None) -> Preprocess:
    """How a network sees pictures: their smallest side resized, the centre cut out, and numbers as the preset has them.

    smallest_side: pixels; None: 256 for networks of 224 and 227 pixels, and in proportion for others. A network of one
    channel takes the mean of the three. preset: one of PRESETS. Raises InputError for a side below the network's.
    """
    numbers = PRESETS[preset]
    side = smallest_side or (256 if arch.image_size in (224, 227) else round(arch.image_size * 8 / 7))
    mean = np.array(numbers.mean, np.float32)
    std = None if numbers.std is None else np.array(numbers.std, np.float32)
    if arch.channels == 3:
        return Preprocess(side, arch.image_size, mean, std, numbers.scale, "RGB", "torchvision")
    std = None if std is None else std.mean(keepdims=True)
    return Preprocess(side, arch.image_size, mean.mean(keepdims=True), std, numbers.scale, "grey", "torchvision")


def red_first(preset: str, arch: Arch, params: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """The parameters for pictures whose channels are red, green, blue, whatever the preset's weights expect.

    Turned once here, filters and projections have the colours of the pictures everywhere. params: as `init_params`
    makes them. Raises InputError where a layer without a kernel for each channel reads the picture.
    """
    if not PRESETS[preset].blue_first or arch.channels == 1:
        return params
    turned = dict(params)
    for row in arch.rows:
        if IMAGE not in row.inputs:
            continue
        if not (isinstance(row.layer, Dense) or (isinstance(row.layer, Conv) and row.layer.groups == 1)):
            raise InputError(
                f"{arch.name}: {row.name} reads the picture and has no kernel for each colour, so that weights for "
                f"blue first cannot be turned to red first; give another --preset than {preset}"
            )
        kernel = np.asarray(params[row.name]["kernel"])
        by_colour = kernel.reshape(*kernel.shape[:-2], -1, arch.channels, kernel.shape[-1])
        turned[row.name] = {**params[row.name], "kernel": by_colour[..., ::-1, :].reshape(kernel.shape)}
    return turned


def described(preprocess: Preprocess) -> str:
    """In words: sizes, mean, scale, order of the colours."""
    per = "" if preprocess.std is None else f" / ({_listed(preprocess.std)})"
    scale = "" if preprocess.scale == 1 else f" / {1 / preprocess.scale:g}"
    return (
        f"smallest side {preprocess.smallest_side}, centre {preprocess.crop}x{preprocess.crop}, {preprocess.colours}, "
        f"(pixels - ({_listed(preprocess.mean)})){scale}{per}"
    )


def _listed(values) -> str:
    return ", ".join(f"{value:.4g}" for value in np.asarray(values).ravel())
