"""Layers none of whose maps respond: a figure goes on with the others, and says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zfjax.errors import InputError
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.paper.top_activations import Choose, Winners


class Silent(InputError):
    """No map that could be shown of a layer responds to any image."""


def choose_maps(layers: Iterable[str], choose: Choose, winners: Mapping[str, Winners]) -> dict[str, list[int]]:
    """{layer: the maps that `choose` names}, without the layers for which it raises Silent, each of which is said.

    Raises InputError where all of them are silent.
    """
    maps, silent = {}, []
    for layer in layers:
        try:
            maps[layer] = choose(layer, winners[layer])
        except Silent as error:
            silent.append(str(error))
    if not maps:
        raise InputError(f"{'; '.join(silent)}; give other --layers")
    for text in silent:
        say(f"left out: {text}", error=True)
    return maps
