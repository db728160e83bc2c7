"""Which layers are shown where none are named: spelled out for chains, and for networks that branch."""

import pytest
from nets import ODD, TINY

from zfjax.arch import Arch
from zfjax.layers import Add, BatchNorm, Concat, Conv, Dense, Dropout, GlobalAvgPool, Identity, MaxPool, pad
from zfjax.paper import default_layers as layers
from zfjax.zoo import ARCHS

HEADLESS = Arch((Conv("conv1", 4, kernel=3), MaxPool("pool1"), Conv("conv2", 6, kernel=3)), image_size=20)
RESIDUAL = Arch(
    (
        Conv("conv1", 4, kernel=3, padding=pad(1), relu=False),
        BatchNorm("bn1", relu=True),
        MaxPool("pool1"),
        Conv("conv2", 4, kernel=3, padding=pad(1), relu=False),
        BatchNorm("bn2"),
        Add("add2", inputs=("bn2", "pool1"), relu=True),
        GlobalAvgPool("mean"),
        Dropout("drop"),
        Dense("fc", relu=False),
    ),
    image_size=16,
)
INCEPTION = Arch(
    (
        Conv("conv1", 4, kernel=3, strides=2),
        MaxPool("pool1"),
        Conv("one", 2, kernel=1),
        Conv("reduce", 2, kernel=1, relu=False, inputs=("pool1",)),
        Identity("reduced", relu=True),
        Conv("three", 2, kernel=3, padding=pad(1)),
        Concat("join", inputs=("one", "three")),
        MaxPool("pool2"),
        Dense("fc3", 8),
        Dense("fc4", relu=False),
    ),
    image_size=33,
)
CONVOLUTIONS = [f"conv{n}" for n in range(1, 6)]
BLOCKS = [f"conv{b}_{i + 1}" for b, depth in enumerate((2, 2, 3, 3, 3), start=1) for i in range(depth)]
EIGHT = ("norm1", "norm2", "conv3", "conv4", "pool5", "fc6", "fc7", "fc8")


@pytest.mark.parametrize(
    ("arch", "numbered"),
    [
        (ARCHS["zf"], EIGHT),
        (ARCHS["zf-mini"], EIGHT),
        (ARCHS["alexnet"], ("pool1", "pool2", *EIGHT[2:])),
        (ARCHS["alexnet-no3467"], ("pool1", "pool2", "pool5", "fc8")),
        (ARCHS["lenet5"], ("pool1", "pool2", "fc3", "fc4", "fc5")),
        (ARCHS["sign-cnn"], ("conv1", "pool2", "pool3", "pool4", "fc5", "fc6")),
        (ARCHS["sign-mlp"], ("fc1", "fc2", "fc3")),
        (
            ARCHS["vgg16"],
            ("conv1_1", "pool1", "conv2_1", "pool2", "conv3_1", "conv3_2", "pool3", "conv4_1", "conv4_2", "pool4",
             "conv5_1", "conv5_2", "pool5", "fc6", "fc7", "fc8"),
        ),
        (TINY, ("norm1", "pool2", "conv3", "fc4", "fc5")),
        (ODD, ("pool1", "pool2", "fc3")),
        (HEADLESS, ("pool1", "conv2")),
        (RESIDUAL, ("pool1", "bn2", "fc")),
        (INCEPTION, ("pool1", "one", "reduced", "three", "fc3", "fc4")),
    ],
)  # fmt: skip
def test_layers_as_the_paper_counts(arch, numbered):
    assert layers.numbered_layers(arch) == numbered


@pytest.mark.parametrize(
    ("arch", "first_and_last", "five_and_seven", "strongest", "last"),
    [
        (ARCHS["zf"], ["norm1", "fc7"], ["pool5", "fc7"], "conv5", "pool5"),
        (ARCHS["zf-mini"], ["norm1", "fc7"], ["pool5", "fc7"], "conv5", "pool5"),
        (ARCHS["alexnet"], ["pool1", "fc7"], ["pool5", "fc7"], "conv5", "pool5"),
        (ARCHS["alexnet-no67"], ["pool1", "pool5"], ["pool5"], "conv5", "pool5"),
        (ARCHS["lenet5"], ["pool1", "fc4"], ["pool2", "fc4"], "conv2", "pool2"),
        (ARCHS["sign-cnn"], ["conv1", "fc5"], ["pool4", "fc5"], "conv4", "pool4"),
        (ARCHS["sign-mlp"], ["fc1", "fc2"], ["fc2"], "fc2", "fc3"),
        (ARCHS["vgg16"], ["conv1_1", "fc7"], ["pool5", "fc7"], "conv5_3", "pool5"),
        (TINY, ["norm1", "fc4"], ["conv3", "fc4"], "conv3", "conv3"),
        (ODD, ["pool1", "pool2"], ["pool2"], "conv2", "pool2"),
        (HEADLESS, ["pool1"], ["conv2"], "conv1", "conv2"),
        (RESIDUAL, ["pool1", "mean"], ["add2", "mean"], "add2", "add2"),
        (INCEPTION, ["pool1", "fc3"], ["pool2", "fc3"], "join", "pool2"),
    ],
)
def test_single_layers(arch, first_and_last, five_and_seven, strongest, last):
    assert layers.first_and_last(arch) == first_and_last and layers.below_answer(arch) == first_and_last[-1]
    assert layers.five_and_seven(arch) == five_and_seven
    assert layers.strongest_layer(arch) == strongest
    assert layers.last_maps_or_units(arch) == [last]


@pytest.mark.parametrize(
    ("arch", "drawn", "first"),
    [
        (ARCHS["zf"], CONVOLUTIONS, CONVOLUTIONS),
        (ARCHS["alexnet"], CONVOLUTIONS, CONVOLUTIONS),
        (ARCHS["lenet5"], ["conv1", "conv2"], ["conv1", "conv2"]),
        (ARCHS["sign-mlp"], ["fc1", "fc2", "fc3"], []),
        (ARCHS["vgg16"], BLOCKS, BLOCKS),
        (HEADLESS, ["conv1", "conv2"], ["conv1", "conv2"]),
        (RESIDUAL, ["bn1", "bn2"], ["conv1", "conv2"]),
        (INCEPTION, ["conv1", "one", "reduced", "three"], ["conv1", "one", "reduce", "three"]),
    ],
)
def test_all_and_the_first(arch, drawn, first):
    assert layers.drawn_layers(arch) == drawn
    assert layers.first_convolutions(arch) == first


def test_the_first_layer_is_the_first_convolution_that_reads_the_image():
    table = (
        Identity("pixels"),
        Conv("around", 2, kernel=1),
        Conv("first", 2, kernel=1, inputs=("image",)),
        Conv("second", 2, kernel=1),
        Concat("both", inputs=("around", "second")),
    )
    assert layers.first_convolutions(Arch(table, image_size=4)) == ["first", "second"]
    assert layers.first_convolutions(Arch(table[:2], image_size=4)) == []


def test_every_network_has_them():
    for arch in ARCHS.values():
        for rule in (layers.numbered_layers, layers.first_and_last, layers.five_and_seven, layers.drawn_layers):
            assert rule(arch) and set(rule(arch)) <= set(arch.layer_names)
        assert layers.strongest_layer(arch) in arch.layer_names
