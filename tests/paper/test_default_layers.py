"""Which layers are shown where none are named: spelled out for chains, and for networks that branch."""

import dataclasses

import numpy as np
import pytest
from nets import ODD, TINY, run_of

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import Add, BatchNorm, Concat, Conv, Dense, Dropout, GlobalAvgPool, Identity, MaxPool, pad
from zfjax.paper import default_layers as layers
from zfjax.paper.view import View
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
TOWERS = Arch(  # which meet where there are no maps left
    (
        Conv("left", 2, kernel=3),
        GlobalAvgPool("leftmean"),
        Conv("right", 2, kernel=5, inputs=("image",)),
        GlobalAvgPool("rightmean"),
        Concat("both", inputs=("leftmean", "rightmean")),
        Dense("fc", relu=False),
    ),
    image_size=9,
)
SQUEEZE = ["conv1", *(f"fire{number}/concat" for number in range(2, 10)), "conv10"]
STAGES = [f"layer{stage}.{number}" for stage in range(1, 5) for number in range(2)]
MODULES = [f"inception_{name}/output" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
POOLED = [*MODULES[:1], "pool3/3x3_s2", *MODULES[2:6], "pool4/3x3_s2", *MODULES[7:8], "pool5/7x7_s1"]
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
        (RESIDUAL, ("pool1", "mean", "fc")),
        (INCEPTION, ("pool1", "pool2", "fc3", "fc4")),
        (TOWERS, ("both", "fc")),
        (ARCHS["squeezenet1_1"], ("pool1", SQUEEZE[1], "pool3", SQUEEZE[3], "pool5", *SQUEEZE[5:-1], "pool10")),
        (ARCHS["googlenet-aux"], ("pool1/norm1", "conv2/3x3_reduce", "pool2/3x3_s2", *POOLED, "loss3/classifier")),
        (ARCHS["resnet18"], ("maxpool", *STAGES[:-1], "avgpool", "fc")),
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
        (ARCHS["squeezenet1_1"], ["pool1", "fire9/concat"], ["fire9/concat"], "fire9/concat", "fire9/concat"),
        (ARCHS["resnet18"], ["maxpool", "avgpool"], ["layer4.1", "avgpool"], "layer4.1", "layer4.1"),
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
        (RESIDUAL, ["bn1", "add2"], ["conv1", "conv2"]),
        (INCEPTION, ["conv1", "join"], ["conv1", "one", "reduce", "three"]),
        (TOWERS, ["left", "right"], ["left", "right"]),
    ],
)
def test_all_and_the_first(arch, drawn, first):
    assert layers.drawn_layers(arch) == drawn
    assert layers.first_convolutions(arch) == first


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("squeezenet1_0", SQUEEZE),
        ("googlenet", ["conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3", *MODULES]),
        ("resnet18", ["bn1", *STAGES]),
        ("resnet152", ["bn1", "layer1.2", "layer2.7", "layer3.35", "layer4.2"]),
    ],
)
def test_of_networks_of_branches_whole_blocks_are_drawn(name, drawn):
    assert layers.drawn_layers(ARCHS[name]) == drawn


def test_figures_take_the_layers_that_are_named_by_patterns(tmp_path):
    view = View(ckpt="runs/tiny", run=run_of(TINY, {}, np.zeros((46, 46, 3)), ("a",)), out=tmp_path)
    assert view.chosen_layers() == ["conv1", "conv2", "conv3"] and view.asked_layers() == []
    assert dataclasses.replace(view, layers="fc5,conv[13]").chosen_layers() == ["fc5", "conv1", "conv3"]
    with pytest.raises(InputError, match="unknown layer 'conv4'"):
        dataclasses.replace(view, layers="conv1,conv4").asked_layers()


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
