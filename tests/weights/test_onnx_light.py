"""The graphs that come with the onnx package, with random weights: against its own evaluator, and against autodiff."""

import os

import jax
import numpy as np
import onnx
import pytest
from onnx_files import LIGHT, light, reference
from oracle import assert_close, oracle

from zfjax import convnet, deconvnet
from zfjax.arch import Arch
from zfjax.deconvnet import Units, paste, strongest
from zfjax.weights.onnx import read_onnx

project = jax.jit(deconvnet.project, static_argnums=(0, 3))
# Trained numbers: the paper's GoogLeNet without auxiliary heads, and those that torchvision publishes for the others.
# shufflenet has besides what its 16 shuffles of channels take as convolutions.
COUNTS = {"inception_v1": 6_998_552, "resnet50": 25_557_032, "squeezenet": 1_235_496, "densenet121": 7_978_856}
# All of them at the desk, some two minutes: ZFJAX_LIGHT=bvlc_alexnet,zfnet512,squeezenet,vgg19,inception_v1,...
SOME = os.environ.get("ZFJAX_LIGHT", "squeezenet@67").split(",")
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
    assert [*arch.layer_names[:4]] == NAMES[name] and Arch.from_dict(arch.to_dict()) == arch


def test_a_shuffle_of_channels_is_a_convolution():
    arch, params = read_onnx(LIGHT / "light_shufflenet.onnx")
    shuffles = [name for name in arch.layer_names if name.endswith("_shuffled")]
    assert len(shuffles) == 16
    kernel = params[shuffles[0]]["kernel"][0, 0]
    # 112 maps in 4 groups of 28: the first of each group, the second of each group, ...
    assert np.array_equal(np.arange(112) @ kernel, np.arange(112).reshape(4, 28).T.ravel())


@pytest.mark.parametrize("case", SOME)
def test_outputs_and_projections(case, tmp_path):
    name, _, size = case.partition("@")
    model = light(name, size=int(size) if size else None)
    onnx.save(model, tmp_path / "model.onnx")
    arch, params = read_onnx(tmp_path / "model.onnx")
    images = np.random.default_rng(1).normal(size=(1, arch.image_size, arch.image_size, 3)).astype(np.float32)
    forward = jax.jit(convnet.forward, static_argnums=0)(arch, params, images)
    last = model.graph.node[-1]
    before = last.input[0] if last.op_type == "Softmax" else last.output[0]
    logits, outputs = reference(model, images, before, last.output[0])
    assert_close(forward.logits, logits.reshape(1, -1), 1e-4)
    if last.op_type == "Softmax":
        assert_close(jax.nn.softmax(forward.logits), outputs.reshape(1, -1), 1e-4)
    middle = [arch.layer_names[len(arch.layers) // 2]] if len(SOME) > 1 else []
    for layer in [arch.layer_names[-1], *middle]:
        channels = np.random.default_rng(2).integers(0, arch.shapes()[layer][2], 10)
        units = strongest(forward, layer, channels)
        picture = paste(project(arch, params, forward, layer, units), arch.image_size)
        assert_close(picture, oracle(arch, params, images, layer, Units(*units)), 1e-5)
