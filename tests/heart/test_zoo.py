"""The networks by name: parameters and sizes as others count them, and the deconvnet against autodiff on the new."""

import dataclasses
from itertools import pairwise

import jax
import numpy as np
import pytest
from nets import pixels, random_params
from oracle import assert_close, oracle

from zfjax import convnet, deconvnet
from zfjax.deconvnet import paste, strongest
from zfjax.zoo import ARCHS, get_arch


def conv(kernel: int, inputs: int, outputs: int, groups: int = 1) -> int:
    return kernel**2 * inputs // groups * outputs + outputs


def dense(*sizes: int) -> int:
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))


ZF_BELOW = conv(7, 3, 96) + conv(5, 96, 256)
ZF_345 = conv(3, 256, 384) + conv(3, 384, 384) + conv(3, 384, 256)
ZF_512_345 = conv(3, 256, 512) + conv(3, 512, 1024) + conv(3, 1024, 512)
ALEX_BELOW = conv(11, 3, 96) + conv(5, 96, 256, 2)
ALEX_345 = conv(3, 256, 384) + conv(3, 384, 384, 2) + conv(3, 384, 256, 2)
ALEX_5 = conv(3, 256, 256, 2)


def normed(kernel: int, inputs: int, outputs: int, groups: int = 1) -> int:
    """A convolution without biases, and the scale and shift of its BatchNorm."""
    return kernel**2 * inputs // groups * outputs + 2 * outputs


