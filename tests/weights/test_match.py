"""Tensors under other names and in other orders of axes find their layers; what does not fit is named."""

import dataclasses

import numpy as np
import pytest
from layouts import GOOGLENET, LAYOUTS, RESNET, VGG, as_torch, random_params

from zfjax.errors import InputError
from zfjax.weights.match import match
from zfjax.weights.names import sequential_names
from zfjax.weights.reader import read_tensors
from zfjax.zoo import get_arch


def assert_same(matched, params):
    assert {layer: list(own) for layer, own in matched.params.items()} == {
        layer: list(own) for layer, own in params.items()
    }
    for layer, own in params.items():
        for name, array in own.items():
            np.testing.assert_array_equal(matched.params[layer][name], array, err_msg=f"{layer} {name}")
            assert matched.params[layer][name].dtype == np.float32


def _torch(layout: str, seed: int = 0):
    arch, modules = LAYOUTS[layout]
    params = random_params(arch, seed)
    return arch, params, as_torch(arch, params, modules)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_torchvisions_layouts(layout):
    arch, params, tensors = _torch(layout)
    matched = match(tensors, arch)
    assert matched.arch == arch and matched.note == ""
    assert_same(matched, params)
    backwards = match(dict(reversed(tensors.items())), arch)  # names count, not their order
    assert_same(backwards, params)


@pytest.mark.parametrize("separator", ["/", ".", "_"])
@pytest.mark.parametrize("layout", ["squeezenet", "alexnet", "resnet"])
def test_our_own_names_and_orders_of_axes(layout, separator):
    arch = LAYOUTS[layout][0]
    params = random_params(arch)
    matched = match({f"{k}{separator}{n}": array for k, own in params.items() for n, array in own.items()}, arch)
    assert_same(matched, params)
    assert not matched.note


def test_the_order_of_square_kernels_is_that_of_the_others():
    for layout in ("alexnet", "vgg"):  # fc7 is 7x7
        arch, params, tensors = _torch(layout)
        kernel = params["fc7"]["kernel"]
        np.testing.assert_array_equal(match(tensors, arch).params["fc7"]["kernel"], kernel)
        ours = {f"{layer}.{name}": array for layer, own in params.items() for name, array in own.items()}
        np.testing.assert_array_equal(match(ours, arch).params["fc7"]["kernel"], kernel)


@pytest.mark.parametrize("names", ["layer{}.w layer{}.b", "{:02}/kernel {:02}/bias", "m{}_weight m{}_bias"])
def test_by_order_where_no_name_is_known(names):
    arch, params, tensors = _torch("squeezenet")
    weight, bias = names.split()
    modules = {row.name: number for number, row in enumerate(r for r in arch.rows if r.param_shapes)}
    renamed = {}
    for layer, number in modules.items():
        module = LAYOUTS["squeezenet"][1][layer]
        renamed[weight.format(number)] = tensors[f"{module}.weight"]
        renamed[bias.format(number)] = tensors[f"{module}.bias"]
    for each in (renamed, dict(sorted(renamed.items()))):  # as safetensors has them: layer10 before layer2
        matched = match(each, arch, source="w.npz")
        assert_same(matched, params)
        assert matched.note.startswith("the layers of w.npz have other names than those of custom; they were taken in ")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_classes_of_the_file_become_the_networks(layout):
    arch, params, tensors = _torch(layout)
    other = dataclasses.replace(arch, num_classes=1000)
    matched = match(tensors, other)
    assert matched.arch == arch
    assert_same(matched, params)


def test_heads_that_only_training_needs_are_left_out():
    arch, params, tensors = _torch("googlenet")
    aux = {"aux1.conv.conv.weight": np.zeros((2, 6, 1, 1), np.float32), "aux2.fc1.bias": np.zeros(3, np.float32)}
    assert_same(match({**tensors, **aux}, arch), params)
    with pytest.raises(InputError, match=r"2 without a place"):
        match({**_torch("resnet")[2], "aux.weight": aux["aux2.fc1.bias"], "aux3.bias": aux["aux2.fc1.bias"]}, RESNET)


def _without(tensors, *names):
    return {name: array for name, array in tensors.items() if name not in names}


