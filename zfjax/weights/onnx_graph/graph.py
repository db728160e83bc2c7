"""An ONNX file as a list of nodes in order, the tensors that it stores, and the one image that it reads.

Nothing of the file is run, and the library's own checker, which looks at less, is not asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zfjax.errors import InputError
from zfjax.layers import Shape
from zfjax.runtime.files import read_bytes
from zfjax.weights.onnx_graph.tensors import Unreadable, shown

if TYPE_CHECKING:
    import onnx

MOST_BYTES = 2**31  # of a file, as protobuf has it
MOST_NODES = 10_000  # densenet121 has 910 with its constants
STANDARD = ("", "ai.onnx")
# AttributeProto's fields and the numbers of their types
_TYPES = {"i": 2, "f": 1, "s": 3, "t": 4, "ints": 7, "floats": 6}


@dataclass(frozen=True)
class Node:
    """One operation of the file. index: its place there. version: of the standard's operators."""

    index: int
    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, onnx.AttributeProto]
    version: int

    def __str__(self) -> str:
        return f"node {self.index} {shown(self.name)} ({shown(self.op)[1:-1]})"

    def attribute(self, name: str, field: str, default: Any) -> Any:
        """Its value: "i" a whole number, "f" a number, "s" text, "t" a tensor, or lists, "ints" and "floats".

        Raises InputError where it is of another type.
        """
        if (found := self.attributes.get(name)) is None:
            return default
        if found.type != _TYPES[field]:
            raise InputError(f"its attribute {name} has the wrong type")
        value = getattr(found, field)
        if field == "s":
            return value.decode(errors="replace")
        return list(value) if field in ("ints", "floats") else value

    def whole(self, name: str, default: int) -> int:
        return self.attribute(name, "i", default)

    def wholes(self, name: str, default: Sequence[int] | None) -> list[int] | None:
        found = self.attribute(name, "ints", default)
        return None if found is None else list(found)


class Graph(NamedTuple):
    """What of a file leads from its image to its output."""

    nodes: tuple[Node, ...]  # each after those that it reads
    tensors: dict[str, onnx.TensorProto]
    image: str
    dims: tuple[int, int, int, int]  # of the image
    output: str
    producer: str


def read_graph(path: Path) -> Graph:
    """Raises Unreadable for what is no ONNX file and for graphs that no order leads through, InputError for other
    images than square ones of fixed size, and for several inputs or outputs."""
    model = _parsed(path)
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise InputError(f"it has {len(graph.node):,} nodes, more than the {MOST_NODES:,} that a network may have")
    if len(graph.output) != 1:
        raise InputError(f"a network has one output, not {_listed([each.name for each in graph.output])}")
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    version, output = _version(model), graph.output[0].name
    nodes = _needed([_node(index, node, version) for index, node in enumerate(graph.node)], output)
    inputs = {value.name: value for value in graph.input if value.name not in tensors}
    _refuse_disorder(nodes, {*tensors, *inputs}, output)
    read = {name for node in nodes for name in node.inputs}
    images = [name for name in inputs if name in read]
    if len(images) != 1:
        raise InputError(f"a network reads one image, not {_listed(images)}")
    return Graph(tuple(nodes), tensors, images[0], _image(inputs[images[0]]), output, model.producer_name)


def image_shape(dims: Sequence[int]) -> tuple[Shape, bool]:
    """Height, width and channels of an image, and whether the file has the channels last."""
    first, last = tuple(dims[1:]), (dims[3], *dims[1:3])
    for last_of_all, (channels, height, width) in enumerate((first, last)):
        if channels in (1, 3) and height == width:
            return (height, width, channels), bool(last_of_all)
    raise InputError(f"its image must be square and have 1 or 3 channels, [1, C, H, H]; it is {list(dims)}")


def _parsed(path: Path) -> onnx.ModelProto:
    if importlib.util.find_spec("onnx") is None:
        raise InputError("the onnx package is missing, which reads it: pip install '.[weights]'")
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(read_bytes(path, limit=MOST_BYTES))
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror})") from None
    except DecodeError:
        raise Unreadable("is no ONNX file, or a damaged one") from None
    if not model.graph.node:
        raise Unreadable("is no ONNX file, or one without a network")
    return model


def _version(model: onnx.ModelProto) -> int:
    from onnx import defs

    version = max((each.version for each in model.opset_import if each.domain in STANDARD), default=0)
    if not 1 <= version <= defs.onnx_opset_version():
        raise InputError(
            f"it uses version {version} of ONNX's operators; versions 1 to {defs.onnx_opset_version()} are known"
        )
    return version


def _node(index: int, node: onnx.NodeProto, version: int) -> Node:
    op = node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"
    attributes = {each.name: each for each in node.attribute}
    return Node(index, node.name, op, tuple(node.input), tuple(node.output), attributes, version)


def _needed(nodes: list[Node], output: str) -> list[Node]:
    """Those that the output follows from, by a walk from the end: a file has its nodes in order."""
    needed, found = {output}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(filter(None, node.inputs))
            found.append(node)
    return found[::-1]


def _refuse_disorder(nodes: list[Node], given: set[str], output: str) -> None:
    made, later = set(given), {name for node in nodes for name in node.outputs}
    for node in nodes:
        for name in filter(None, node.inputs):
            if name not in made:
                why = "is made only after it" if name in later else "nothing in the file makes"
                raise Unreadable(f"{node} reads {shown(name)}, which {why}")
        for name in filter(None, node.outputs):
            if name in made:
                raise Unreadable(f"{node} makes {shown(name)}, which is there already")
            made.add(name)
    if output not in made:
        raise Unreadable(f"nothing in the file makes its output {shown(output)}")


def _image(value: onnx.ValueInfoProto) -> tuple[int, int, int, int]:
    """The image's dimensions; a batch of any size counts as one image."""
    dims = value.type.tensor_type.shape.dim
    sizes = [dim.dim_value if dim.dim_value > 0 else 0 for dim in dims]
    words = [str(dim.dim_value) if dim.dim_value else (dim.dim_param or "?") for dim in dims]
    what = f"its input {shown(value.name)} is {shown(', '.join(words))[1:-1] or 'without a shape'}"
    if len(sizes) != 4 or 0 in sizes[1:]:
        raise InputError(f"{what}; export it for images of one size, [1, channels, height, width]")
    if sizes[0] > 1:
        raise InputError(f"{what}; export it for one image at a time")
    return 1, sizes[1], sizes[2], sizes[3]


def _listed(names: Sequence[str]) -> str:
    first = ", ".join(map(shown, names[:5]))
    return f"{len(names)} ({first}{', ...' if len(names) > 5 else ''})" if names else "none"
