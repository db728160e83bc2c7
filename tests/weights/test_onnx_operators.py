"""Every operator and attribute that is read, in small graphs, against the onnx package's own evaluator."""

import os

import hypothesis.strategies as st
import jax
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from onnx_files import network, reference
from oracle import assert_close, oracle, some_units

from zfjax import convnet, deconvnet
from zfjax.deconvnet import paste
from zfjax.layers import Add, AvgPool, BatchNorm, Concat, Conv, Dense, GlobalAvgPool, Identity, MaxPool
from zfjax.weights.onnx import read_onnx

project = jax.jit(deconvnet.project, static_argnums=(0, 3))
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(4, 3, 3, 3))
DEPTH = RNG.normal(size=(4, 1, 3, 3))
BIAS = RNG.normal(size=4)
STATISTICS = {"s": RNG.normal(size=4), "b": RNG.normal(size=4), "m": RNG.normal(size=4), "v": RNG.uniform(1, 2, size=4)}
DENSE = RNG.normal(scale=0.01, size=(4 * 9 * 9, 5))
SAME = {"pads": [1, 1, 1, 1]}
CONV = ("Conv", "x k b", SAME)
INITS = {"k": KERNEL, "b": BIAS}
WHOLE = np.array([0, -1])


def pool(op, **attributes):
    return [CONV, (op, "v0", {"kernel_shape": [3, 3], **attributes})]


