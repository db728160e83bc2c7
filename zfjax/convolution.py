"""Convolution and its exact transpose, with the form that is fastest on each platform.

Everywhere but on CPU XLA's own convolution is used, forward and backward. On CPU it reaches a quarter of the matrix
product's rate where it strides, so patches and one matrix product take its place there (measured on two cores, ZFNet's
conv2 at batch 32: kernel gradient 231 ms against 460, forward 211 against 313).
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Pair = int | tuple[int, int]
Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))
# With fewer input maps the patches of the forward pass cost more to write than the product saves (conv1: 3 maps).
MIN_MAPS_FOR_PATCHES = 16
# Without strides, adding up windows beats the transposed convolution on small maps only, such as those around single
# units (3x3 places of conv5: 0.4 ms against 2.3; 16x16: 18 against 11).
MAX_PLACES_FOR_OVERLAP_ADD = 64


class _Geometry(NamedTuple):
    strides: tuple[int, int]
    padding: Padding
    groups: int

    @property
    def plain(self) -> bool:
        """Whether XLA's convolution is as good as patches on every platform."""
        return self.strides == (1, 1) or self.groups > 1


def pair(value: Pair) -> tuple[int, int]:
    """The same size for rows and columns."""
    return (value, value) if isinstance(value, int) else tuple(value)


def conv(x, kernel, *, strides: Pair = 1, padding: Padding = NO_PADDING, groups: int = 1) -> jax.Array:
    """Convolution (cross-correlation) without bias.

    x: [N, H, W, I]. kernel: [h, w, I / groups, O]. Result: [N, H', W', O] in the type of x.
    """
    return _conv(x, kernel.astype(x.dtype), _geometry(strides, padding, groups))


def conv_transpose(
    y, kernel, input_shape: Sequence[int], *, strides: Pair = 1, padding: Padding = NO_PADDING, groups: int = 1
) -> jax.Array:
    """The exact adjoint of `conv`: <conv(x), y> = <x, conv_transpose(y)> (section 2.1, "Filtering").

    y: [N, H', W', O]. input_shape: the [N, H, W, I] that was convolved. Result: input_shape, no bias.
    """
    # The input's shape must be given: 224 under a 7x7/2 kernel without padding gives 109, and the transpose
    # of 109 alone would be 223; a row and a column would be lost.
    geometry = _geometry(strides, padding, groups)
    return _transpose(y, kernel.astype(y.dtype), tuple(input_shape), geometry)


def interleave(phases: Sequence[jax.Array], strides: tuple[int, int]) -> jax.Array:
    """Small maps that hold every strides-th pixel, in row-major order of their offsets, as one map.

    phases: strides[0] * strides[1] arrays [N, h, w, C]. Result: [N, h * strides[0], w * strides[1], C].
    """
    n, height, width, channels = phases[0].shape
    grid = jnp.stack(phases, axis=3).reshape(n, height, width, *strides, channels)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(n, height * strides[0], width * strides[1], channels)


def _geometry(strides: Pair, padding: Padding, groups: int) -> _Geometry:
    return _Geometry(pair(strides), tuple(tuple(int(side) for side in sides) for sides in padding), groups)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x, kernel, geometry: _Geometry):
    plain = functools.partial(_plain_conv, geometry=geometry)
    if geometry.plain or x.shape[3] < MIN_MAPS_FOR_PATCHES:
        return plain(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=functools.partial(_patch_conv, geometry=geometry), default=plain)


def _conv_forward(x, kernel, geometry):
    return _conv(x, kernel, geometry), (x, kernel)


def _conv_backward(geometry, residuals, g):
    x, kernel = residuals
    return _transpose(g, kernel, x.shape, geometry), _kernel_gradient(x, g, kernel.shape, geometry)


_conv.defvjp(_conv_forward, _conv_backward)


def _transpose(y, kernel, input_shape, geometry: _Geometry):
    def plain(y, kernel):
        forward = functools.partial(_plain_conv, kernel=kernel, geometry=geometry)
        return jax.linear_transpose(forward, jax.ShapeDtypeStruct(input_shape, y.dtype))(y)[0]

    if geometry.groups > 1 or (geometry.plain and y.shape[1] * y.shape[2] > MAX_PLACES_FOR_OVERLAP_ADD):
        return plain(y, kernel)
    overlap_add = functools.partial(_overlap_add, input_shape=input_shape, geometry=geometry)
    return lax.platform_dependent(y, kernel, cpu=overlap_add, default=plain)


def _kernel_gradient(x, g, shape, geometry: _Geometry):
    def plain(x, g):
        forward = functools.partial(_plain_conv, x, geometry=geometry)
        return jax.linear_transpose(forward, jax.ShapeDtypeStruct(shape, g.dtype))(g)[0]

    def by_patches(x, g):
        return jnp.einsum("nhwp,nhwo->po", _patches(x, shape[:2], geometry), g).reshape(shape)

    return plain(x, g) if geometry.plain else lax.platform_dependent(x, g, cpu=by_patches, default=plain)


def _plain_conv(x, kernel, geometry: _Geometry):
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=geometry.strides,
        padding=geometry.padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=geometry.groups,
    )


def _patch_conv(x, kernel, geometry: _Geometry):
    flat = kernel.reshape(-1, kernel.shape[3])
    return jnp.einsum("nhwp,po->nhwo", _patches(x, kernel.shape[:2], geometry), flat)


def _patches(x, window: tuple[int, int], geometry: _Geometry):
    """[N, H, W, I] -> [N, H', W', h * w * I], what each place of the kernel sees, in the kernel's order."""
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in geometry.padding), (0, 0, 0)])
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(x.shape[1:3], window, geometry.strides, strict=True))
    down, right = geometry.strides
    cells = [
        x[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right]
        for i, j in itertools.product(*map(range, window))
    ]
    return jnp.concatenate(cells, axis=-1)


def _overlap_add(y, kernel, input_shape, geometry: _Geometry):
    """One matrix product to what each place sends to its window, then the windows added where they overlap."""
    window, strides, (vertical, horizontal) = kernel.shape[:2], geometry.strides, geometry.padding
    sent = jnp.einsum("nhwo,po->nhwp", y, kernel.reshape(-1, kernel.shape[3]))
    sent = sent.reshape(*y.shape[:3], *window, kernel.shape[2])
    padded = (input_shape[1] + sum(vertical), input_shape[2] + sum(horizontal))
    coarse = tuple(-(-n // s) for n, s in zip(padded, strides, strict=True))

    def phase(offset: tuple[int, int]):
        # cell offset + m * stride of a window lies m strides below the window's own place
        steps = [range(-(-(k - o) // s)) for k, o, s in zip(window, offset, strides, strict=True)]
        total = jnp.zeros((y.shape[0], *coarse, kernel.shape[2]), y.dtype)
        for m in itertools.product(*steps):
            cell = sent[:, :, :, offset[0] + m[0] * strides[0], offset[1] + m[1] * strides[1]]
            edges = [(step, n - size - step, 0) for step, n, size in zip(m, coarse, y.shape[1:3], strict=True)]
            total = total + lax.pad(cell, jnp.zeros((), y.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
        return total

    full = interleave([phase(offset) for offset in itertools.product(*map(range, strides))], strides)
    (top, _), (left, _) = vertical, horizontal
    return full[:, top : top + input_shape[1], left : left + input_shape[2]]