ONE = np.ones(1, np.float32)
MISFITS = {
    "missing": (
        "squeezenet",
        lambda t: _without(t, "features.3.squeeze.weight", "classifier.1.bias"),
        r"^a.pth does not fit custom: 2 missing \(features.3.squeeze.weight, classifier.1.bias\)$",
    ),
    "many missing": (
        "resnet",
        lambda t: _without(t, *(f"layer1.0.{n}.weight" for n in ("conv1", "bn1", "conv2", "bn2"))),
        r"4 missing \(layer1.0.conv1.weight, layer1.0.bn1.weight, layer1.0.conv2.weight, ...\)",
    ),
    "extra": ("resnet", lambda t: {**t, "layer3.0.conv1.weight": ONE, "fc.g": ONE}, "2 without a place"),
    "a bias too many": ("resnet", lambda t: {**t, "conv1.bias": ONE}, r"1 without a place \(conv1.bias\)"),
    "the same twice": ("resnet", lambda t: {**t, "fc/b": ONE}, r"1 without a place \(fc/b\)"),
    "another shape": (
        "alexnet",
        lambda t: {**t, "features.3.weight": np.ones((6, 4, 5, 5), np.float32)},
        r"1 of another shape or type \(features.3.weight is 6x4x5x5 in place of 6x4x3x3\)$",
    ),
    "no shape": ("alexnet", lambda t: {**t, "classifier.6.weight": np.float32(1)[()]}, "is one number in place of 5x7"),
    "whole numbers": ("vgg", lambda t: {**t, "classifier.6.bias": np.ones(5, np.int8)}, "classifier.6.bias has int8"),
    "variances": ("vgg-bn", lambda t: {**t, "features.1.running_var": -ONE.repeat(4)}, "has variances below 0"),
    "a name that speaks": (
        "vgg",
        lambda t: {**t, "\x1b]0;x\x07" + "y" * 1000: ONE},
        r"1 without a place \(\\x1b\]0;x\\x07y{70,80}\)$",
    ),
    "another network": (
        "alexnet",
        lambda t: {f"x.{name}": array for name, array in list(t.items())[2:]},
        r"it has 7 layers with weights \(x.features.3, x.features.6, x.features.8, ...\), and custom 8 \(conv1, con",
    ),
    "another order": (
        "alexnet",
        lambda t: {f"x.{name}": array for name, array in reversed(t.items())},
        r"13 of another shape or type \(x.classifier.6.weight is 5x7 in place of 4x3x5x5, ",
    ),
    "nothing of it": ("alexnet", lambda t: {"step": ONE}, r"it has 0 layers with weights \(step\)"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named(name):
    layout, change, message = MISFITS[name]
    arch, _, tensors = _torch(layout)
    with pytest.raises(InputError, match=message) as error:
        match(change(tensors), arch, source="a.pth")
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) < 400


def test_full_connections_on_a_map_of_another_size():
    arch, _, tensors = _torch("alexnet")
    larger = dataclasses.replace(arch, image_size=64)
    message = r"classifier.1.weight is 7x24 in place of 7x96\); its fc6 is for maps of 2x2, which are 4x4 at 64 pixels"
    with pytest.raises(InputError, match=message):
        match(tensors, larger)


def test_another_network_with_the_same_names_is_not_taken():
    for theirs, ours in (("vgg-bn", VGG), ("vgg", LAYOUTS["vgg-bn"][0]), ("alexnet", VGG), ("resnet", GOOGLENET)):
        with pytest.raises(InputError, match="does not fit"):
            match(_torch(theirs)[2], ours)


# The places of convolutions and fire modules, and of full connections, in torchvision's lists of layers.
NUMBERS = {
    "alexnet-torchvision": ("0 3 6 8 10", "1 4 6"),
    "vgg11": ("0 3 6 8 11 13 16 18", "0 3 6"),
    "vgg16": ("0 2 5 7 10 12 14 17 19 21 24 26 28", "0 3 6"),
    "vgg16-bn": ("0 1 3 4 7 8 10 11 14 15 17 18 20 21 24 25 27 28 30 31 34 35 37 38 40 41", "0 3 6"),
    "squeezenet1_0": ("0 3 4 5 7 8 9 10 12", "1"),
    "squeezenet1_1": ("0 3 4 6 7 9 10 11 12", "1"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_names_of_the_zoos_layers_in_torchvisions_files(name):
    arch = get_arch(name)
    names = sequential_names(arch)
    found = [names[row.name].split(".")[:2] for row in arch.rows if row.param_shapes]
    for part, numbers in zip(("features", "classifier"), NUMBERS[name], strict=True):
        assert list(dict.fromkeys(number for each, number in found if each == part)) == numbers.split()


def test_real_weights_of_squeezenet_fit_by_order(shared_data):
    tensors = read_tensors(shared_data / "weights" / "squeezenet_v1.0_deepcompression.npz")
    matched = match(tensors, get_arch("squeezenet-caffe", num_classes=10))
    assert matched.arch == get_arch("squeezenet-caffe") and "fire2.conv1x1_1 as fire2/squeeze1x1" in matched.note
    for theirs, ours in (("conv1", "conv1"), ("fire9/conv3x3_2", "fire9/expand3x3"), ("conv_final", "conv10")):
        kernel = np.einsum("oihw->hwio", tensors[f"{theirs}/w"])
        np.testing.assert_array_equal(matched.params[ours]["kernel"], kernel)


def test_names_that_other_layers_have_here_do_not_hide_the_order():
    arch = get_arch("lenet5", num_classes=3)
    params = random_params(arch)
    theirs = dict(zip(("conv1", "conv2", "fc1", "fc2", "fc3"), params, strict=True))  # as PyTorch's tutorial has them
    tensors = {
        f"{name}.{part}": np.asarray(params[layer][ours])
        for name, layer in theirs.items()
        for part, ours in (("weight", "kernel"), ("bias", "bias"))
    }
    found = match(tensors, get_arch("lenet5"))
    assert found.arch.num_classes == 3 and "fc3 as fc5" in found.note.replace("...", "fc3 as fc5")
    for layer, parts in params.items():
        assert np.array_equal(found.params[layer]["kernel"], parts["kernel"])
