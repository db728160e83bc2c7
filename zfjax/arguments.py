"""What the public functions are given, looked at by type and shape alone: inside jit that costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zfjax.arch import Arch
from zfjax.errors import InputError
from zfjax.rows import Row


def check_arch(arch: Any) -> None:
    """Raises InputError for what is no Arch, such as another argument in its place."""
    if not isinstance(arch, Arch):
        raise InputError(f"the architecture must be a zfjax.Arch, such as zfjax.get_arch('zf'), not {_kind(arch)}")


def check_key(key: Any) -> None:
    """Raises InputError for what is no key of JAX."""
    kind = getattr(key, "dtype", None)
    if kind is None or not (jnp.issubdtype(kind, jax.dtypes.prng_key) or kind == np.uint32):
        raise InputError(f"the key must be one of JAX, such as jax.random.key(0), not {_kind(key)}")


def check_images(arch: Arch, images: Any) -> None:
    """Raises InputError unless they are floats [N, size, size, channels]; whole numbers are pictures as they come."""
    shape, kind = getattr(images, "shape", None), getattr(images, "dtype", None)
    wanted = (arch.image_size, arch.image_size, arch.channels)
    if shape is None or kind is None or len(shape) != 4 or shape[1:] != wanted:
        raise InputError(f"{arch.name} takes images [N, {', '.join(map(str, wanted))}], not {_kind(images)}")
    if not jnp.issubdtype(kind, jnp.floating):
        raise InputError(
            f"{arch.name} takes preprocessed images, floats, not {_kind(images)}; run.preprocess(pictures) makes them, "
            "or zfjax.Preprocess.of(arch, mean)(pictures)"
        )


def check_given(arch: Arch, images: jax.Array, given: Mapping[str, Any]) -> None:
    """Raises InputError unless they are activations [N, h, w, C] of these images, by the names of layers."""
    for name, maps in given.items():
        if getattr(maps, "shape", None) != (wanted := (len(images), *arch.row(name).shape)):
            raise InputError(f"{name} of these images is {list(wanted)}, not {_kind(maps)}")


def check_params(arch: Arch, params: Any, rows: Iterable[Row] | None = None) -> None:
    """Raises InputError, by the first layer that does not fit, for parameters of another network. rows: None: all."""
    if not isinstance(params, Mapping):
        raise InputError(f"the parameters must be {{layer: {{name: array}}}}, not {_kind(params)}")
    for row in arch.rows if rows is None else rows:
        own = params.get(row.name, {})
        there = {name: tuple(np.shape(own[name])) for name in row.param_shapes if name in own}
        if there != row.param_shapes:
            raise InputError(
                f"the parameters are not those of {arch.name}: its layer {row.name} has "
                f"{_shown(row.param_shapes)}, and they have {_shown(there) if row.name in params else 'no such layer'}"
            )


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "none of them"


def _kind(value: Any) -> str:
    """An array's type and shape, or what else it is."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {list(value.shape)}"
    return f"a value of type {type(value).__name__}"
