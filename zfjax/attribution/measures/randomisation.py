"""A network forgets its layers, from the top down or one at a time.

Adebayo et al. 2018, "Sanity checks for saliency maps" (arXiv 1810.03292), section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import jax

from zfjax.arch import Arch
from zfjax.arguments import check_arch, check_params
from zfjax.convnet import init_params
from zfjax.errors import InputError
from zfjax.layers import IMAGE, BatchNorm


def randomised(arch: Arch, params: dict, key: jax.Array, layers: Iterable[str]) -> dict:
    """The parameters with those of some layers drawn anew, as a network that begins to train has them.

    The draw is `init_params(key, arch)`: by the architecture's own rule, and with one key the same for a layer whatever
    the others. A BatchNorm among them begins anew as well, as if it had seen no image: scale 1, bias 0, running mean 0
    and variance 1. Its statistics are as much learnt as its weights, and measured on maps that are gone; measuring them
    again would take images. A BatchNorm that is not among them keeps its own, even where what lies below has changed.
    Raises InputError for a layer that the network lacks or that has no parameters, and for other parameters.
    """
    return _forgetting(arch, params, key)(layers)


def cascade(arch: Arch, params: dict, key: jax.Array) -> Iterator[tuple[str, dict]]:
    """From the top layer down to each in turn, all above it drawn anew as well: pairs of its name and parameters.

    The last pair is a network that has learnt nothing. A step is a layer with its BatchNorms, see `steps`. The draws of
    one step stand in all that follow. Raises InputError for other parameters.
    """
    forget, gone = _forgetting(arch, params, key), []
    for step in steps(arch):
        gone += step
        yield step[0], forget(gone)


def one_at_a_time(arch: Arch, params: dict, key: jax.Array) -> Iterator[tuple[str, dict]]:
    """Each layer drawn anew alone, all others as they were learnt: pairs of its name and parameters, from the top."""
    forget = _forgetting(arch, params, key)
    for step in steps(arch):
        yield step[0], forget(step)


def _forgetting(arch: Arch, params: dict, key: jax.Array) -> Callable[[Iterable[str]], dict]:
    """A function from layers to the parameters with theirs drawn anew; all are drawn once."""
    check_arch(arch)
    check_params(arch, params)
    drawn = init_params(key, arch)

    def forget(layers: Iterable[str]) -> dict:
        gone = {*layers}
        if bare := sorted(name for name in gone if not arch.row(name).param_shapes):
            raise InputError(f"{bare[0]} has no parameters that could be drawn anew")
        return {name: drawn[name] if name in gone else own for name, own in params.items()}

    return forget


def steps(arch: Arch) -> list[list[str]]:
    """The layers that are drawn anew together, from the top down: each Conv or Dense, then the BatchNorms on its maps.

    A BatchNorm that follows no such layer is a step of its own.
    """
    owner: dict[str, str] = {IMAGE: IMAGE}
    groups: dict[str, list[str]] = {}
    for row in arch.rows:
        below = owner[row.inputs[0]]
        if isinstance(row.layer, BatchNorm) and len(row.inputs) == 1 and below in groups:
            groups[below].append(row.name)
            owner[row.name] = below
            continue
        owner[row.name] = row.name
        if row.param_shapes:
            groups[row.name] = [row.name]
    return [*groups.values()][::-1]
