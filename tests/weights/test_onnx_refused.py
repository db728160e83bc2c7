"""What an ONNX file may not be: every refusal is one line that names the file, the node and the reason."""

import importlib.util
import os

import numpy as np
import onnx
import pytest
from onnx_files import network

import zfjax.weights.onnx_graph.table
from zfjax.errors import InputError
from zfjax.weights.onnx import read_onnx

KERNEL = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
CONV = ("Conv", "x k", {})
INITS = {"k": KERNEL, "c": np.ones((1, 4, 7, 7)), "v": np.ones(4), "w": np.ones((196, 5)), "e": np.ones((4, 2, 1, 1))}
PADS = np.array([0, 0, 1, 1, 0, 0, 1, 1])
NODES = {
    "no layer does this": [CONV, ("Sigmoid", "v0", {})],
    "ai.custom.Conv": [("Conv", "x k", {"domain": "ai.custom"})],
    "its attribute 'sigma' is not known": [("Conv", "x k", {"sigma": 1})],
    "its attribute strides has the wrong type": [("Conv", "x k", {"strides": 2})],
    "its strides is \\[2\\]; two whole": [("Conv", "x k", {"strides": [2]})],
    "its padding is 'NOTSET' \\[-1, 0, 0, 0\\]": [("Conv", "x k", {"pads": [-1, 0, 0, 0]})],
    "its padding is '.x1b.31m.n' \\[0, 0, 0, 0\\]": [("Conv", "x k", {"auto_pad": "\x1b[31m\n"})],
    "its pads are \\[1, 1, 1": [("Pad", "x ones", {})],
    "its attribute 'a.nb' is not known": [("Conv", "x k", {"a\nb": 1})],
    "its kernel takes 2 channels in 1 groups, and there are 3": [("Conv", "x e", {})],
    "convolutions over two dimensions": [("Conv", "x v", {})],
    "its bias is \\[1, 4, 7, 7\\] for 4": [("Conv", "x k c", {})],
    "dilations is not supported": [("MaxPool", "x", {"kernel_shape": [2, 2], "dilations": [2, 2]})],
    "has more than 256 cells": [("MaxPool", "x", {"kernel_shape": [9, 300], "pads": [0, 299, 0, 299]})],
    "needs a window of 10x10 and gets 9x9": [("MaxPool", "x", {"kernel_shape": [10, 10]})],
    "4 neighbours; only odd numbers": [("LRN", "x", {"size": 4})],
    "only normalisation by stored statistics": [CONV, ("BatchNormalization", "v0 v v v v", {"training_mode": 1})],
    "should have 3 numbers": [("BatchNormalization", "x v v v v", {})],
    "its variance has a number below zero": [CONV, ("BatchNormalization", "v0 v v v minus", {})],
    "computes maps from each other": [CONV, ("Mul", "v0 v0", {})],
    "it divides by maps": [CONV, ("Div", "v v0", {})],
    "one for each channel can be": [CONV, ("Add", "v0 c", {})],
    "do not fit together: \\[1, 4, 7, 7\\], \\[1, 3, 9, 9\\]": [CONV, ("Add", "v0 x", {})],
    "joins along axis 2": [CONV, ("Concat", "v0 v0", {"axis": 2})],
    "joins maps with constants": [CONV, ("Concat", "v0 c", {"axis": 1})],
    "reads maps of conv1 in an order or a shape that no layer has": [
        CONV,
        ("Transpose", "v0", {"perm": [0, 1, 3, 2]}),
        ("GlobalMaxPool", "v1", {}),
    ],
    "no layer has, 1x2x2x7x7": [CONV, ("Reshape", "v0 groups", {}), ("MaxPool", "v1", {"kernel_shape": [2, 2]})],
    "cannot reshape array of size 196 into shape \\(5,5\\)": [CONV, ("Reshape", "v0 fives", {})],
    "takes \\[1, 28\\] of the 196 numbers of conv1": [
        CONV,
        ("Gather", "v0 zero", {"axis": 2}),
        ("Flatten", "v1", {}),
        ("Gemm", "v2 w", {}),
    ],
    "its matrix \\[196, 5\\] takes 196 numbers, and there are 243": [("Flatten", "x", {}), ("Gemm", "v0 w", {})],
    "only flattened maps": [CONV, ("MatMul", "v0 w", {})],
    "only constants are supported": [CONV, ("Flatten", "v0", {}), ("Gemm", "w v1", {})],
    "only that over places": [CONV, ("ReduceMean", "v0", {"axes": [1]})],
    "it pads by 0.0 in the mode 'reflect'": [("Pad", "x pads", {"mode": "reflect"})],
    "it pads by 1.0 in the mode 'constant'": [("Pad", "x pads one", {})],
    "only zeros around maps": [("Pad", "x zeros", {})],
    "a softmax has made, which only the end": [
        CONV,
        ("Flatten", "v0", {}),
        ("Softmax", "v1", {}),
        ("Gemm", "v2 w", {}),
    ],
    "works along axis 1 of \\[1, 4, 7, 7\\]": [CONV, ("Softmax", "v0", {"axis": 1})],
    "it drops numbers when the network is used": [("Dropout", "x one yes", {})],
    "it turns what the network computes into whole numbers": [CONV, ("Cast", "v0", {"to": onnx.TensorProto.INT64})],
    "its output is the image itself": [("Identity", "x", {})],
    "its output 'y' is a part of the layer conv1": [CONV, ("Gather", "v0 zero", {"axis": 1})],
    "its output 'y' does not depend on the image": [("Shape", "x", {})],
    "a further result of a node": [("Dropout", "x", {"outputs": ["v0", "mask"]}), ("Relu", "mask", {})],
    "one of its inputs is left out": [("Conv", "x - v", {})],
    "its kernel holds a number that is not finite": [("Conv", "x nan", {})],
    "more than 536,870,912 numbers would be made": [
        ("ConstantOfShape", "huge", {}),
        ("Conv", "x v0", {}),
    ],
    "has 4 inputs, as many as no Conv": [("Conv", "x k v v", {})],
    "steps of -1": [CONV, ("Slice", "v0 zero one zero minus1", {})],
}
MORE = {
    "minus": -np.ones(4),
    "groups": np.array([1, 2, 2, 7, 7]),
    "fives": np.array([5, 5]),
    "zero": np.array([0]),
    "one": np.array([1.0]),
    "minus1": np.array([-1]),
    "yes": np.array([True]),
    "pads": PADS,
    "ones": np.ones(9_999, np.int64),
    "zeros": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
    "nan": np.full((4, 3, 3, 3), np.nan),
    "huge": np.array([1 << 20, 1 << 20]),
}