def vgg(*blocks: int, batch_norm: bool = False) -> int:
    below, total = 3, dense(25088, 4096, 4096, 1000)
    for count, maps in zip(blocks, (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            total, below = total + conv(3, below, maps) + 2 * maps * batch_norm, maps
    return total


def residual(*blocks: int, wide: bool = False, shortcuts: bool = True) -> int:
    below, total = 64, normed(7, 3, 64)
    for stage, count in enumerate(blocks):
        maps = 64 * 2**stage
        out = 4 * maps if wide else maps
        for number in range(count):
            if wide:
                total += normed(1, below, maps) + normed(3, maps, maps) + normed(1, maps, out)
            else:
                total += normed(3, below, maps) + normed(3, maps, maps)
            if shortcuts and number == 0 and below != out:
                total += normed(1, below, out)
            below = out
    return total + dense(below, 1000)


def fires(conv1: int, below: int) -> int:
    total = conv(conv1, 3, below)
    for squeezed in (16, 16, 32, 32, 48, 48, 64, 64):
        wide = 4 * squeezed
        total += conv(1, below, squeezed) + conv(1, squeezed, wide) + conv(3, squeezed, wide)
        below = 2 * wide
    return total + conv(1, 512, 1000)


# Table 1 of Szegedy et al. 2014: maps of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj.
INCEPTIONS = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)


def inceptions(each, five: int) -> int:
    below, total = 192, each(7, 3, 64) + each(1, 64, 64) + each(3, 64, 192)
    for one, reduce3, three, reduce5, wide5, proj in INCEPTIONS:
        total += each(1, below, one) + each(1, below, reduce3) + each(3, reduce3, three)
        total += each(1, below, reduce5) + each(five, reduce5, wide5) + each(1, below, proj)
        below = one + three + wide5 + proj
    return total + dense(below, 1000)


def separable() -> int:
    below, total = 32, normed(3, 3, 32)
    for maps in (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024):
        total, below = total + normed(3, below, below, below) + normed(1, below, maps), maps
    return total + dense(1024, 1000)


BY_HAND = "by hand, from the sizes of Fig. 3 and section 5.1"
TUTORIAL = "the tutorial's own summary of its layers"
TORCHVISION = "torchvision's table of its weights"
# Where else each number stands; what is by hand is added up in the last column, without the package.
GOLDEN_PARAMETERS = {
    "zf": (62_357_608, "pytorchcv asserts it for its zfnet", ZF_BELOW + ZF_345 + dense(9216, 4096, 4096, 1000)),
    "zf-512": (107_627_624, BY_HAND, ZF_BELOW + ZF_512_345 + dense(18432, 4096, 4096, 1000)),
    "zf-fc2048": (28_848_232, BY_HAND, ZF_BELOW + ZF_345 + dense(9216, 2048, 2048, 1000)),
    "zf-fc8192": (154_542_184, BY_HAND, ZF_BELOW + ZF_345 + dense(9216, 8192, 8192, 1000)),
    "zf-512-fc8192": (237_560_936, BY_HAND, ZF_BELOW + ZF_512_345 + dense(18432, 8192, 8192, 1000)),
    "zf-mini": (
        566_570,
        "by hand: a quarter of Fig. 3's maps, 4x4 places below fc6, ten classes",
        conv(7, 3, 24)
        + conv(5, 24, 64)
        + conv(3, 64, 96)
        + conv(3, 96, 96)
        + conv(3, 96, 64)
        + dense(1024, 256, 256, 10),
    ),
    "alexnet": (60_965_224, "Caffe's bvlc_alexnet", ALEX_BELOW + ALEX_345 + dense(9216, 4096, 4096, 1000)),
    "alexnet-no34": (59_268_712, BY_HAND, ALEX_BELOW + ALEX_5 + dense(9216, 4096, 4096, 1000)),
    "alexnet-no7": (44_183_912, BY_HAND, ALEX_BELOW + ALEX_345 + dense(9216, 4096, 1000)),
    "alexnet-no67": (11_551_080, BY_HAND, ALEX_BELOW + ALEX_345 + dense(9216, 1000)),
    "alexnet-no3467": (9_854_568, BY_HAND, ALEX_BELOW + ALEX_5 + dense(9216, 1000)),
    "alexnet-fc2048": (27_455_848, BY_HAND, ALEX_BELOW + ALEX_345 + dense(9216, 2048, 2048, 1000)),
    "alexnet-fc8192": (153_149_800, BY_HAND, ALEX_BELOW + ALEX_345 + dense(9216, 8192, 8192, 1000)),
    "lenet5": (
        61_706,
        "LeNet-5 with all of C3's connections, as most libraries have it",
        conv(5, 1, 6) + conv(5, 6, 16) + dense(400, 120, 84, 10),
    ),
    "alexnet-torchvision": (
        61_100_840,
        TORCHVISION,
        conv(11, 3, 64)
        + conv(5, 64, 192)
        + conv(3, 192, 384)
        + conv(3, 384, 256)
        + conv(3, 256, 256)
        + dense(9216, 4096, 4096, 1000),
    ),
    "bvlc-alexnet": (60_965_224, "Caffe's bvlc_alexnet", ALEX_BELOW + ALEX_345 + dense(9216, 4096, 4096, 1000)),
    "caffenet": (60_965_224, "Caffe's bvlc_reference_caffenet", ALEX_BELOW + ALEX_345 + dense(9216, 4096, 4096, 1000)),
    "zfnet512": (
        87_250_536,
        "ONNX's zfnet512",
        ZF_BELOW + conv(3, 256, 512) + 2 * conv(3, 512, 512) + dense(18432, 4096, 1024, 1000),
    ),
    "vgg11": (132_863_336, TORCHVISION, vgg(1, 1, 2, 2, 2)),
    "vgg13": (133_047_848, TORCHVISION, vgg(2, 2, 2, 2, 2)),
    "vgg16": (138_357_544, "torchvision's and Keras's VGG-16", 14_714_688 + dense(25088, 4096, 4096, 1000)),
    "vgg19": (143_667_240, TORCHVISION, vgg(2, 2, 4, 4, 4)),
    "vgg11-bn": (132_868_840, TORCHVISION, vgg(1, 1, 2, 2, 2, batch_norm=True)),
    "vgg13-bn": (133_053_736, TORCHVISION, vgg(2, 2, 2, 2, 2, batch_norm=True)),
    "vgg16-bn": (138_365_992, TORCHVISION, vgg(2, 2, 3, 3, 3, batch_norm=True)),
    "vgg19-bn": (143_678_248, TORCHVISION, vgg(2, 2, 4, 4, 4, batch_norm=True)),
    "googlenet": (6_998_552, "ONNX's inception_v1, which is Caffe's bvlc_googlenet", inceptions(conv, 5)),
    "googlenet-aux": (
        13_378_280,
        "Caffe's bvlc_googlenet with its two heads",
        inceptions(conv, 5) + conv(1, 512, 128) + conv(1, 528, 128) + 2 * dense(2048, 1024, 1000),
    ),
    "googlenet-bn": (6_624_904, TORCHVISION, inceptions(normed, 3)),
    "squeezenet1_0": (1_248_424, TORCHVISION, fires(7, 96)),
    "squeezenet1_1": (1_235_496, TORCHVISION, fires(3, 64)),
    "squeezenet-caffe": (1_248_424, "the 26 layers of its authors' file", fires(7, 96)),
    "resnet18": (11_689_512, TORCHVISION, residual(2, 2, 2, 2)),
    "resnet34": (21_797_672, TORCHVISION, residual(3, 4, 6, 3)),
    "resnet50": (25_557_032, TORCHVISION, residual(3, 4, 6, 3, wide=True)),
    "resnet101": (44_549_160, TORCHVISION, residual(3, 4, 23, 3, wide=True)),
    "resnet152": (60_192_808, TORCHVISION, residual(3, 8, 36, 3, wide=True)),
    "plain18": (11_515_688, "resnet18 without its three shortcuts' 173,824", residual(2, 2, 2, 2, shortcuts=False)),
    "plain34": (21_623_848, "resnet34 without its three shortcuts' 173,824", residual(3, 4, 6, 3, shortcuts=False)),
    "mobilenet_v1": (4_231_976, "Keras's MobileNet, without its 21,888 running statistics", separable()),
    "sign-cnn": (4_970_122, TUTORIAL, 320 + 18_496 + 73_856 + 147_584 + 4_719_616 + 10_250),
    "cifar-cnn": (776_394, TUTORIAL, 896 + 18_496 + 73_856 + 147_584 + 525_312 + 10_250),
    "sign-mlp": (2_365_450, TUTORIAL, 2_097_664 + 262_656 + 5_130),
}


@pytest.mark.parametrize("name", ARCHS)
def test_parameter_count(name):
    assert name in GOLDEN_PARAMETERS, f"{name} has no golden parameter count"
    count, source, by_hand = GOLDEN_PARAMETERS[name]
    assert ARCHS[name].param_count() == count == by_hand, source


SIZES = {  # side and maps at 224 (227) pixels, where not said otherwise as their papers' tables have them
    "alexnet-torchvision": {"conv1": (55, 64), "pool1": (27, 64), "pool2": (13, 192), "pool5": (6, 256)},
    "bvlc-alexnet": {"conv1": (55, 96), "pool1": (27, 96), "pool2": (13, 256), "pool5": (6, 256)},
    "zfnet512": {"conv1": (109, 96), "pool1": (54, 96), "conv2": (25, 256), "pool2": (12, 256), "pool5": (6, 512)},
    "vgg11-bn": {"bn1_1": (224, 64), "pool3": (28, 256), "pool5": (7, 512)},
    "googlenet": {
        "conv1/7x7_s2": (112, 64),
        "pool1/3x3_s2": (56, 64),
        "pool2/3x3_s2": (28, 192),
        "inception_3a/output": (28, 256),
        "inception_3b/output": (28, 480),
        "inception_4a/output": (14, 512),
        "inception_4d/output": (14, 528),
        "inception_4e/output": (14, 832),
        "inception_5b/output": (7, 1024),
    },
    "googlenet-aux": {"loss1/ave_pool": (4, 512), "loss2/ave_pool": (4, 528), "loss2/conv": (4, 128)},
    "googlenet-bn": {
        "maxpool1": (56, 64),
        "inception3b": (28, 480),
        "inception4e": (14, 832),
        "inception5b": (7, 1024),
    },
    "squeezenet1_0": {"conv1": (109, 96), "pool1": (54, 96), "fire4/concat": (54, 256), "conv10": (13, 1000)},
    "squeezenet1_1": {"conv1": (111, 64), "pool1": (55, 64), "fire4/concat": (27, 256), "conv10": (13, 1000)},
    "squeezenet-caffe": {
        "conv1": (111, 96),
        "fire5/concat": (27, 256),
        "fire9/concat": (13, 512),
        "conv10": (15, 1000),
    },
    "resnet50": {"conv1": (112, 64), "maxpool": (56, 64), "layer1.0": (56, 256), "layer2.0.conv1": (56, 128)},
    "resnet152": {"layer2.7": (28, 512), "layer3.35": (14, 1024), "layer4.2": (7, 2048)},
    "plain34": {"layer1.2.bn2": (56, 64), "layer2.0.conv1": (28, 128), "layer4.2.bn2": (7, 512)},
    "mobilenet_v1": {"conv1": (112, 32), "conv2_2/dw": (56, 64), "conv5_5/sep/bn": (14, 512), "conv6/sep": (7, 1024)},
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name):
    shapes = ARCHS[name].shapes()
    assert {layer: shapes[layer] for layer in SIZES[name]} == {
        layer: (side, side, maps) for layer, (side, maps) in SIZES[name].items()
    }


def test_names_are_built_one_by_one():
    assert "zf" in ARCHS and "zfnet" not in ARCHS and len(ARCHS) == len(list(ARCHS)) == len(GOLDEN_PARAMETERS)
    assert ARCHS["resnet18"] is ARCHS["resnet18"] and ARCHS["resnet18"].name == "resnet18"
    assert ARCHS.get("zfnet") is None
    with pytest.raises(KeyError):
        ARCHS["zfnet"]


# Some as small as they can be: width, image, and the layer whose units are projected; what is above it is cut off, for
# each layer takes time to compile.
SMALL = {
    "googlenet": (1 / 16, 32, "inception_3a/output"),
    "squeezenet-caffe": (1 / 8, 24, "pool10"),
    "resnet50": (1 / 16, 32, "layer2.0"),
}


@pytest.mark.parametrize("name", SMALL)
def test_projections_equal_autodiff(name):
    width, image_size, layer = SMALL[name]
    whole = get_arch(name, num_classes=3, image_size=image_size, width=width)
    arch = dataclasses.replace(whole, layers=whole.layers[: whole.layer_names.index(layer) + 1])
    params, images = random_params(arch), pixels(arch)
    fwd = jax.jit(convnet.forward, static_argnums=0)(arch, params, images)
    loudest = np.asarray(fwd.activations[layer]).max(axis=(0, 1, 2)).argmax()
    units = strongest(fwd, layer, [loudest])
    expected = oracle(arch, params, images, layer, units)
    assert (np.abs(expected).max(axis=(1, 2, 3)) > 0).any()
    pictures = jax.jit(deconvnet.project, static_argnums=(0, 3))(arch, params, fwd, layer, units)
    assert_close(paste(pictures, image_size), expected)
