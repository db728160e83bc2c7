"""How anything is drawn: pages, tiles of pictures, tables as text. No JAX.

What research code takes from here loads when first used, and matplotlib with the pages alone. The paper's pages are
`zfjax.draw_features`, `zfjax.draw_filters` and so on.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfjax.draw.markdown import Table
    from zfjax.draw.page import chart, label, own_parameters, save, without_caption
    from zfjax.draw.tiles import display_limit, grid, near_square, rgb8, show_patch, tile, to_display

_HOME = {
    "Table": "markdown",
    "chart": "page",
    "display_limit": "tiles",
    "grid": "tiles",
    "label": "page",
    "near_square": "tiles",
    "own_parameters": "page",
    "rgb8": "tiles",
    "save": "page",
    "show_patch": "tiles",
    "tile": "tiles",
    "to_display": "tiles",
    "without_caption": "page",
}
_MODULES = ("markdown", "page", "tiles")

__all__ = [
    "Table",
    "chart",
    "display_limit",
    "grid",
    "label",
    "near_square",
    "own_parameters",
    "rgb8",
    "save",
    "show_patch",
    "tile",
    "to_display",
    "without_caption",
]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"zfjax.draw.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"zfjax.draw.{name}")
    raise AttributeError(f"module 'zfjax.draw' has no attribute {name!r}")
