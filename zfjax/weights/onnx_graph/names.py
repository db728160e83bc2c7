"""What layers are called: by their weights, by their nodes, by what they make, or by their kind and number."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from zfjax.rows import NO_NAMES
from zfjax.weights.onnx_graph.graph import Node

_LONGEST = 160
# conv1_w_0 of Caffe2, features.0.weight of PyTorch, conv0_gamma of MXNet: what weights are called after their layer
_WEIGHTS = re.compile(r"(.+?)[._/](?:weights?|kernel|w|gamma|scale|s)(?:_0|:0)?", re.IGNORECASE | re.DOTALL)
_WEIGHTED = ("Conv", "Gemm", "MatMul", "BatchNormalization")


class Names:
    """Hands out names that are legal, readable and unlike each other."""

    def __init__(self, nodes: Sequence[Node], producer: str):
        # Caffe2 writes conv1_1 for the first value of conv1
        self._ending = r"_\d+$" if producer == "onnx-caffe2" else r":\d+$"
        self._taken, self._numbers = set(NO_NAMES), {}
        firsts = {name.partition("/")[0] if "/" in name else "" for name in map(self._by_weights, nodes) if name}
        self._shared = f"{firsts.pop()}/" if len(firsts) == 1 else "/"

    def of(self, node: Node, kind: str) -> str:
        """For the layer of this kind that the node becomes."""
        for text in (self._by_weights(node), node.name, re.sub(self._ending, "", node.outputs[0])):
            if not _says_nothing(text, node.op) and (name := _legal(text, node.op).removeprefix(self._shared)):
                return self._free(name, "_")
        return self._free(kind.lower(), "", first=1)

    def beside(self, layer: str, word: str) -> str:
        """For a layer that is added after another one."""
        return self._free(f"{layer}_{word}", "_")

    def _free(self, name: str, joint: str, first: int = 0) -> str:
        number = self._numbers.get(name, first)
        chosen = f"{name}{joint}{number}" if number else name
        while chosen in self._taken:
            number = max(2, number + 1)
            chosen = f"{name}{joint}{number}"
        self._numbers[name] = number + 1 if number else 2
        self._taken.add(chosen)
        return chosen

    @staticmethod
    def _by_weights(node: Node) -> str:
        found = _WEIGHTS.fullmatch(node.inputs[1]) if node.op in _WEIGHTED and len(node.inputs) > 1 else None
        return found[1] if found else ""


def _says_nothing(text: str, op: str) -> bool:
    """Numbers, and the kind with a number: n12, 37, Conv_0, onnx::Relu_12."""
    return not text or text.startswith("onnx::") or bool(re.fullmatch(rf"[A-Za-z]?\d*|/?{re.escape(op)}_?\d*", text))


def _legal(text: str, op: str) -> str:
    """By the rule of `zfjax.checks.name`. PyTorch's /layer1/layer1.0/conv1/Conv is its module layer1.0.conv1."""
    parts = [re.sub(r"[^\w.-]+", "_", part).strip("_") for part in text[:_LONGEST].split("/")]
    parts = [part for part in parts if part.strip(".")]
    if text.startswith("/"):
        if re.fullmatch(rf"{re.escape(op)}(_\d+)?", parts[-1] if parts else ""):
            del parts[-1]
        return ".".join(_without_prefixes(parts))
    return "/".join(parts)


def _without_prefixes(parts: Collection[str]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if kept and part.startswith(f"{kept[-1]}."):
            kept.pop()
        kept.append(part)
    return kept
