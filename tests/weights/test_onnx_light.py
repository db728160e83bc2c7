"""The graphs that come with the onnx package, with random weights: against its own evaluator, and against autodiff."""

import functools
import os

import jax
import numpy as np
import onnx
import pytest
from onnx_files import LIGHT, light, reference
from oracle import assert_close, oracle, plain_forward

from zfjax import convnet, deconvnet
from zfjax.arch import Arch
from zfjax.deconvnet import Units, paste, strongest
from zfjax.layers import Conv, Dense, MaxPool
from zfjax.ops import max_pool
from zfjax.weights.onnx import read_onnx

project = jax.jit(deconvnet.project, static_argnums=(0, 3), static_argnames="seed")
# Trained numbers: the paper's GoogLeNet without auxiliary heads, and those that torchvision publishes for the others.
# shufflenet has besides what its 16 shuffles of channels take as convolutions.
COUNTS = {"inception_v1": 6_998_552, "resnet50": 25_557_032, "squeezenet": 1_235_496, "densenet121": 7_978_856}
# At the desk all of them, with projections, in some five minutes: ZFJAX_LIGHT=all. For the gate one at a smaller size.
ALL = os.environ.get("ZFJAX_LIGHT") == "all"
SOME = sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx")) if ALL else ["squeezenet@67"]
NAMES = {
    "squeezenet": ["conv1", "maxpool1", "fire2/squeeze1x1", "fire2/expand1x1"],
    "resnet50": ["conv1", "res_conv1_bn", "maxpool1", "res2_0_branch2a"],
    "inception_v1": ["conv1/7x7_s2", "maxpool1", "lrn1", "conv2/3x3_reduce"],
    "densenet121": ["conv1", "conv1/bn", "maxpool1", "conv2_1/x1/bn"],
}


@pytest.mark.parametrize("name", COUNTS)
def test_graphs_are_read_whole(name):
    arch, params = read_onnx(LIGHT / f"light_{name}.onnx")
    assert arch.param_count() == COUNTS[name] and arch.num_classes == 1000 and arch.image_size == 224
    shapes = {row.name: row.param_shapes for row in arch.rows if row.param_shapes}
    assert shapes == {layer: {each: array.shape for each, array in own.items()} for layer, own in params.items()}
    classifier = [layer.name for layer in arch.layers if isinstance(layer, Conv | Dense) and layer.features is None]
    assert classifier == [[name for name in arch.layer_names if "avgpool" not in name][-1]]
    assert [*arch.layer_names[:4]] == NAMES[name] and Arch.from_dict(arch.to_dict()) == arch


def test_a_shuffle_of_channels_is_a_convolution():
    arch, params = read_onnx(LIGHT / "light_shufflenet.onnx")
    shuffles = [name for name in arch.layer_names if name.endswith("_shuffled")]
    assert len(shuffles) == 16
    kernel = params[shuffles[0]]["kernel"][0, 0]
    # 112 maps in 4 groups of 28: the first of each group, the second of each group, ...
    assert np.array_equal(np.arange(112) @ kernel, np.arange(112).reshape(4, 28).T.ravel())


def seen(arch, params, seed):
    shape = (1, arch.image_size, arch.image_size, 3)
    images = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return images, jax.jit(convnet.forward, static_argnums=0)(arch, params, images)


def without_ties(arch, params):
    """An image, and its forward pass, in which no two cells of a window are the maximum but for rounding, which would
    give the oracle another switch."""
    other = jax.jit(functools.partial(plain_forward, arch, params))
    pools = [row for row in arch.rows if isinstance(row.layer, MaxPool)]
    for seed in range(9):
        images, forward = seen(arch, params, seed)
        maps = other(images)
        expected = [
            max_pool(maps[row.inputs[0]], row.layer.window, row.layer.strides, row.layer.padding)[1] for row in pools
        ]
        if all(np.array_equal(forward.switches[row.name], each) for row, each in zip(pools, expected, strict=True)):
            return images, forward
    raise AssertionError("every image has ties")


@pytest.mark.parametrize("case", SOME)
def test_outputs_and_projections(case, tmp_path):
    name, _, size = case.partition("@")
    model = light(name, size=int(size) if size else None)
    onnx.save(model, tmp_path / "model.onnx")
    arch, params = read_onnx(tmp_path / "model.onnx")
    images, forward = without_ties(arch, params) if ALL else seen(arch, params, 0)
    last = model.graph.node[-1]
    before = last.input[0] if last.op_type == "Softmax" else last.output[0]
    logits, outputs = reference(model, images, before, last.output[0])
    assert_close(forward.logits, logits.reshape(1, -1), 1e-4)
    if last.op_type == "Softmax":
        assert_close(jax.nn.softmax(forward.logits), outputs.reshape(1, -1), 1e-4)
    for layer in [arch.layer_names[-1], arch.layer_names[len(arch.layers) // 2]] if ALL else []:
        channels = np.random.default_rng(2).integers(0, arch.shapes()[layer][2], 10)
        units = strongest(forward, layer, channels)
        # from one on: the strongest activation of a map may be near zero, and has few digits then
        picture = paste(project(arch, params, forward, layer, units, seed="one"), arch.image_size)
        assert_close(picture, oracle(arch, params, images, layer, Units(*units), seed="one"), 1e-5)
