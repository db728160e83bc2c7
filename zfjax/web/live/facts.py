"""What the live page is told of a run before any picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zfjax.draw.tiles import PERCENTILE
from zfjax.web.gallery.gallery_file import rule_text
from zfjax.web.live.microscope import METHODS, OVERLAPS, layers_of
from zfjax.web.table import table

if TYPE_CHECKING:
    from zfjax.data import Source
    from zfjax.paper.view import View


def facts_of(view: View, source: Source | None, *, gallery: str) -> dict[str, Any]:
    """Plain data for JSON. gallery: what the run is called in the gallery that is served beside the page, or ""."""
    run = view.run
    return {
        "run": view.name,
        "arch": run.arch.name,
        "step": run.step,
        "text": view.origin,
        "image_size": run.arch.image_size,
        "channels": run.arch.channels,
        "classes": list(run.shown_names),
        "layers": table(run.arch, layers_of(run.arch)),
        "methods": [{"name": name, "text": text} for name, text in METHODS.items()],
        "overlaps": list(OVERLAPS),
        "samples": 0 if source is None else len(source),
        "rule": rule_text(PERCENTILE),
        "gallery": gallery,
    }
