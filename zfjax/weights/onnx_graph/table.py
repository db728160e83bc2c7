"""The table of layers that a graph becomes: layers, what they make, and their parameters, as they are found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zfjax.errors import InputError
from zfjax.layers import IMAGE, VALID, BatchNorm, Concat, Conv, Dense, Identity, Layer, Padding, Shape
from zfjax.rows import walk_up
from zfjax.weights.onnx_graph.graph import Node
from zfjax.weights.onnx_graph.names import Names
from zfjax.weights.onnx_graph.tensors import MOST_NUMBERS, Budget

MOST_IN_MAPS = 2**28  # numbers that a layer makes of one image
MOST_MOVED = 2**26  # that are computed or rearranged one by one, all together: shufflenet takes 2**24


@dataclass(frozen=True)
class Map:
    """A tensor of the file that depends on the image: the numbers of a layer, rearranged or with zeros around them.

    shape: of the layer. sole: whether nothing else reads the layer, so that it may still change. places: which of the
    layer's numbers, counted in the order height, width, channels, stands where; None: [1, C, H, W]. pad: zeros around
    that. ended: whether this is behind a softmax, which the table leaves out.
    """

    layer: str
    shape: Shape
    sole: bool = True
    places: np.ndarray | None = None
    pad: Padding = VALID
    ended: bool = False

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        height, width, channels = self.shape
        (top, bottom), (left, right) = self.pad
        return (1, channels, top + height + bottom, left + width + right) if self.places is None else self.places.shape


def refuse_ended(x: Map) -> None:
    if x.ended:
        raise InputError("it reads what a softmax has made, which only the end of a network may have")


class Table:
    """What has been found so far: {name: layer} in order, {name: parameters}."""

    def __init__(self, names: Names):
        self.names, self.stored, self.moved = names, Budget(MOST_NUMBERS), Budget(MOST_MOVED)
        self.layers: dict[str, Layer] = {}
        self.params: dict[str, dict[str, np.ndarray]] = {}
        # by the layer and the places that were asked for, which are kept so that their number stays theirs
        self._chosen: dict[tuple[str, int], tuple[np.ndarray | None, Map]] = {}

    def add(self, make: Callable[..., Layer], node: Node | str, *read: Map, **values: Any) -> Map:
        """One more layer, named after the node, or by a name; its output. Raises InputError where it does not fit."""
        name = node if isinstance(node, str) else self.names.of(node, make.__name__)
        (shape,) = {row.shape for row in walk_up((make(name, **values),), read[0].shape, 1)}
        if make is Concat:
            shape = (*shape[:2], sum(each.shape[2] for each in read))
        if math.prod(shape) > MOST_IN_MAPS:
            raise InputError(f"it would make maps of {'x'.join(map(str, shape))}, too large for any network")
        self.layers[name] = make(name, inputs=tuple(each.layer for each in read), **values)
        return Map(name, shape)

    def store(self, layer: str, **arrays: np.ndarray) -> None:
        """A layer's parameters as float32, in the order of their axes; the numbers must be finite."""
        for name, array in arrays.items():
            self.stored.spend(*array.shape)
            self.params.setdefault(layer, {})[name] = own = np.ascontiguousarray(array, np.float32)
            refuse_infinite(own, name)

    def rectify(self, node: Node, x: Map) -> Map:
        """Rectifies the layer itself where nothing else reads it, and a copy of it otherwise."""
        refuse_ended(x)
        if x.layer != IMAGE and x.sole:
            self.layers[x.layer] = dataclasses.replace(self.layers[x.layer], relu=True)
            return x
        return dataclasses.replace(x, layer=self.add(Identity, node, x, relu=True).layer, sole=True)

    def places(self, x: Map) -> np.ndarray:
        """Which of the layer's numbers stands where in the tensor."""
        if x.places is not None:
            return x.places
        self.moved.spend(*x.shape)
        height, width, channels = x.shape
        return np.arange(height * width * channels).reshape(1, height, width, channels).transpose(0, 3, 1, 2)

    def maps(self, x: Map, *, padded: bool = True) -> Map:
        """As maps [1, C, H, W] in order; channels that are rearranged or chosen become a convolution of 1x1 with a one
        for each. padded: with the zeros around them, by a layer of their own; otherwise they are left to the reader.

        Raises InputError for any other rearrangement, and behind a softmax.
        """
        refuse_ended(x)
        if x.places is not None:
            x = self._in_order(x, x.places)
        if padded and x.pad != VALID:
            channels = x.shape[2]
            name, options = self.names.beside(x.layer, "padded"), {"bias": None, "relu": False, "groups": channels}
            x = self.add(Conv, name, x, features=channels, kernel=1, padding=x.pad, **options)
            self.store(x.layer, kernel=np.ones((1, 1, 1, channels)))
        return x

    def _in_order(self, x: Map, places: np.ndarray) -> Map:
        base, channels = self.places(dataclasses.replace(x, places=None)), x.shape[2]
        if places.ndim == 2:
            places = places[:, :, None, None]
        what = f"it reads maps of {x.layer} in an order or a shape that no layer has"
        if places.ndim != 4 or places.shape[::2] != base.shape[::2] or places.shape[3] != base.shape[3]:
            raise InputError(f"{what}, {'x'.join(map(str, x.tensor_shape))}")
        chosen = places[0, :, 0, 0] if places.size else places.reshape(-1)
        if not chosen.size or chosen.max() >= channels or not np.array_equal(base[:, chosen], places):
            raise InputError(what)
        if np.array_equal(chosen, np.arange(channels)):
            return dataclasses.replace(x, places=None)
        asked = x.layer, id(x.places)
        if asked not in self._chosen:
            self._chosen[asked] = x.places, self._choose(x, chosen)
        return dataclasses.replace(self._chosen[asked][1], sole=x.sole)

    def _choose(self, x: Map, chosen: np.ndarray) -> Map:
        """The channels of those numbers, by a convolution."""
        channels = x.shape[2]
        self.stored.spend(channels, len(chosen))
        kernel = np.zeros((1, 1, channels, len(chosen)), np.float32)
        kernel[0, 0, chosen, np.arange(len(chosen))] = 1
        name = self.names.beside(x.layer, "chosen" if len(chosen) < channels else "shuffled")
        maps = self.add(Conv, name, x, features=len(chosen), kernel=1, bias=None, relu=False)
        self.store(maps.layer, kernel=kernel)
        return maps

    def scale(self, node: Node, x: Map, scale: np.ndarray, shift: np.ndarray) -> Map:
        """x * scale + shift, for each channel: in the layer before, if that can have it, or as a layer of its own."""
        flat, x = x.places is not None and x.places.ndim == 2, self.maps(x)
        layer = self.layers.get(x.layer)
        if isinstance(layer, Conv | Dense | BatchNorm) and x.sole and not layer.relu:
            own, linear = self.params[x.layer], "scale" if isinstance(layer, BatchNorm) else "kernel"
            self.store(x.layer, **{linear: own[linear] * scale})
            if "bias" in own or shift.any():
                self.store(x.layer, bias=own.get("bias", 0) * scale + shift)
            if isinstance(layer, Conv | Dense) and "bias" in own:
                self.layers[x.layer] = dataclasses.replace(layer, bias=0.0)
        else:
            x, channels = self.add(BatchNorm, node, x), len(scale)
            variance = np.full(channels, 1 - BatchNorm.eps)  # that makes the division one by 1
            self.store(x.layer, scale=scale, bias=shift, mean=np.zeros(channels), var=variance)
        return as_flat(x) if flat else x


def as_flat(x: Map) -> Map:
    """A layer of one place as a tensor [1, C]."""
    return dataclasses.replace(x, places=np.arange(x.shape[2])[None])


def refuse_infinite(array: np.ndarray, name: str) -> None:
    if not np.isfinite(array).all():
        raise InputError(f"its {name} holds a number that is not finite")
