"""Convolution and its exact transpose."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from zfjax.blocks import conv_by_blocks
from zfjax.layers import VALID, Padding, Pair, checked_padding, pair
from zfjax.platforms import by_platform

# XLA's own transpose on CPU adds the windows up on one core. It takes 1.6 times as long as `_by_planes` for conv1 of
# ZFNet (3 maps, 67x67 places), but half as long for 7x7 places, and as long for conv2 (96 maps).
FEW_MAPS = 16
MANY_PLACES = 256
OF_A_PICTURE, SMALL = 4, 1024  # maps at most, and pixels at least, of what is convolved in blocks on a GPU


def conv(
    x: jax.Array, kernel: jax.Array, *, strides: Pair = 1, padding: Padding = VALID, groups: int = 1, dilation: Pair = 1
) -> jax.Array:
    """Convolution (cross-correlation) without bias.

    x: [N, H, W, I]. kernel: [h, w, I / groups, O]. Result: [N, H', W', O] in the type of x. Raises ValueError for
    padding that is not ((top, bottom), (left, right)), from 0 on.
    """
    how = _How(pair(strides), checked_padding(padding), groups, pair(dilation))
    return _on_platform(_conv, x, kernel.astype(x.dtype), how)


class _How(NamedTuple):
    """The geometry of a convolution."""

    strides: tuple[int, int]
    padding: Padding
    groups: int
    dilation: tuple[int, int]


def _convolve(x, kernel, how: _How, dimensions: tuple[str, str, str] = ("NHWC", "HWIO", "NHWC")) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=how.strides,
        padding=how.padding,
        rhs_dilation=how.dilation,
        dimension_numbers=dimensions,
        feature_group_count=how.groups,
    )


def _on_platform(plain: Callable, x, kernel, how: _How) -> jax.Array:
    """plain(x, kernel, how), or on a GPU, of a picture, the same in blocks."""
    strides, padding, groups, dilation = how
    default = functools.partial(plain, how=how)
    few = x.shape[3] <= OF_A_PICTURE and x.shape[1] * x.shape[2] >= SMALL and len(x)
    if groups > 1 or dilation != (1, 1) or strides == (1, 1) or not few:
        return default(x, kernel)
    blocks = functools.partial(conv_by_blocks, strides=strides, padding=padding)
    return by_platform(x, kernel, cuda=blocks, rocm=blocks, default=default)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _conv(x, kernel, how: _How):
    return _convolve(x, kernel, how)


@functools.partial(_conv.defjvp, symbolic_zeros=True)
def _conv_jvp(how: _How, values, changes):
    """The product rule. On CPU its two parts are arranged so that their transposes, the gradients, are quick."""
    x, kernel = values
    y = _conv(x, kernel, how)
    dx, dkernel = (None if isinstance(change, SymbolicZero) else change for change in changes)
    parts = [_part(_by_image, dx, kernel, how)] if dx is not None else []
    parts += [_part(_by_kernel, x, dkernel, how)] if dkernel is not None else []
    return y, functools.reduce(jnp.add, parts) if parts else SymbolicZero(jax.typeof(y))


def _part(for_cpu: Callable, x, kernel, how: _How) -> jax.Array:
    """The convolution, one side of which will be transposed.

    XLA on CPU turns arrays into the order that Eigen takes only in the outermost part of a program; in a loop the
    gradients of a plain convolution are computed number by number, 25 times as slow. The kernel's gradient in groups it
    computes as one convolution that is zero between groups, 10 to 90 times as slow as a convolution for each group.
    """
    plain = functools.partial(_convolve, how=how)
    if how.groups == x.shape[3] > 1:  # each map by itself
        return plain(x, kernel)

    def arranged(x, kernel):
        if how.groups == 1:
            return for_cpu(x, kernel, how)
        groups = zip(*(jnp.split(each, how.groups, axis=3) for each in (x, kernel)), strict=True)
        return jnp.concatenate([for_cpu(*each, how._replace(groups=1)) for each in groups], axis=3)

    return by_platform(x, kernel, cpu=arranged, default=plain)


def _by_image(dx, kernel, how: _How) -> jax.Array:
    return _convolve(dx, kernel.swapaxes(2, 3), how, ("NHWC", "HWOI", "NHWC"))


def _by_kernel(x, dkernel, how: _How) -> jax.Array:
    x, dkernel = x.transpose(3, 1, 2, 0), dkernel.transpose(2, 0, 1, 3)
    return _convolve(x, dkernel, how, ("CHWN", "IHWO", "HWNC")).transpose(2, 0, 1, 3)


def conv_transpose(
    y: jax.Array,
    kernel: jax.Array,
    input_shape: Sequence[int],
    *,
    strides: Pair = 1,
    padding: Padding = VALID,
    groups: int = 1,
    dilation: Pair = 1,
) -> jax.Array:
    """The exact adjoint of `conv`: <conv(x), y> = <x, conv_transpose(y)> (section 2.1, "Filtering").

    y: [N, H', W', O]. input_shape: the [N, H, W, I] that was convolved. Result: input_shape, no bias. Raises ValueError
    where y is not what `conv` makes of that shape with this kernel.
    """
    # The input's shape must be given: 224 under a 7x7/2 kernel without padding gives 109, and the transpose
    # of 109 alone would be 223; a row and a column would be lost.
    shape, kernel, padding = tuple(input_shape), kernel.astype(y.dtype), checked_padding(padding)
    _refuse_misfit(y.shape, kernel.shape, shape, (strides, padding, groups, dilation))

    how = _How(pair(strides), padding, groups, pair(dilation))
    by_image = functools.partial(_part, _by_image)

    def plain(y, kernel):
        return transposed(lambda x: _on_platform(by_image, x, kernel, how), shape, y)

    if groups > 1 or pair(dilation) != (1, 1) or shape[3] >= FEW_MAPS or math.prod(y.shape[1:3]) < MANY_PLACES:
        return plain(y, kernel)
    by_planes = functools.partial(_by_planes, input_shape=shape, strides=pair(strides), padding=padding)
    return by_platform(y, kernel, cpu=by_planes, default=plain)


def _refuse_misfit(out: tuple[int, ...], kernel: tuple[int, ...], shape: tuple[int, ...], how) -> None:
    strides, padding, groups, dilation = how
    window = ((k - 1) * d + 1 for k, d in zip(kernel, pair(dilation), strict=False))
    sizes = (
        (n + sum(sides) - k) // s + 1 for n, k, s, sides in zip(shape[1:3], window, pair(strides), padding, strict=True)
    )
    if len(shape) != 4 or shape[3] != kernel[2] * groups or out != (shape[0], *sizes, kernel[3]):
        raise ValueError(f"{list(out)} is not what a kernel {list(kernel)} makes of {list(shape)}")


def transposed(linear: Callable[[jax.Array], jax.Array], shape: tuple[int, ...], y: jax.Array) -> jax.Array:
    """The transpose of a linear function of an array of `shape`, applied to y; inside `jax.shard_map` too."""
    # shaped like y, not made from the shape alone: inside shard_map an array's type has the axes along which it differs
    x = jax.eval_shape(lambda y: lax.full_like(y, 0, shape=shape), y)
    (x,) = jax.linear_transpose(linear, x)(y)
    return x


def _by_planes(y, kernel, input_shape, strides: tuple[int, int], padding: Padding) -> jax.Array:
    """One matrix product to what each place sends to each cell of its window; then the windows added up.

    What all places send to one cell lies side by side, as a plane. Cell i + m * stride of a window is m blocks of
    stride pixels below the window's own block, so that moving a plane by whole blocks brings its values home.
    """
    window, maps = kernel.shape[:2], kernel.shape[2]
    reach = tuple(-(-k // s) - 1 for k, s in zip(window, strides, strict=True))  # blocks from a window's first to last
    # One long row of blocks: empty columns keep what crosses the border of a row apart from the next row, empty rows
    # keep images apart, and the first image needs some before it.
    y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, 0), (0, reach[0], 0), (0, reach[1], 0), (0, 0, 0)])
    images, height, width, _ = y.shape
    before = reach[0] * width + reach[1]
    y = lax.pad(y.reshape(-1, y.shape[3]), jnp.zeros((), y.dtype), [(before, 0, 0), (0, 0, 0)])
    sent = jnp.einsum("co,po->cp", kernel.reshape(-1, kernel.shape[3]), y).reshape(*window, maps, -1)

    def home(row: int, col: int):
        start = before - (row // strides[0]) * width - col // strides[1]
        return sent[row, col, :, start : start + images * height * width]

    nothing = jnp.zeros((maps, images * height * width), y.dtype)
    phases = [
        sum((home(*cell) for cell in itertools.product(*map(range, offset, window, strides))), nothing)
        for offset in itertools.product(*map(range, strides))
    ]
    blocks = jnp.stack(phases).reshape(*strides, maps, images, height, width)
    pixels = blocks.transpose(3, 4, 0, 5, 1, 2).reshape(images, height * strides[0], width * strides[1], maps)
    crops = [
        (-first, length + first - n, 0)
        for (first, _), length, n in zip(padding, input_shape[1:3], pixels.shape[1:3], strict=True)
    ]
    return lax.pad(pixels, jnp.zeros((), y.dtype), [(0, 0, 0), *crops, (0, 0, 0)])
