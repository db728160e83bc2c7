"""One convention for a model: `model(params, images)` -> arrays.

What mines, covers, turns or explains images takes such a function, and is compiled once with it as a static argument:
so each of the functions here is made once for an architecture, and not anew at every call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from zfjax.arch import Arch
from zfjax.convnet import Forward, forward

Model = Callable[[Any, jax.Array], Any]  # (any pytree, images [N, H, W, C]) -> a pytree of arrays [N, ...]


@functools.cache
def network(arch: Arch) -> Model:
    """(params, images as the network takes them) -> Forward."""
    return functools.partial(forward, arch)


@functools.cache
def on_canvases(arch: Arch) -> Model:
    """((params, preprocess), canvases [N, S, S, C]) -> Forward on their middle.

    Canvases are uint8, or float32 in 0..255 as a transformation leaves them.

    The pair is `Run.variables`: arguments, since closed over 250 MB of weights would be constants of the program.
    """

    def model(variables: Any, canvases: jax.Array) -> Forward:
        params, preprocess = variables
        return forward(arch, params, preprocess.centre(canvases, moved=True))

    return model
