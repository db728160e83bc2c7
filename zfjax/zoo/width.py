"""The same network with more or fewer maps. No JAX."""

from __future__ import annotations

import dataclasses
import math

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.layers import IMAGE, Add, Concat, Conv, Dense
from zfjax.rows import Row


def scale_width(arch: Arch, width: float) -> Arch:
    """The same network with `width` times the features in every hidden layer; sizes and receptive fields stay.

    Rounded to whole numbers: to what the groups of a convolution and of those that read it divide, and at least one a
    group. Layers that are added keep equal widths, and depthwise convolutions have a group for each map that they read.
    What is added to the image or to the classes keeps its width.
    Raises InputError for a width that is not above 0, and where layers that are added no longer fit, as joins of other
    widths may not once each is rounded.
    """
    if not 0 < width < math.inf:
        raise InputError(f"the width must be a number above 0, not {width}")
    ties = _Ties(arch)
    maps = {IMAGE: arch.channels}
    layers = []
    for row in arch.rows:
        layer = row.layer
        if isinstance(layer, Conv | Dense):
            if _is_depthwise(row):
                below = sum(maps[source] for source in ties.sources[row.inputs[0]])
                layer = dataclasses.replace(layer, features=below, groups=below)
            elif layer.features:
                maps[row.name] = ties.scaled(row, width)
                layer = dataclasses.replace(layer, features=maps[row.name])
            else:
                maps[row.name] = arch.num_classes
        layers.append(layer)
    return dataclasses.replace(arch, layers=tuple(layers))


def _is_depthwise(row: Row) -> bool:
    return isinstance(row.layer, Conv) and 1 < row.layer.groups == row.input_shape[2] == row.layer.features


class _Ties:
    """Which layers of a network must be scaled alike. A source is a layer that chooses how many maps it makes: a
    convolution, a dense layer, or the image; all other layers have those of sources, one after the other."""

    def __init__(self, arch: Arch):
        self.sources: dict[str, tuple[str, ...]] = {IMAGE: (IMAGE,)}
        self._tied: dict[str, str] = {}  # to a source that must be as wide
        self._steps: dict[str, int] = {}  # what the width of each source must be a multiple of
        self._fixed = {IMAGE}
        for row in arch.rows:
            self._follow(row)
        for source, step in [*self._steps.items()]:
            first = self._first(source)
            self._steps[first] = math.lcm(step, self._steps.get(first, 1))

    def _follow(self, row: Row) -> None:
        below = [self.sources[name] for name in row.inputs]
        match row.layer:
            case Conv() | Dense() if not _is_depthwise(row):
                self.sources[row.name] = (row.name,)
                groups = row.layer.groups if isinstance(row.layer, Conv) else 1
                for source in (row.name, *below[0]):
                    self._steps[source] = math.lcm(groups, self._steps.get(source, 1))
                if row.layer.features is None:
                    self._fixed.add(row.name)
            case Concat():
                self.sources[row.name] = tuple(source for each in below for source in each)
            case Add():
                self.sources[row.name] = below[0]
                for others in below[1:]:
                    for one, other in zip(below[0], others, strict=False):
                        self._tie(one, other)
            case _:
                self.sources[row.name] = below[0]

    def _first(self, source: str) -> str:
        while source in self._tied:
            source = self._tied[source]
        return source

    def _tie(self, one: str, other: str) -> None:
        one, other = self._first(one), self._first(other)
        if one != other:
            kept, tied = (other, one) if other in self._fixed else (one, other)
            self._tied[tied] = kept

    def scaled(self, row: Row, width: float) -> int:
        """The features of a source at that width."""
        first, features = self._first(row.name), row.shape[2]
        if first in self._fixed:
            return features
        step = self._steps.get(first, 1)
        return step * max(1, round(features * width / step))
