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
    """((params, preprocess), uint8 canvases [N, S, S, C]) -> Forward on their middle.

    The pair is `Run.variables`: arguments, since closed over 250 MB of weights would be constants of the program.
    """

    def model(variables: Any, canvases: jax.Array) -> Forward:
        params, preprocess = variables
        return forward(arch, params, preprocess.centre(canvases))

    return model
