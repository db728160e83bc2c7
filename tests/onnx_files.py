"""ONNX graphs for tests: those that come with the onnx package, with random weights, and small ones by hand."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
RESHAPED = ("Unsqueeze", "Reshape", "Identity")


def light(name: str, seed: int = 0, size: int | None = None) -> onnx.ModelProto:
    """The graph without weights of that name, random ones in place of its constants: activations stay of order one.

    size: of the image in place of the graph's own, for networks that take any.
    """
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    graph, rng = model.graph, np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    constants = {node.output[0]: shapes[node.input[0]] for node in graph.node if node.op_type == "ConstantOfShape"}
    constants |= {name: np.array(value.shape) for name, value in shapes.items() if value.dtype == np.float32}
    roles: dict[str, tuple[str, int]] = {}
    for node in reversed(list(graph.node)):
        for place, tensor in enumerate(node.input):
            role = roles.get(node.output[0]) if node.op_type in RESHAPED and place == 0 else None
            roles[tensor] = role or (node.op_type, place)
    whole = [tensor for tensor in graph.initializer if tensor.name not in constants]
    del graph.initializer[:]
    graph.initializer.extend(whole)
    others = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    del graph.node[:]
    graph.node.extend(others)
    for name, shape in constants.items():
        if name not in roles:
            continue
        graph.initializer.append(numpy_helper.from_array(_random(rng, roles[name], shape), name))
    if size:
        (image,) = (each for each in graph.input if each.name not in shapes and each.name in roles)
        for dim in image.type.tensor_type.shape.dim[2:]:
            dim.dim_value = size
    return model


def _random(rng: np.random.Generator, role: tuple[str, int], shape: np.ndarray) -> np.ndarray:
    match role:
        case ("Conv" | "Gemm", 1):
            values = rng.normal(scale=np.sqrt(2 / np.prod(shape[1:])), size=shape)
        case ("BatchNormalization", 4):
            values = rng.uniform(0.7, 1.5, size=shape)
        case ("BatchNormalization", 1):
            values = rng.normal(0.7, 0.1, size=shape)  # below 1: residual sums grow
        case ("Mul", _):
            values = rng.normal(1.4, 0.1, size=shape)  # or all that is left of the image would be rounding
        case _:
            values = rng.normal(scale=0.1, size=shape)
    return values.astype(np.float32)


class LRN(OpRun):
    """By the standard's formula: the package's own takes the neighbours of as many channels as there are images."""

    op_domain = ""

    def _run(self, x, alpha=None, beta=None, bias=None, size=None):
        before, after = (size - 1) // 2, size // 2
        padded = np.pad(x**2, ((0, 0), (before, after), (0, 0), (0, 0)))
        total = sum(padded[:, i : i + x.shape[1]] for i in range(size))
        return (x / (bias + alpha / size * total) ** beta,)


class BatchNormalization(OpRun):
    """By the stored statistics: the package's own mixes those of the batch into them, in versions 9 to 13."""

    op_domain = ""

    def _run(self, x, scale, bias, mean, var, epsilon=None, momentum=None, **_):
        scale, bias, mean, var = (each.reshape(-1, *[1] * (x.ndim - 2)) for each in (scale, bias, mean, var))
        return (scale * (x - mean) / np.sqrt(var + epsilon) + bias,)


class Softmax(OpRun):
    """Over all axes from the given one on, before version 13: the package's own takes one axis alone."""

    op_domain = ""

    def _run(self, x, axis=None):
        flat = x.reshape(len(x), -1)
        flat = np.exp(flat - flat.max(axis=1, keepdims=True))
        return ((flat / flat.sum(axis=1, keepdims=True)).reshape(x.shape),)


def reference(model: onnx.ModelProto, images: np.ndarray, *outputs: str) -> list[np.ndarray]:
    """What the onnx package's own evaluator makes of images [N, H, W, C]: of the graph's output, or of any tensors."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input} - {tensor.name for tensor in graph.initializer}
    (name,) = (each.name for each in graph.input if each.name in read)
    evaluator = ReferenceEvaluator(model, new_ops=[LRN, BatchNormalization, Softmax])
    return evaluator.run(list(outputs) or None, {name: np.moveaxis(images, 3, 1)})


def network(*nodes, inits=None, version=13, image=(1, 3, 9, 9), output="y") -> onnx.ModelProto:
    """A graph from "x" to `output`. inits: {name: array}, float32 where they are floats.

    nodes: (op, inputs, attributes), which make "v0", "v1", ... and the last the output, or attributes["outputs"].
    Inputs are names with spaces between; "-" is one that is left out.
    """
    made = []
    for number, (op, inputs, attributes) in enumerate(nodes):
        attributes = dict(attributes)
        outputs = attributes.pop("outputs", [f"v{number}" if number < len(nodes) - 1 else output])
        name = attributes.pop("name", "")
        names = ["" if each == "-" else each for each in inputs.split()]
        made.append(helper.make_node(op, names, outputs, name=name, **attributes))
    tensors = []
    for name, array in (inits or {}).items():
        array = np.asarray(array)
        tensors.append(numpy_helper.from_array(array.astype(np.float32) if array.dtype.kind == "f" else array, name))
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, image)]
    outputs = [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(made, "graph", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
