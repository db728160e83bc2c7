"""How far what a function says of an image moves when it is shifted, enlarged or turned (section 4, Fig. 5)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.scipy.ndimage import map_coordinates

from zfjax.attribution.occlusion import check_cover
from zfjax.attribution.outside import in_turn, on_host, tracing
from zfjax.checks import at_least_one
from zfjax.errors import InputError

Around = float | jax.Array | Literal["edge"]
Interpolation = Literal["bilinear", "nearest"]


def warp(image: jax.Array | np.ndarray, matrix: jax.Array, *, fill: Around, interpolation: Interpolation) -> jax.Array:
    """An image [H, W, C] through an affine map about its centre: float32 of the same shape, not rounded.

    matrix: [2, 3], takes a place (row, column, 1) of the result, counted from the centre, to its place in the image.
    fill: what lies outside the image, a number or an array like it, which bilinear interpolation blends in at the
    border; or "edge", the nearest pixel of the image. interpolation: "bilinear" or "nearest".
    """
    image = jnp.asarray(image, jnp.float32)
    middle = [(length - 1) / 2 for length in image.shape[:2]]
    rows, columns = jnp.meshgrid(*(jnp.arange(n) - m for n, m in zip(image.shape, middle, strict=False)), indexing="ij")
    places = [line[0] * rows + line[1] * columns + line[2] + m for line, m in zip(matrix, middle, strict=True)]
    order = {"nearest": 0, "bilinear": 1}[interpolation]
    mode = "nearest" if isinstance(fill, str) else "constant"
    look = functools.partial(map_coordinates, coordinates=places, order=order, mode=mode)
    seen = jax.vmap(look, in_axes=-1, out_axes=-1)(image)
    return seen if isinstance(fill, str) else seen + (1 - look(jnp.ones(image.shape[:2])))[..., None] * fill


def _shifting(pixels: jax.Array) -> jax.Array:
    return jnp.array([[1.0, 0.0, -pixels], [0.0, 1.0, 0.0]])


def _scaling(factor: jax.Array) -> jax.Array:
    return jnp.array([[1 / factor, 0.0, 0.0], [0.0, 1 / factor, 0.0]])


def _turning(degrees: jax.Array) -> jax.Array:
    # Quarters by table: the cosine of 90 degrees is -4e-8 in float32, enough to blend the border with the fill.
    quarters = jnp.round(degrees / 90)
    rest = jnp.deg2rad(degrees - 90 * quarters)
    cosine, sine = jnp.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[quarters.astype(int) % 4]
    cosine, sine = cosine * jnp.cos(rest) - sine * jnp.sin(rest), sine * jnp.cos(rest) + cosine * jnp.sin(rest)
    return jnp.array([[cosine, sine, 0.0], [-sine, cosine, 0.0]])


TRANSFORMS = {"shift": _shifting, "scale": _scaling, "rotation": _turning}


def responses(
    compute: Callable[[Any], Any],
    image: jax.Array | np.ndarray,
    transforms: dict[str, Any],
    *,
    fill: Around = 0.0,
    interpolation: Interpolation = "bilinear",
    batch_size: int = 32,
    jit: bool = True,
) -> dict[str, Any]:
    """What a function says of an image [H, W, C] under transformations: {name: arrays [T, ...]}.

    compute: images [N, H, W, C] -> a pytree of arrays [N, ...], traceable by JAX. transforms: {"shift": pixels down,
    "scale": factors, "rotation": degrees counterclockwise}, each an array [T]. The copies are made on the device,
    batch_size at a time. fill, interpolation: as in `warp`. jit: False for a function that JAX cannot trace, of NumPy,
    PyTorch or anything else, as in `occlusion_map`; the result are NumPy arrays then. Raises InputError for another
    transformation or option, and for amounts that are no [T] of finite numbers, of scales above 0, where their values
    are known.
    """
    _check(image, transforms, fill, interpolation)
    at_least_one(batch_size=batch_size)
    matrices = jnp.concatenate(
        [jax.vmap(TRANSFORMS[name])(jnp.asarray(transforms[name], float)) for name in transforms]
    )

    def one(matrix: jax.Array) -> Any:
        answers = compute(warp(image, matrix, fill=fill, interpolation=interpolation)[None])
        return jax.tree.map(lambda array: array[0], answers)

    if jit:
        with tracing():
            answers = jax.lax.map(one, matrices, batch_size=min(batch_size, len(matrices)))
    else:
        around = {"fill": 0.0, "edge": True} if isinstance(fill, str) else {"fill": fill, "edge": False}
        moved = functools.partial(_moved, jnp.asarray(image), interpolation=interpolation, **around)
        answers = in_turn(compute, lambda some: moved(matrices[some]), len(matrices), batch_size)
    ends = np.cumsum([len(transforms[name]) for name in transforms]).tolist()
    spans = {name: slice(end - len(transforms[name]), end) for name, end in zip(transforms, ends, strict=True)}
    return {name: jax.tree.map(lambda array, span=span: array[span], answers) for name, span in spans.items()}


@functools.partial(jax.jit, static_argnames=("edge", "interpolation"))
def _moved(
    image: jax.Array, matrices: jax.Array, *, fill: float | jax.Array, edge: bool, interpolation: Interpolation
) -> jax.Array:
    """`warp` by each of [n, 2, 3]: [n, H, W, C]."""
    around: Around = "edge" if edge else fill
    return jax.vmap(lambda matrix: warp(image, matrix, fill=around, interpolation=interpolation))(matrices)


def _check(image: jax.Array | np.ndarray, transforms: dict[str, Any], fill: Around, interpolation: str) -> None:
    check_cover(np.shape(image), 0.0 if isinstance(fill, str) and fill == "edge" else fill)  # pyright: ignore
    if interpolation not in ("bilinear", "nearest"):
        raise InputError(f"interpolation is 'bilinear' or 'nearest', not {interpolation!r}")
    if unknown := sorted(set(transforms) - set(TRANSFORMS)):
        raise InputError(f"unknown transformation {unknown[0]!r}; there are {', '.join(TRANSFORMS)}")
    if not transforms:
        raise InputError(f"no transformation is given; there are {', '.join(TRANSFORMS)}")
    for name, amounts in transforms.items():
        if np.ndim(amounts) != 1:
            raise InputError(f"{name} must be a list of amounts [T], not of shape {list(np.shape(amounts))}")
        known = np.zeros(0) if isinstance(amounts, Tracer) else np.asarray(amounts, float)
        if not np.isfinite(known).all() or (name == "scale" and (known <= 0).any()):
            raise InputError(f"{name} must be finite{' and above 0' if name == 'scale' else ''}, not {known.tolist()}")


def invariance_curves(
    features: Callable[[Any], Any],
    image: jax.Array | np.ndarray,
    transforms: dict[str, Any],
    *,
    jit: bool = True,
    **options,
) -> dict[str, Any]:
    """Euclidean distances between the features of an image and of its transformed copies (Fig. 5): {name: arrays [T]}.

    features: images [N, H, W, C] -> a pytree of arrays [N, ...], traceable by JAX; jit=False takes any function, as in
    `occlusion_map`. image: [H, W, C], in the numbers that `features` takes. transforms: {"shift": pixels down, "scale":
    factors, "rotation": degrees counterclockwise}, one or more of them, each an array [T] whose length is its own; an
    amount that changes nothing (0, 1, 0) has distance 0. The result has the pytree of `features` under each name.
    options: of `responses`, fill (what comes in from outside the image: a number, or "edge"), interpolation and
    batch_size. Raises InputError as `responses` does.
    """
    see = features if jit else on_host(features)
    original = see(jnp.asarray(image, jnp.float32)[None])

    def moved(images: jax.Array) -> Any:
        return jax.tree.map(distance, see(images), original)

    return responses(moved, image, transforms, jit=jit, **options)


def distance(features: jax.Array, original: jax.Array) -> jax.Array:
    """Euclidean, of each of [N, ...] from the one [1, ...]: [N]."""
    return jnp.linalg.norm((features - original).reshape(len(features), -1), axis=1)
