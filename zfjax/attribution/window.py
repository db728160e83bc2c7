"""The window that a unit of any function sees in its image: the receptive field, found from the function's jaxpr."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from zfjax.attribution.reach.boxes import box
from zfjax.attribution.reach.walk import walk
from zfjax.checks import require, whole
from zfjax.errors import InputError


class Window(NamedTuple):
    """A box of an image's pixels. Rows top ... top + height - 1 and columns left ... left + width - 1.

    At the border it reaches into the padding, as a `ReceptiveField` does: units of one map have windows of one size,
    which `zfjax.windows.cut` cuts out. 0 by 0 where the image has no part in the unit.
    reasons: why there may be more in it than the unit sees, a sentence for each rule that gave up; empty for none.
    """

    top: int
    left: int
    height: int
    width: int
    reasons: tuple[str, ...] = ()

    def inside(self, size: tuple[int, int]) -> Window:
        """The part that lies within an image (H, W), such as the whole image for a unit that sees all of it."""
        ends = (self.top, self.top + self.height), (self.left, self.left + self.width)
        (top, bottom), (left, right) = (
            [min(max(end, 0), most) for end in each] for each, most in zip(ends, size, strict=True)
        )
        return Window(top, left, bottom - top, right - left, self.reasons)


def receptive_window(
    f: Callable[[jax.Array], jax.Array], image_shape: Sequence[int], unit: int | Sequence[int], *, dtype: Any = None
) -> Window:
    """The pixels that can move one output of a function, and perhaps more, never fewer.

    f: an image [H, W, C], or images [N, H, W, C] -> an array, traceable by JAX; it is traced for the shape and not
    computed. image_shape: either shape. unit: the output's index, a number for each of its axes, that of the image
    among them where f takes images. dtype: of the image, float32 where None.
    The program is walked from the unit down: convolutions, pools, shifts and shapes are followed cell by cell (Araujo
    et al. 2019, "Computing receptive fields of convolutional neural networks", Distill, have the arithmetic). What a
    value is plays no part: a weight of zero counts. Both ways of a `cond` count, all rounds of a loop, and all of an
    operand of which a primitive that is not known here, or one that looks up places in data, may read anything: the
    window's `reasons` say so. Of our own networks `Arch.receptive_field` is exact; traced, their first layers run with
    kernels laid out in blocks, and a few pixels more count.
    Raises InputError for a shape that is no image's, for a function of other things than one array, and for a unit that
    the output does not have.
    """
    sizes = [
        require(whole(1), size, f"image_shape must be whole numbers from 1 on, {image_shape!r}") for size in image_shape
    ]
    if len(sizes) not in (3, 4):
        raise InputError(f"image_shape is [H, W, C] or [N, H, W, C], not {list(sizes)}")
    image = jax.ShapeDtypeStruct(tuple(sizes), jnp.float32 if dtype is None else dtype)
    program = jax.make_jaxpr(f)(image)
    if len(program.out_avals) != 1:
        raise InputError(f"a unit is one of an array: the function must give one, not {len(program.out_avals)}")
    index = unit if isinstance(unit, Sequence) else (unit,)
    return window_of(program, 0, _checked(index, program.out_avals[0].shape))


def window_of(program: ClosedJaxpr, output: int, unit: Sequence[int]) -> Window:
    """The window of a unit of one output of a program, whose one input is an image or are images."""
    asked: list[Any] = [None] * len(program.out_avals)
    asked[output] = box([(place, place) for place in unit])
    reasons: dict[str, None] = {}
    (found,) = walk(program, asked, lambda reason: reasons.setdefault(reason))
    if found is None:
        return Window(0, 0, 0, 0, tuple(reasons))
    (top, bottom), (left, right) = found[-3:-1]
    return Window(top, left, bottom - top + 1, right - left + 1, tuple(reasons))


def _checked(unit: Sequence[Any], shape: Sequence[int]) -> list[int]:
    try:
        index = [operator.index(place) for place in unit]
    except TypeError:
        index = []
    if len(index) != len(shape) or any(not 0 <= place < size for place, size in zip(index, shape, strict=False)):
        raise InputError(f"the output is {list(shape)}: a unit is an index into it, not {unit!r}")
    return index