CASES = {
    "strides, dilations and uneven pads": (
        [("Conv", "x k", {"strides": [2, 1], "dilations": [1, 2], "pads": [0, 1, 2, 0]}), ("Relu", "v0", {})],
        {},
    ),
    "groups": ([CONV, ("Conv", "v0 d b", {"group": 4})], {"d": DEPTH}),
    "SAME_UPPER": (
        [("Conv", "x e", {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
        {"e": RNG.normal(size=(4, 3, 2, 4))},
    ),
    "SAME_LOWER": (
        [("Conv", "x e", {"auto_pad": "SAME_LOWER", "strides": [1, 2]})],
        {"e": RNG.normal(size=(4, 3, 2, 4))},
    ),
    "max pool rounded up": (pool("MaxPool", strides=[2, 2], ceil_mode=1, pads=[1, 0, 0, 0]), {}),
    "max pool SAME_UPPER": (pool("MaxPool", strides=[2, 2], auto_pad="SAME_UPPER"), {}),
    "average pool SAME_LOWER": ([CONV, ("AveragePool", "v0", {"kernel_shape": [2, 4], "auto_pad": "SAME_LOWER"})], {}),
    "average pool of what is there": (pool("AveragePool", strides=[2, 2], pads=[1, 1, 1, 1]), {}),
    "average pool with zeros": (pool("AveragePool", strides=[1, 2], pads=[1, 1, 0, 1], count_include_pad=1), {}),
    "average pool rounded up": (pool("AveragePool", strides=[2, 2], pads=[1, 1, 0, 0], ceil_mode=1), {}),
    "average pool rounded up, with zeros": (
        pool("AveragePool", strides=[2, 2], pads=[1, 1, 0, 0], ceil_mode=1, count_include_pad=1),
        {},
    ),
    "global pools": (
        [
            ("Conv", "x k b", {"strides": [2, 2]}),
            ("GlobalMaxPool", "v0", {}),
            ("GlobalAveragePool", "v0", {}),
            ("Add", "v1 v2", {}),
        ],
        {},
    ),
    "mean over places": ([CONV, ("ReduceMean", "v0", {"axes": [2, -1], "keepdims": 0})], {}),
    "contrast normalisation": ([CONV, ("LRN", "v0", {"size": 3, "alpha": 0.3, "beta": 0.6, "bias": 1.5})], {}),
    "batch norm, scaled and shifted": (
        [
            ("Conv", "x k", {}),
            ("BatchNormalization", "v0 s b m v", {"epsilon": 1e-3}),
            ("Unsqueeze", "b axes", {}),
            ("Mul", "v1 v2", {}),
            ("Sub", "v3 v2", {}),
            ("Div", "v4 v2", {}),
        ],
        {**STATISTICS, "axes": np.array([1, 2])},
    ),
    "constants around a convolution": (
        [("Mul", "x two", {}), ("Conv", "v0 k", {}), ("Add", "c v1", {}), ("Mul", "v2 two", {}), ("Sub", "two v3", {})],
        {"c": BIAS.reshape(1, 4, 1, 1), "two": np.array(2.0)},
    ),
    "scaled after a ReLU, and read twice": (
        [
            CONV,
            ("Relu", "v0", {}),
            ("Mul", "v1 c", {}),
            ("Add", "v2 v1", {}),
            ("Relu", "v0", {}),
            ("Sum", "v3 v4 v0", {}),
        ],
        {"c": BIAS.reshape(4, 1, 1)},
    ),
    "joined": (
        [CONV, ("Relu", "v0", {}), ("Concat", "v1 v0 x", {"axis": -3}), ("Concat", "v2", {"axis": 1})],
        {},
    ),
    "zeros around": (
        [
            ("Pad", "x p", {}),
            ("Conv", "v0 k", {}),
            ("Pad", "v1 p", {}),
            ("MaxPool", "v2", {"kernel_shape": [3, 3], "strides": [2, 2]}),
            ("Pad", "v3 p", {}),
            ("AveragePool", "v4", {"kernel_shape": [3, 3], "pads": [0, 1, 0, 1]}),
        ],
        {"p": np.array([0, 0, 1, 2, 0, 0, 2, 1])},
    ),
    "zeros around what is rectified": (
        [
            CONV,
            ("Relu", "v0", {}),
            ("Pad", "v1 p zero", {}),
            ("MaxPool", "v2", {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ],
        {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "zero": np.array(0.0)},
    ),
    "flattened": (
        [CONV, ("Relu", "v0", {}), ("Flatten", "v1", {}), ("Gemm", "v2 w c", {})],
        {"w": DENSE, "c": RNG.normal(size=5)},
    ),
    "alpha, beta and a turned matrix": (
        [
            CONV,
            ("Reshape", "v0 whole", {}),
            ("Gemm", "v1 w c", {"alpha": 0.5, "beta": 2.0, "transB": 1}),
            ("Softmax", "v2", {}),
        ],
        {"w": DENSE.T, "c": np.array(0.3), "whole": WHOLE},
    ),
    "a product, its bias and a norm": (
        [
            CONV,
            ("Flatten", "v0", {"axis": -3}),
            ("MatMul", "v1 w", {}),
            ("Add", "v2 b", {}),
            ("Relu", "v3", {}),
            ("BatchNormalization", "v4 s b m v", {}),
            ("MatMul", "v5 w2", {}),
        ],
        {"w": DENSE[:, :4], "w2": RNG.normal(size=(4, 6)), **STATISTICS},
    ),
    "a shape computed": (
        [
            CONV,
            ("Shape", "v0", {}),
            ("Gather", "v1 zero", {}),
            ("Unsqueeze", "v2 zeros", {}),
            ("Constant", "", {"value_ints": [-1]}),
            ("Concat", "v3 v4", {"axis": 0}),
            ("Reshape", "v0 v5", {}),
            ("Dropout", "v6", {"outputs": ["v7", "mask"]}),
            ("Gemm", "v7 w", {}),
            ("LogSoftmax", "v8", {}),
        ],
        {"zero": np.array(0), "zeros": np.array([0]), "w": DENSE},
    ),
    "channels shuffled, split and chosen": (
        [
            CONV,
            ("Reshape", "v0 groups", {}),
            ("Transpose", "v1", {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", "v2 maps", {}),
            ("Split", "v3 sizes", {"axis": 1, "outputs": ["one", "three"]}),
            ("Relu", "one", {"outputs": ["first"]}),
            ("Gather", "three order", {"axis": 1, "outputs": ["turned"]}),
            ("Slice", "turned from to channel", {"outputs": ["part"]}),
            ("Concat", "first three part", {"axis": 1}),
        ],
        {
            "groups": np.array([1, 2, 2, 9, 9]),
            "maps": np.array([0, 4, 9, -1]),
            "sizes": np.array([1, 3]),
            "order": np.array([2, 0, 1]),
            "from": np.array([1]),
            "to": np.array([99]),
            "channel": np.array([1]),
        },
    ),
    "split channels read as they are and rectified": (
        [
            CONV,
            ("Split", "v0 sizes", {"axis": 1, "outputs": ["one", "two"]}),
            ("Relu", "one", {"outputs": ["first"]}),
            ("Gather", "v0 order", {"axis": 1, "outputs": ["turned"]}),
            ("Relu", "turned", {"outputs": ["above"]}),
            ("Concat", "one first two turned above", {"axis": 1}),
        ],
        {"sizes": np.array([2, 2]), "order": np.array([3, 1, 0, 2])},
    ),
    "classes in another order": (
        [CONV, ("Flatten", "v0", {}), ("Gemm", "v1 w", {}), ("Gather", "v2 order", {"axis": 1})],
        {"w": DENSE, "order": np.array([2, 0, 1, 4, 3])},
    ),
    "classes in another order behind a mean": (
        [CONV, ("GlobalAveragePool", "v0", {}), ("Gather", "v1 order", {"axis": 1}), ("Flatten", "v2", {})],
        {"order": np.array([2, 0, 1, 3])},
    ),
    "channels last inside": (
        [CONV, ("Transpose", "v0", {"perm": [0, 2, 3, 1]}), ("Reshape", "v1 whole", {}), ("Gemm", "v2 w", {})],
        {"whole": WHOLE, "w": DENSE},
    ),
}


def run(model, tmp_path):
    """The network, its parameters, images, and what came out beside the reference."""
    onnx.save(model, tmp_path / "model.onnx")
    arch, params = read_onnx(tmp_path / "model.onnx")
    images = (
        np.random.default_rng(1).normal(size=(1, arch.image_size, arch.image_size, arch.channels)).astype(np.float32)
    )
    return arch, params, images, jax.jit(convnet.forward, static_argnums=0)(arch, params, images)


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_the_reference(name, tmp_path):
    nodes, inits = CASES[name]
    model = network(*nodes, inits={**INITS, **inits})
    arch, params, images, forward = run(model, tmp_path)
    ended = nodes[-1][0] in ("Softmax", "LogSoftmax")
    (expected,) = reference(model, images, model.graph.node[-1].input[0]) if ended else reference(model, images)
    if expected.ndim == 4:
        expected = np.moveaxis(expected, 1, 3)
    assert_close(forward.logits, expected.reshape(1, -1), 1e-5)
    assert {row.name: row.param_shapes for row in arch.rows if row.param_shapes} == {
        layer: {each: array.shape for each, array in own.items()} for layer, own in params.items()
    }


def test_valid_is_no_padding(tmp_path):
    plain, valid = (
        network(("Conv", "x k", {**pad, "strides": [2, 2]}), inits=INITS) for pad in ({}, {"auto_pad": "VALID"})
    )
    _, _, images, forward = run(valid, tmp_path)
    (expected,) = reference(plain, images)  # for VALID itself the evaluator padded before onnx 1.23
    assert_close(forward.logits, np.moveaxis(expected, 1, 3).reshape(1, -1), 1e-5)


EVERYTHING = network(
    ("Sub", "x mean", {}),
    ("Conv", "v0 k b", SAME),
    ("Relu", "v1", {}),
    ("Pad", "v2 p2", {}),
    ("MaxPool", "v3", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    ("Reshape", "v4 groups", {}),
    ("Transpose", "v5", {"perm": [0, 2, 1, 3, 4]}),
    ("Reshape", "v6 maps", {}),
    ("Conv", "v7 d", {"group": 4, **SAME}),
    ("BatchNormalization", "v8 s b m v", {}),
    ("Mul", "v9 c", {}),
    ("Add", "v10 v7", {}),
    ("Relu", "v11", {}),
    ("Pad", "v8 p", {}),
    ("AveragePool", "v13", {"kernel_shape": [3, 3], "pads": [1, 1, 0, 0]}),
    ("Relu", "v14", {}),
    ("GlobalAveragePool", "v12", {}),
    ("GlobalAveragePool", "v15", {}),
    ("Concat", "v16 v17", {"axis": 1}),
    ("Transpose", "v18", {"perm": [0, 3, 2, 1]}),
    ("Flatten", "v19", {}),
    ("Gemm", "v20 w b", {}),
    inits={
        **INITS,
        **STATISTICS,
        "d": DEPTH,
        "mean": np.array([0.3, 0.1, -0.2]).reshape(3, 1, 1),
        "p": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "p2": np.array([0, 0, 2, 2, 0, 0, 1, 1]),
        "groups": np.array([0, 2, 2, 6, 6]),
        "maps": np.array([0, -1, 6, 6]),
        "c": BIAS.reshape(4, 1, 1),
        "w": RNG.normal(size=(8, 4)),
    },
)


def test_projections_equal_autodiff(tmp_path):
    arch, params, images, forward = run(EVERYTHING, tmp_path)
    (expected,) = reference(EVERYTHING, images)
    assert_close(forward.logits, expected, 1e-5)
    layer = arch.layer_names[-1]
    units = some_units(arch, layer, images=1, count=3)
    pictures = paste(project(arch, params, forward, layer, units), arch.image_size)
    assert_close(pictures, oracle(arch, params, images, layer, units), 1e-5)


def test_what_is_folded_away(tmp_path):
    arch, params, *_ = run(EVERYTHING, tmp_path)
    below = [BatchNorm, Conv, MaxPool, Conv, Conv, BatchNorm, Add]
    kinds = [*below, Conv, AvgPool, GlobalAvgPool, GlobalAvgPool, Concat, Dense]
    assert [type(layer) for layer in arch.layers] == kinds
    assert arch.layers[-1].features is None and arch.num_classes == 4 and arch.layers[-1].relu is False
    assert [layer.relu for layer in arch.layers[1:8]] == [True, False, False, False, False, True, False]
    assert arch.layers[2].padding == ((2, 2), (2, 2)), "zeros around what is rectified are padding"
    assert arch.layers[7].padding == ((1, 1), (1, 1)) and arch.layers[8].padding == ((1, 0), (1, 0))
    assert arch.layers[8].count_include_pad is False
    assert arch.layers[1].inputs == () and arch.layers[6].inputs == (arch.layers[5].name, arch.layers[3].name)
    assert np.allclose(params[arch.layers[0].name]["bias"], [-0.3, -0.1, 0.2])


def test_a_layer_with_two_readers_keeps_its_own_values(tmp_path):
    model = network(
        CONV, ("Relu", "v0", {}), ("Mul", "v0 c", {}), ("Sum", "v1 v2", {}), inits={**INITS, "c": np.array(2.0)}
    )
    arch, *_ = run(model, tmp_path)
    assert [(type(layer), layer.relu) for layer in arch.layers] == [
        (Conv, False),
        (Identity, True),
        (BatchNorm, False),
        (Add, False),
    ]
    assert arch.layers[2].inputs == (arch.layers[0].name,)


LIKE = [
    CONV,
    ("Relu", "v0", {}),
    ("GlobalAveragePool", "v1", {}),
    ("Flatten", "v2", {}),
    ("Gemm", "v3 w", {}),
    ("Add", "v4 c", {}),
]
LIKE_INITS = {**INITS, "w": RNG.normal(size=(4, 5)), "c": RNG.normal(size=5)}
TURNED = {**LIKE_INITS, "w": LIKE_INITS["w"].T}
# One network, as versions of the operators and programs write it.
WAYS = {
    "version 6: axes of constants": (
        6,
        [
            ("Conv", "x k", SAME),
            ("Add", "v0 b", {"broadcast": 1, "axis": 1}),
            ("Dropout", "v1", {"is_test": 1, "ratio": 0.5}),
            ("Relu", "v2", {}),
            ("GlobalAveragePool", "v3", {}),
            ("Squeeze", "v4", {"axes": [2, 3]}),
            ("Gemm", "v5 w c", {"broadcast": 1}),
        ],
        LIKE_INITS,
    ),
    "version 4: the shape is an attribute": (
        4,
        [*LIKE[:3], ("Reshape", "v2", {"shape": [0, -1]}), ("Gemm", "v3 w c", {"transB": 1, "broadcast": 1})],
        TURNED,
    ),
    "version 9: slices and pads are attributes": (
        9,
        [
            ("Pad", "x", {"pads": [0, 0, 1, 1, 0, 0, 1, 1]}),
            ("Slice", "k", {"starts": [0], "ends": [3], "axes": [0]}),
            ("Slice", "k", {"starts": [3], "ends": [4], "axes": [0]}),
            ("Concat", "v1 v2", {"axis": 0}),
            ("Conv", "v0 v3 b", {}),
            ("Relu", "v4", {}),
            ("ReduceMean", "v5", {"axes": [2, 3], "keepdims": 0}),
            ("Gemm", "v6 w c", {}),
        ],
        LIKE_INITS,
    ),
    "version 18: axes are inputs": (
        18,
        [
            CONV,
            ("Relu", "v0", {}),
            ("ReduceMean", "v1 places", {}),
            ("Squeeze", "v2 places", {}),
            ("Transpose", "w", {"perm": [1, 0]}),
            ("Identity", "v4", {}),
            ("MatMul", "v3 v5", {}),
            ("Add", "c v6", {}),
            ("Softmax", "v7", {}),
        ],
        {**TURNED, "places": np.array([2, 3])},
    ),
    "version 21: constants and casts": (
        21,
        [
            ("Constant", "", {"value": onnx.numpy_helper.from_array(BIAS)}),
            ("Cast", "v0", {"to": onnx.TensorProto.FLOAT}),
            ("Cast", "x", {"to": onnx.TensorProto.DOUBLE}),
            ("Conv", "v2 k v1", SAME),
            ("Constant", "", {"value_float": 2.0}),
            ("Relu", "v3", {}),
            ("Mul", "v5 v4", {}),
            ("Div", "v6 v4", {}),
            ("GlobalAveragePool", "v7", {}),
            ("Flatten", "v8", {}),
            ("Constant", "", {"value_floats": LIKE_INITS["c"].tolist()}),
            ("Gemm", "v9 w v10", {}),
        ],
        LIKE_INITS,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_versions_of_the_operators(way, tmp_path):
    version, nodes, inits = WAYS[way]
    *_, images, forward = run(network(*nodes, inits=inits, version=version), tmp_path)
    (expected,) = reference(network(*LIKE, inits=LIKE_INITS), images)
    assert_close(forward.logits, expected, 1e-5)


def test_channels_last_and_any_batch(tmp_path):
    """As programs write it that keep channels last: the image is turned first, and back before the last product."""
    nodes = [
        ("Transpose", "x", {"perm": [0, 3, 1, 2]}),
        ("Conv", "v0 k b", SAME),
        ("Transpose", "v1", {"perm": [0, 2, 3, 1]}),
    ]
    nodes += [("Reshape", "v2 whole", {}), ("MatMul", "v3 w", {})]
    inits = {**INITS, "whole": np.array([-1, 324]), "w": DENSE}
    arch, params, images, forward = run(network(*nodes, inits=inits, image=("batch", 9, 9, 3)), tmp_path)
    assert [type(layer) for layer in arch.layers] == [Conv, Dense]
    assert np.array_equal(params[arch.layers[1].name]["kernel"], DENSE.astype(np.float32))
    (expected,) = reference(network(*nodes, inits=inits, image=(1, 9, 9, 3)), np.moveaxis(images, 1, 3))
    assert_close(forward.logits, expected, 1e-5)


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"])
@pytest.mark.parametrize("raw", [True, False])
def test_kinds_of_numbers(kind, raw, tmp_path):
    """Values that all kinds can hold, stored as bytes and as lists."""
    values = np.arange(108.0).reshape(4, 3, 3, 3) - 50
    model = network(("Conv", "x k", {}), inits={"k": values})
    kind = getattr(onnx.TensorProto, kind)
    data = values.astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    tensor = onnx.helper.make_tensor("k", kind, values.shape, data.tobytes() if raw else data.ravel().tolist(), raw)
    model.graph.initializer[0].CopyFrom(tensor)
    onnx.save(model, tmp_path / "model.onnx")
    arch, params = read_onnx(tmp_path / "model.onnx")
    kernel = params[arch.layer_names[0]]["kernel"]
    assert kernel.dtype == np.float32 and np.array_equal(kernel, values.transpose(2, 3, 1, 0))


@st.composite
def windows(draw):
    """One convolution or pool of any geometry. Strides up to 2: where rounding up adds two rows, the evaluator puts one
    of them above the maps, and for MaxPool with strides of 1 it takes the pads in another order."""
    op = draw(st.sampled_from(["Conv", "MaxPool", "AveragePool"]))
    window = draw(st.tuples(*[st.integers(1, 4)] * 2))
    strides = draw(st.sampled_from([(2, 1), (1, 2), (2, 2), *([] if op == "MaxPool" else [(1, 1)])]))
    sides = [draw(st.integers(0, size - 1)) for size in window * 2]
    attributes = {"kernel_shape": window, "strides": strides, "pads": sides}
    if op == "Conv":
        groups = draw(st.sampled_from([1, 3]))
        kernel = np.random.default_rng(draw(st.integers(0, 9))).normal(size=(6, 3 // groups, *window))
        attributes |= {"group": groups, "dilations": draw(st.tuples(*[st.integers(1, 2)] * 2))}
        return network((op, "x w", attributes), inits={"w": kernel})
    attributes["ceil_mode"] = draw(st.integers(0, 1))
    if op == "AveragePool":
        attributes["count_include_pad"] = draw(st.integers(0, 1))
    return network((op, "x", attributes))


EXAMPLES = int(os.environ.get("ZFJAX_WINDOWS", "6"))  # more at the desk


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(model=windows())
def test_windows_of_any_geometry(model, tmp_path):
    _, _, images, forward = run(model, tmp_path)
    (expected,) = reference(model, images)
    assert_close(forward.logits, np.moveaxis(expected, 1, 3).reshape(1, -1), 1e-5)


def test_layers_are_called_as_people_know_them(tmp_path):
    """By their weights, by PyTorch's modules, by their nodes, by what they make, or by their kind and number."""
    one, square = {"kernel_shape": [1, 1]}, RNG.normal(size=(3, 3, 1, 1))
    model = network(
        ("Conv", "x conv1/7x7_w_0", {"name": "n0"}),
        ("Conv", "v0 features.0.weight", {"name": "/features/features.0/Conv"}),
        ("Conv", "v1 onnx::Conv_39", {"name": "/layer1/layer1.0/conv1/Conv"}),
        ("Add", "v2 v1", {"name": "/layer1/layer1.0/Add"}),
        ("Relu", "v3", {"name": "/layer1/layer1.0/relu/Relu"}),
        ("Conv", "v4 onnx::Conv_39", {"name": "/layer1/layer1.0/conv1/Conv"}),
        ("MaxPool", "v5", {**one, "name": "pool one"}),
        ("MaxPool", "v6", {**one, "name": "MaxPool_3", "outputs": ["block/pool:0"]}),
        ("MaxPool", "block/pool:0", {**one, "name": "n17"}),
        ("MaxPool", "v8", {**one, "outputs": ["123"]}),
        ("GlobalAveragePool", "123", {}),
        inits={name: square for name in ("conv1/7x7_w_0", "features.0.weight", "onnx::Conv_39")},
    )
    arch, *_ = run(model, tmp_path)
    modules = ("features.0", "layer1.0.conv1", "layer1.0", "layer1.0.conv1_2")
    pools = ("pool_one", "block/pool", "maxpool1", "maxpool2")
    assert arch.layer_names == ("conv1/7x7", *modules, *pools, "globalavgpool1")
