"""ONNX files: the graph itself becomes an architecture, with its weights. Nothing of the file is run.

What has no effect once a network is trained, or no layer of its own, is left out or folded into the layers beside it:
constants, dropout, flattening, scales and shifts after a convolution, a softmax at the end.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import IMAGE, VALID, Conv, Dense, GlobalAvgPool, Layer
from zfjax.weights.onnx_graph.graph import Graph, Node, image_shape, read_graph
from zfjax.weights.onnx_graph.names import Names
from zfjax.weights.onnx_graph.operators import refuse_unknown, translated
from zfjax.weights.onnx_graph.table import Map, Table
from zfjax.weights.onnx_graph.tensors import Unreadable, as_array, shown

_SHOWN, _LONGEST = 3, 400  # nodes that a message names, and characters for each
_REFUSED = object()  # what stands for the results of a node that cannot be expressed


def read_onnx(path: Path | str) -> tuple[Arch, dict[str, dict[str, np.ndarray]]]:
    """The network of an ONNX file: an architecture, and its parameters as float32 {layer: {"kernel", "bias", ...}}.

    Images go in as [N, H, W, C], whatever the file has; the logits are those before a softmax at the end, and where a
    network ends in maps larger than one place, they are in the order height, width, channels. A last layer that is
    fully connected, or a convolution with at most a global mean after it, becomes the classifier. Raises InputError
    for what is no such file, for files beside it that lie outside its folder, and for nodes that no layer expresses,
    with the first of them and why.
    """
    path = Path(path)
    try:
        graph = read_graph(path)
        table, last = _translate(graph, path.parent)
        return _finished(table, last, graph, re.sub(r"[^\w.-]+", "_", path.stem).strip("._-") or "onnx")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _translate(graph: Graph, folder: Path) -> tuple[Table, Map]:
    """The table, and what the output is in it."""
    shape, channels_last = image_shape(graph.dims)
    table = Table(Names(graph.nodes, graph.producer))
    image = Map(IMAGE, shape)
    if channels_last:
        image = dataclasses.replace(image, places=np.arange(math.prod(shape)).reshape(1, *shape))
    values: dict[str, Any] = {graph.image: image}
    readers = Counter(name for node in graph.nodes for name in node.inputs if node.op != "Shape")
    readers[graph.output] += 1
    last_reader = {name: node.index for node in graph.nodes for name in node.inputs}
    problems: list[str] = []
    for node in graph.nodes:
        try:
            made = _results(table, node, [_value(name, values, graph, folder) for name in node.inputs])
        except Unreadable:
            raise
        except InputError as error:
            problems.append(f"{node}: {error}"[:_LONGEST])
            made = [_REFUSED] * len(node.outputs)
        for name, value in zip(node.outputs, made, strict=False):
            sole = isinstance(value, Map) and value.sole and readers[name] == 1
            values[name] = dataclasses.replace(value, sole=sole) if isinstance(value, Map) else value
        for name in node.inputs:
            if last_reader[name] == node.index:
                values.pop(name, None)  # weights are large
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise InputError(
            f"{len(problems)} of its {len(graph.nodes)} nodes cannot be expressed: {'; '.join(problems[:_SHOWN])}{more}"
        )
    last = values.get(graph.output)
    if not isinstance(last, Map):
        raise InputError(f"its output {shown(graph.output)} does not depend on the image")
    return table, _ordered(table, last, graph)


def _ordered(table: Table, last: Map, graph: Graph) -> Map:
    """The output as a layer whose numbers, in the order height, width, channels, are the logits.

    Flattened maps may have the channels first or last; any other order is made by a layer, or refused.
    """
    if last.pad != VALID:
        return table.maps(last)
    if last.places is None:
        return last
    count = math.prod(last.shape)
    if not np.array_equal(np.sort(last.places, axis=None), np.arange(count)):
        raise InputError(f"its output {shown(graph.output)} is a part of the layer {last.layer}")
    order, plain = last.places.reshape(-1), dataclasses.replace(last, places=None)
    if any(np.array_equal(order, each) for each in (np.arange(count), table.places(plain).reshape(-1))):
        return plain
    return table.maps(dataclasses.replace(last, ended=False))  # a softmax may come before or after


def _value(name: str, values: dict[str, Any], graph: Graph, folder: Path) -> Any:
    if not name:
        return None
    if name not in values:
        if name not in graph.tensors:
            raise InputError(f"it reads {shown(name)}, a further result of a node of which only the first is known")
        values[name] = as_array(graph.tensors[name], folder)
    return values[name]


def _results(table: Table, node: Node, given: list[Any]) -> list[Any]:
    refuse_unknown(node)
    if any(each is _REFUSED for each in given):
        return [_REFUSED] * len(node.outputs)
    with np.errstate(all="ignore"):  # what is not finite in the end is refused
        return translated(table, node, given)


def _finished(table: Table, last: Map, graph: Graph, name: str) -> tuple[Arch, dict[str, dict[str, np.ndarray]]]:
    """The layers that lead to the last one, each without a word of what it reads where that is the layer before."""
    count = math.prod(last.shape)
    if last.layer == IMAGE:
        raise InputError("its output is the image itself")
    needed, kept = {last.layer}, []
    for layer in reversed(table.layers.values()):
        if layer.name in needed:
            needed.update(layer.inputs)
            kept.append(layer)
    layers: list[Layer] = []
    for layer in reversed(kept):
        before = layers[-1].name if layers else IMAGE
        layers.append(dataclasses.replace(layer, inputs=() if layer.inputs == (before,) else layer.inputs))
    _mark_classifier(layers, count)
    (height, _, channels), _ = image_shape(graph.dims)
    arch = Arch(tuple(layers), image_size=height, num_classes=count, channels=channels, name=name)
    return arch, {layer.name: table.params[layer.name] for layer in layers if layer.name in table.params}


def _mark_classifier(layers: list[Layer], classes: int) -> None:
    """Gives the last layer, or the convolution before a last global mean, one number for each class."""
    place = len(layers) - 1
    if place and isinstance(layers[-1], GlobalAvgPool) and not layers[-1].inputs:
        place -= 1
    last = layers[place]
    if isinstance(last, Conv | Dense) and last.features == classes:
        layers[place] = dataclasses.replace(last, features=None)
