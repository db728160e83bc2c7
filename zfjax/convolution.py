"""Convolution and its exact transpose, with the form that is fastest on each platform.

Everywhere but on CPU XLA's own convolution is used, forward and backward. On CPU patches and one matrix product take
its place where that is faster, a few images at a time: their patches stay in the cache, while those of a whole batch
(455 MB for ZFNet's conv1 at batch 64) go to memory and back. `benchmarks/NOTES.md` has the numbers.
"""

import functools
import itertools
import math
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
# Images whose patches take less go through the product together; conv1 and conv2 of ZFNet take 7 MB an image.
CACHE_BYTES = 4 << 20
# Without strides XLA's own convolution is better where patches are larger than this (a 3x3 convolution of VGG's first
# blocks: 115 MB an image).
MAX_BYTES_WITHOUT_STRIDES = 8 << 20


class _Geometry(NamedTuple):
    strides: tuple[int, int]
    padding: Padding
    groups: int

    @property
    def strided(self) -> bool:
        return self.strides != (1, 1)


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
    if not geometry.strided or geometry.groups > 1 or x.shape[3] < MIN_MAPS_FOR_PATCHES:
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

    if not _patches_pay(y.shape, kernel.shape, geometry):
        return plain(y, kernel)
    overlap_add = functools.partial(_overlap_add, input_shape=input_shape, geometry=geometry)
    return lax.platform_dependent(y, kernel, cpu=overlap_add, default=plain)


def _kernel_gradient(x, g, shape, geometry: _Geometry):
    def plain(x, g):
        forward = functools.partial(_plain_conv, x, geometry=geometry)
        return jax.linear_transpose(forward, jax.ShapeDtypeStruct(shape, g.dtype))(g)[0]

    if not _patches_pay(g.shape, shape, geometry):
        return plain(x, g)
    by_patches = functools.partial(_patch_gradient, shape=shape, geometry=geometry)
    return lax.platform_dependent(x, g, cpu=by_patches, default=plain)


def _patches_pay(output_shape, kernel_shape, geometry: _Geometry) -> bool:
    return geometry.groups == 1 and (
        geometry.strided or _patch_bytes(output_shape, kernel_shape) <= MAX_BYTES_WITHOUT_STRIDES
    )


def _patch_bytes(output_shape, kernel_shape) -> int:
    """Of one image, in float32."""
    return 4 * math.prod(output_shape[1:3]) * math.prod(kernel_shape[:3])


def _in_turns(x, image_bytes: int):
    """[N, ...] -> [turns, lanes, images, ...]: in each turn every device takes a few images of its own."""
    lanes = math.gcd(len(x), jax.device_count())
    rows = len(x) // lanes
    fits = max(1, CACHE_BYTES // image_bytes)
    images = max((n for n in range(1, rows + 1) if rows % n == 0 and n <= fits), default=1)
    return x.reshape(lanes, rows // images, images, *x.shape[1:]).swapaxes(0, 1)


def _after_turns(x):
    """The reverse of `_in_turns`."""
    return x.swapaxes(0, 1).reshape(math.prod(x.shape[:3]), *x.shape[3:])


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

    @jax.vmap
    def turn(images):
        return jnp.einsum("nhwp,po->nhwo", _patches(images, kernel.shape[:2], geometry), flat)

    output_shape = jax.eval_shape(functools.partial(_plain_conv, geometry=geometry), x, kernel).shape
    return _after_turns(lax.map(turn, _in_turns(x, _patch_bytes(output_shape, kernel.shape))))


def _patch_gradient(x, g, shape, geometry: _Geometry):
    """The gradient of the kernel, summed up turn by turn, on each device by itself until the end."""
    few = shape[2] < MIN_MAPS_FOR_PATCHES

    @jax.vmap
    def turn(images, gradients):
        flat = gradients.reshape(-1, shape[3])
        if few:  # as planes: a patch of three maps is too narrow a row to copy (conv1: 126 ms against 157)
            return _planes(images, shape[:2], geometry) @ flat
        # so that both factors of the product are read along their rows (conv2: 124 ms against 153)
        return flat.T @ _patches(images, shape[:2], geometry).reshape(len(flat), -1)

    def add(total, turns):
        return total + turn(*turns), None

    image_bytes = _patch_bytes(g.shape, shape)
    turns = _in_turns(x, image_bytes), _in_turns(g, image_bytes)
    cells = math.prod(shape[:3])
    nothing = jnp.zeros((turns[0].shape[1], *((cells, shape[3]) if few else (shape[3], cells))), g.dtype)
    total = lax.scan(add, nothing, turns)[0].sum(axis=0)
    return (total if few else total.T).reshape(shape)


def _patches(x, window: tuple[int, int], geometry: _Geometry):
    """[N, H, W, I] -> [N, H', W', h * w * I], what each place of the kernel sees, in the kernel's order."""
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in geometry.padding), (0, 0, 0)])
    return jnp.concatenate(_cells(x, window, geometry.strides), axis=-1)


def _cells(x, window: tuple[int, int], strides: tuple[int, int]) -> list[jax.Array]:
    """What each cell of a kernel sees as it moves over padded maps: h * w arrays [N, H', W', I]."""
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(x.shape[1:3], window, strides, strict=True))
    down, right = strides
    return [
        x[:, i : i + (rows - 1) * down + 1 : down, j : j + (columns - 1) * right + 1 : right]
        for i, j in itertools.product(*map(range, window))
    ]


def _planes(x, window: tuple[int, int], geometry: _Geometry):
    """[N, H, W, I] -> [h * w * I, N * H' * W'], the patches with the places side by side."""
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*sides, 0) for sides in geometry.padding), (0, 0, 0)])
    cells = jnp.stack([cell.transpose(3, 0, 1, 2) for cell in _cells(x, window, geometry.strides)])
    return cells.reshape(window[0] * window[1] * x.shape[3], -1)


def _overlap_add(y, kernel, input_shape, geometry: _Geometry):
    add = functools.partial(_overlap_add_turn, kernel=kernel, input_shape=input_shape[1:], geometry=geometry)
    return _after_turns(lax.map(jax.vmap(add), _in_turns(y, _patch_bytes(y.shape, kernel.shape))))


def _overlap_add_turn(y, kernel, input_shape, geometry: _Geometry):
    """One matrix product to what each place sends to its window, then the windows added where they overlap."""
    window, strides, (vertical, horizontal) = kernel.shape[:2], geometry.strides, geometry.padding
    sent = jnp.einsum("nhwo,po->nhwp", y, kernel.reshape(-1, kernel.shape[3]))
    sent = sent.reshape(*y.shape[:3], *window, kernel.shape[2])
    padded = (input_shape[0] + sum(vertical), input_shape[1] + sum(horizontal))
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
    return full[:, top : top + input_shape[0], left : left + input_shape[1]]
