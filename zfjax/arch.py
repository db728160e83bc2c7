"""What an architecture is: a table of named layers, each after those that it reads. No JAX."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from zfjax import checks
from zfjax.errors import InputError, near
from zfjax.layers import IMAGE, KINDS, Conv, Dense, Layer, Pair, Shape, pair
from zfjax.recipe import Recipe
from zfjax.rows import ReceptiveField, Row, Spans, TooSmall, walk_down, walk_up

MAX_LAYERS = 10_000  # XLA compiles a thousand in minutes; the deepest in the literature, unrolled, have 4,000


@dataclass(frozen=True)
class Arch:
    """A convnet for square images as a table of layers, each after those that it reads.

    The logits are the last layer, flat. `classifier` is the last `Dense` or `Conv` of `features=None`, if there is one.
    input_scale: of the pixels that the network is trained on, whose mean is removed: 1 for 0..255.
    Raises InputError when the image is too small for a layer, when two layers share a name, and for inputs that are not
    there or do not fit together.
    """

    layers: tuple[Layer, ...]
    image_size: int
    num_classes: int = 1000
    channels: int = 3
    name: str = "custom"
    recipe: Recipe = field(default_factory=Recipe)
    input_scale: float = 1.0

    def __post_init__(self):
        if not isinstance(self.layers, tuple | list) or not self.layers:
            raise InputError(f"a network needs a tuple of layers, not {self.layers!r}")
        if len(self.layers) > MAX_LAYERS:
            raise InputError(f"a network may have {MAX_LAYERS:,} layers, and this one has more")
        object.__setattr__(self, "layers", tuple(self.layers))  # a list would not hash
        for name in ("image_size", "num_classes", "channels"):
            size = checks.require(checks.whole(1), getattr(self, name), f"{name} must be a whole number from 1 on")
            object.__setattr__(self, name, size)
        checks.require(checks.number(0, above=True), self.input_scale, "input_scale must be a number above 0")
        if not isinstance(self.name, str) or not isinstance(self.recipe, Recipe):
            raise InputError(f"a network has a name and a Recipe, not {self.name!r} and {self.recipe!r}")
        names = Counter(layer.name for layer in self.layers if isinstance(layer, Layer))
        if repeated := sorted(name for name, count in names.items() if count > 1):
            raise InputError(f"layer names must differ; {', '.join(repeated)} occurs more than once")
        _ = self.rows  # walks the table once, so that a bad one fails here
        for head in self.recipe.auxiliary:
            if self.row(head).shape != (1, 1, self.num_classes):
                raise InputError(f"{head} cannot help to train: its shape is no unit for each of the classes")

    @functools.cached_property
    def rows(self) -> tuple[Row, ...]:
        """The table, walked from the image up."""
        try:
            return tuple(walk_up(self.layers, (self.image_size, self.image_size, self.channels), self.num_classes))
        except TooSmall as error:
            size = f"{self.image_size}x{self.image_size}"
            raise TooSmall(f"{self.name}: an image of {size} is too small; {error}") from None

    @functools.cached_property
    def _by_name(self) -> dict[str, Row]:
        return {row.name: row for row in self.rows}

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    def row(self, layer: str) -> Row:
        """The row of one layer; raises InputError for a name that the network lacks."""
        if layer not in self._by_name:
            block = [name for name in self.layer_names if name.startswith((f"{layer}.", f"{layer}/"))]
            of_it = f"; '{block[0][: len(layer) + 1]}*' are the {len(block)} layers in it" if block else ""
            raise InputError(f"unknown layer {layer!r}; {self.name} has {near(layer, self.layer_names)}{of_it}")
        return self._by_name[layer]

    def select(self, text: str) -> list[str]:
        """ "conv1,fire*/concat" -> names of layers, each once: as they are given, and for a shell pattern (* for any
        letters, ? for one, [0-9] for one of several) all that fit it, from the image up.

        Raises InputError for a name that the network lacks and for a pattern that fits none.
        """
        found: dict[str, None] = {}
        for part in filter(None, text.split(",")):
            if not set("*?[") & set(part):
                found[self.row(part).name] = None
            elif fitting := [name for name in self.layer_names if fnmatch.fnmatchcase(name, part)]:
                found |= dict.fromkeys(fitting)
            else:
                raise InputError(f"{part!r} fits no layer; {self.name} has {near(part, self.layer_names)}")
        return [*found]

    @property
    def classifier(self) -> Row | None:
        """The last layer of one unit or map for each class; None in a network without any."""
        rows = [row for row in self.rows if isinstance(row.layer, Conv | Dense) and row.layer.features is None]
        return rows[-1] if rows else None

    def shapes(self) -> dict[str, Shape]:
        """(height, width, channels) of every layer; (1, 1, features) for fully connected ones."""
        return {row.name: row.shape for row in self.rows}

    def spans(self, target: str) -> dict[str, Spans]:
        """What a unit of the target reaches in every layer below it and in "image"; None: the whole map.

        Raises InputError for an unknown layer. See `zfjax.rows.walk_down`.
        """
        return walk_down(self.rows, self.row(target).name)

    def receptive_field(self, layer: str, axis: int = 0) -> ReceptiveField:
        """What one unit of a layer sees; the whole image from the first fully connected layer on.

        axis: 0 for rows, 1 for columns, which differ in networks with rectangular windows alone.
        """
        if (spans := self.spans(layer).get(IMAGE)) is None:
            return ReceptiveField(self.image_size, self.image_size, 0)
        return ReceptiveField(spans[axis].size, spans[axis].stride, spans[axis].low)

    def check_classifier(self) -> None:
        """Raises InputError where the network does not end with one value for each of its `num_classes`."""
        last = self.rows[-1]
        if last.shape != (1, 1, self.num_classes):
            raise InputError(
                f"{self.name} has no classifier for {self.num_classes} classes: its last layer, {last.name}, is "
                f'{list(last.shape)}; end it with Dense("fc"), whose features are the classes'
            )

    def param_count(self) -> int:
        """How many numbers are trained; the running statistics of BatchNorm are none of them."""
        return sum(row.params for row in self.rows)

    def forward_mult_adds(self) -> int:
        """Of one image up to the logits; convolutions and dense layers, the rest is below one in a hundred."""
        return sum(row.mult_adds for row in self.rows)

    def train_mult_adds(self) -> int:
        """Of one image forward and backward: each layer's product once for its output, once for its weights' gradient
        and once for its input's - which the first layer does not need."""
        first = next((row.mult_adds for row in self.rows if row.params), 0)
        return 3 * self.forward_mult_adds() - first

    def to_dict(self) -> dict:
        """Plain data for JSON; `Arch.from_dict` is its inverse."""
        layers = [{"kind": type(layer).__name__, **dataclasses.asdict(layer)} for layer in self.layers]
        return {**dataclasses.asdict(self), "layers": layers}

    @classmethod
    def from_dict(cls, data: dict) -> Arch:
        """Rebuilds an architecture from `to_dict`, also after JSON has turned its tuples into lists, and from what
        earlier versions wrote, which had the scale of the input in the recipe."""
        layers = []
        for entry in data["layers"][: MAX_LAYERS + 1]:  # one too many is enough to be refused
            values: dict[str, Any] = {key: value for key, value in entry.items() if key != "kind"}
            layers.append(KINDS[entry["kind"]](**values))
        recipe = dict(data["recipe"])
        scale = recipe.pop("input_scale", data.get("input_scale", 1.0))
        return cls(**{**data, "layers": tuple(layers), "recipe": Recipe(**recipe), "input_scale": scale})

    def summary(self) -> str:
        """The network as a table: output shape, kernel, receptive field, parameters, multiply-adds; and how it is
        trained."""
        branches = any(layer.inputs for layer in self.layers)
        head = ("layer", "kind", "output", "kernel", "stride", "receptive field", "parameters", "mult-adds", "reads")
        cells = [row[: 8 + branches] for row in (head, *(self._cells(row) for row in self.rows))]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        total = f"{self.param_count():,} parameters, {self.forward_mult_adds():,} multiply-adds an image"
        title = f"{self.name}: {self.image_size}x{self.image_size}x{self.channels} -> {self.num_classes} classes"
        return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:], total, self.training_in_words()])

    def training_in_words(self) -> str:
        """A sentence on the recipe and the scale of the input, by the names of the flags that change them."""
        default = " (the default)" if self.recipe == Recipe() else ""
        return f"recipe{default}: {self.recipe.in_words()}; input_scale {self.input_scale:g} on pixels of 0..255"

    def _cells(self, row: Row) -> tuple[str, ...]:
        layer = row.layer
        window: Any = getattr(layer, "kernel", getattr(layer, "window", None))
        strides: Any = getattr(layer, "strides", None)
        seen = [self.receptive_field(row.name, axis).size for axis in (0, 1)]
        return (
            row.name,
            type(layer).__name__,
            "x".join(map(str, row.shape)),
            "x".join(map(str, pair(window))) if window else "",
            _short(strides) if strides else "",
            _short((seen[0], seen[1])),
            f"{row.params:,}" if row.params else "",
            f"{row.mult_adds:,}" if row.mult_adds else "",
            ", ".join(row.inputs),
        )


def _short(value: Pair) -> str:
    """One number where rows and columns agree."""
    rows, columns = pair(value)
    return str(rows) if rows == columns else f"{rows}x{columns}"


if __name__ == "__main__":  # a door: the networks by name stand one room further
    from zfjax.zoo import main

    main()
