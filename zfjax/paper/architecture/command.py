"""Fig. 3: the network itself, layer by layer, of a run or of an architecture by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.paper.view import Drawn, Figure, View

if TYPE_CHECKING:
    from zfjax.arch import Arch


@dataclass(frozen=True)
class Options:
    """Fig. 3, the layers and their sizes."""

    format: Literal["svg", "png", "pdf"] = "svg"
    """Kind of file, in place of --format: a drawing is sharp at every size."""


def draw(view: View, options: Options) -> Drawn:
    """The network of a run."""
    return _draw(view.run.arch, view.out, options, view.origin)


def draw_named(name: str, out: Path, options: Options) -> Drawn:
    """An architecture of `zfjax.ARCHS`, trained or not. Raises InputError for an unknown name."""
    from zfjax.zoo import get_arch

    return _draw(get_arch(name), out, options, f"Architecture {name}.")


def _draw(arch: Arch, out: Path, options: Options, origin: str) -> Drawn:
    from zfjax.paper.architecture.draw import draw_architecture

    path = out / f"architecture.{options.format}"
    weighted, work = sum("kernel" in row.param_shapes for row in arch.rows), arch.forward_mult_adds()
    title = f"{arch.name}: {weighted} layers with weights, {arch.param_count():,} parameters"
    draw_architecture(arch, path, title=title, caption=f"{work:,} multiply-adds an image. {origin}")
    return Drawn([path], arch)


FIGURE = Figure("Fig. 3, the layers and their sizes.", Options, draw)