def refusal(path) -> str:
    with pytest.raises(InputError) as error:
        read_onnx(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and message.isprintable() and len(message) < 1500
    return message


def saved(model, folder):
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("why", NODES)
def test_nodes_that_no_layer_expresses(why, tmp_path):
    nodes = NODES[why]
    model = network(*nodes, inits={**INITS, **MORE})
    path = saved(model, tmp_path)
    with pytest.raises(InputError, match=why):
        read_onnx(path)
    assert "model.onnx: " in refusal(path)


def test_all_nodes_that_cannot_be_expressed_are_counted(tmp_path):
    ops = ["Sigmoid", "Tanh", "Elu", "Selu", "Erf"]
    nodes = [CONV, *((op, f"v{number}", {"name": f"act{number}"}) for number, op in enumerate(ops))]
    message = refusal(saved(network(*nodes, inits=INITS), tmp_path))
    assert "5 of its 6 nodes cannot be expressed: node 1 'act0' (Sigmoid): no layer does this; node 2" in message
    assert message.endswith("node 3 'act2' (Elu): no layer does this; and 2 more")


IMAGES = [
    ([1, 2, 9, 9], "it is \\[1, 2, 9, 9\\]"),
    ([1, 3, 9, 8], "square and have 1 or 3 channels"),
    ([4, 3, 9, 9], "one image at a time"),
    ([1, 3, "H", "W"], "'x' is 1, 3, H, W; export it for images of one size"),
    ([3, 9, 9], "export it for images of one size"),
    ([1, 3, 1 << 40, 1 << 40], "too large for any network"),
    (None, "'x' is without a shape; export"),
]


@pytest.mark.parametrize(("shape", "why"), IMAGES)
def test_images_of_other_shapes(shape, why, tmp_path):
    path = saved(network(CONV, inits=INITS, image=shape), tmp_path)
    with pytest.raises(InputError, match=why):
        read_onnx(path)
    refusal(path)


def beside(folder, **changes):
    """A model whose kernel lies in a file beside it, and that file."""
    model = network(CONV, inits={"k": KERNEL})
    tensor = model.graph.initializer[0]
    (folder / "model.bin").write_bytes(b"head" + tensor.raw_data + b"tail")
    entries = {"location": "model.bin", "offset": "4", "length": str(len(tensor.raw_data)), **changes}
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    return saved(model, folder)


def test_numbers_in_a_file_beside(tmp_path):
    for folder, changes in {"a": {}, "b": {"location": "./model.bin"}, "c": {"length": None}}.items():
        (tmp_path / folder).mkdir()
        arch, params = read_onnx(beside(tmp_path / folder, **changes))
        assert np.array_equal(params[arch.layer_names[0]]["kernel"], KERNEL.transpose(2, 3, 1, 0).astype(np.float32))


OUTSIDE = {
    "up": ({"location": "../model.bin"}, "in the model's folder alone, not in '../model.bin'"),
    "up from a folder": ({"location": "a/../../model.bin"}, "in the model's folder alone"),
    "absolute": ({"location": "/etc/passwd"}, "in the model's folder alone"),
    "backslash": ({"location": "..\\model.bin"}, "in the model's folder alone"),
    "zero byte": ({"location": "model.bin\0"}, "in the model's folder alone, not in 'model.bin\\x00'"),
    "nowhere": ({"location": None}, "in the model's folder alone, not in ''"),
    "missing": ({"location": "other.bin"}, "cannot read 'other.bin', which belongs to the model (No such file"),
    "too long a name": ({"location": "x" * 5000}, "File name too long"),
    "a folder": ({"location": "folder"}, "cannot read 'folder'"),
    "a pipe": ({"location": "pipe"}, "cannot read 'pipe', which belongs to the model (pipe is a pipe or a device"),
    "a link": ({"location": "link"}, "'link' is a link, which is not followed"),
    "through a link": ({"location": "linked/model.bin"}, "'linked/model.bin' is a link"),
    "beyond the end": ({"offset": "9"}, "from 9 on reach beyond the end of 'model.bin', which has 440"),
    "before the beginning": ({"offset": "-4"}, "not those from -4 on"),
    "too few bytes": ({"length": "8"}, "it takes 432 bytes, not those from 4 on, 8 of them"),
    "no number": ({"offset": "four"}, "is no number"),
    "a number without an end": ({"offset": "9" * 9999}, "is no number"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_files_beside_the_model_stay_in_its_folder(case, tmp_path):
    changes, why = OUTSIDE[case]
    for name in ("folder", "elsewhere", "in"):
        (tmp_path / name).mkdir()
    folder = tmp_path / "in"
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (tmp_path / "model.bin").write_bytes(bytes(440))
    (tmp_path / "elsewhere" / "model.bin").write_bytes(bytes(440))
    (folder / "link").symlink_to(tmp_path / "model.bin")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    assert why in refusal(beside(folder, **changes))


def test_graphs_without_an_order(tmp_path):
    def circle(graph):
        graph.node[0].input[0] = "y"

    def twice(graph):
        graph.node[0].output[0] = graph.node[1].input[0] = "y"

    def over(graph):
        graph.node[0].output[0] = graph.node[1].input[0] = "k"

    def missing(graph):
        graph.node[0].input[1] = "\x1b]0;gone\x07\u202e\n"

    changes = {
        circle: "node 0 '' (Conv) reads 'y', which is made only after it",
        twice: "node 1 '' (Relu) makes 'y', which is there already",
        over: "node 0 '' (Conv) makes 'k', which is there already",
        missing: "reads '\\x1b]0;gone\\x07\\u202e\\n', which nothing in the file makes",
        lambda graph: graph.output.add(name="v0"): "a network has one output, not 2 ('y', 'v0')",
        lambda graph: graph.ClearField("output"): "a network has one output, not none",
        lambda graph: setattr(graph.output[0], "name", "z"): "nothing in the file makes its output 'z'",
        lambda graph: graph.ClearField("input"): "reads 'x', which nothing in the file makes",
        lambda graph: graph.ClearField("node"): "one without a network",
    }
    for change, why in changes.items():
        model = network(CONV, ("Relu", "v0", {}), inits=INITS)
        change(model.graph)
        assert why in refusal(saved(model, tmp_path))


def test_damaged_tensors(tmp_path):
    changes = {
        "should hold 4x3x3x4 numbers": lambda tensor: tensor.dims.__setitem__(3, 4),
        "cannot have the shape '4x3x3x-3'": lambda tensor: tensor.dims.__setitem__(3, -3),
        "cannot have the shape '4x3x3x1099511627776'": lambda tensor: tensor.dims.__setitem__(3, 1 << 40),
        "cannot have the shape '1x1x1x1x1x1x1x1x1'": lambda tensor: tensor.dims.__setitem__(slice(None), [1] * 9),
        "no numbers of a known type (its type is 8)": lambda tensor: setattr(tensor, "data_type", 8),
        "(its type is 999)": lambda tensor: setattr(tensor, "data_type", 999),
        "the tensor 'k' should hold": lambda tensor: setattr(tensor, "raw_data", tensor.raw_data[:-1]),
    }
    for why, change in changes.items():
        model = network(CONV, inits={"k": KERNEL})
        change(model.graph.initializer[0])
        assert why in refusal(saved(model, tmp_path))


def test_no_onnx_file(tmp_path):
    path = tmp_path / "model.onnx"
    whole = network(CONV, inits=INITS).SerializeToString()
    for data in (
        b"",
        b"\0" * 100,
        b"<html>no</html>",
        whole[:-5],
        whole[: len(whole) // 2],
        whole[7:],
        bytes(range(256)),
    ):
        path.write_bytes(data)
        refusal(path)
    for other, why in {"nowhere": "No such file", "folder": "cannot be read", "pipe": "cannot be read"}.items():
        place = tmp_path / other
        {"folder": os.mkdir, "pipe": os.mkfifo}.get(other, lambda _: None)(place)
        assert why in refusal(place)
    os.truncate(path, (1 << 31) + 1)
    assert "cannot be read (model.onnx has 2,147,483,649 bytes, and may have 2,147,483,648)" in refusal(path)


def test_versions_that_are_not_known(tmp_path):
    for version in (0, 9999, None):
        model = network(CONV, inits=INITS)
        if version is None:
            model.ClearField("opset_import")
        else:
            model.opset_import[0].version = version
        assert "of ONNX's operators; versions 1 to" in refusal(saved(model, tmp_path))


def test_what_grows_without_end_is_stopped(tmp_path, monkeypatch):
    """Each would take hours or terabytes."""
    monkeypatch.setattr(zfjax.weights.onnx_graph.table, "MOST_NUMBERS", 1 << 20)
    doubled = [("Concat", "v v", {"axis": 0}), *(("Concat", f"v{i} v{i}", {"axis": 0}) for i in range(60))]
    turned = [CONV, *(("Transpose", f"v{i}", {"perm": [0, 2, 3, 1]}) for i in range(9_000))]
    same = {"auto_pad": "SAME_UPPER"}
    shared = [("ConstantOfShape", "large", {}), *(("Conv", f"{f'v{i}' if i else 'x'} v0", same) for i in range(20))]
    for nodes, why in (
        ([*doubled, ("Conv", "x v60", {})], "more than 67,108,864 numbers would be made"),
        (turned, "more than 67,108,864 numbers would be made"),
        (shared, "more than 1,048,576 numbers would be made"),
        ([CONV, *(("Relu", f"v{i}", {}) for i in range(100_000))], "more than the 10,000 that a network may have"),
    ):
        inits = {**INITS, "v": np.ones(1000), "large": np.array([3, 3, 100, 100])}
        size = 224 if nodes is turned else 9
        assert why in refusal(saved(network(*nodes, inits=inits, image=(1, 3, size, size)), tmp_path))


def test_names_give_no_orders(tmp_path):
    """Names of a file become names of layers that are legal, and different."""
    names = [
        "\x1b]0;title\x07",
        "../../up",
        "a//b/./c",
        "image",
        "params",
        "\u202egnp",
        "",
        "x" * 100_000,
        "image",
        "a\nb",
    ]
    nodes = [
        ("MaxPool", f"v{number - 1}" if number else "x", {"kernel_shape": [1, 1], "name": name})
        for number, name in enumerate(names)
    ]
    model = network(*nodes)
    arch, _ = read_onnx(saved(model, tmp_path))
    names = arch.layer_names
    assert names[:6] == ("0_title", "up", "a/b/c", "image_2", "params_2", "gnp")
    assert names[6] == "maxpool1" and len(names[7]) == 160 and names[8:] == ("image_3", "a_b")
    model = network(("Sigmoid", "x", {"name": "\x1b[31m" + "y" * 100_000}))
    assert "node 0 '\\x1b[31my" in refusal(saved(model, tmp_path))


def test_without_its_reader_it_says_how_to_get_it(tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: there(name, *more) if name != "onnx" else None)
    (tmp_path / "own.onnx").write_bytes(b"")
    assert refusal(tmp_path / "own.onnx").endswith("missing, which reads it: pip install '.[weights]'")
