"""What the page knows of the whole gallery: data set, rule of display, runs and their networks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zfjax.paper.view import View

VERSION = 4  # of the data that pages read, and of what pictures show


def rule_text(percentile: float) -> str:
    """What the shades of a projection mean."""
    return (
        f"Projections: mid-grey is zero, lighter is positive and darker negative; each picture is scaled by the "
        f"{percentile:g} percentile of its own non-zero magnitudes, so brightness cannot be compared between "
        f"pictures. Light grey is outside the image."
    )


def shown_name(name: str) -> str:
    """A data set's name without the folders above it: a gallery is shown to others."""
    kind, colon, path = name.partition(":")
    return f"{kind}:{Path(path).name}" if colon else name


def notice_text(view: View, photos: bool) -> str:
    """Whether the pictures may be shown to others, as far as we can say."""
    if not photos or view.dataset.name == "scenes":
        return ""
    return (
        f"Patches are images of {shown_name(view.dataset.name)}: who owns them decides who may be shown this gallery."
    )


def gallery_data(view: View, runs: list[dict], sources: dict, settings: dict, *, photos: bool) -> dict[str, Any]:
    """view: the first run's. runs: as the page takes them. sources: of `draw_sources`. settings: see `Building`."""
    source = view.source
    return {
        "version": VERSION,
        "id": hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12],
        "data": {
            "name": shown_name(view.dataset.name),
            "split": view.split_name(source),
            "count": len(view.searched(source)),
            "classes": list(view.dataset.class_names),
        },
        "rule": rule_text(view.percentile),
        "notice": notice_text(view, photos),
        "top": view.top,
        "photos": photos,
        "sources": sources,
        "runs": runs,
    }


def run_data(view: View, slug: str, layers: list[dict]) -> dict[str, Any]:
    """layers: of `zfjax.web.network`."""
    arch = view.run.arch
    return {
        "name": view.name,
        "slug": slug,
        "arch": arch.name,
        "step": view.run.step,
        "text": view.origin,
        "image_size": arch.image_size,
        "channels": arch.channels,
        "layers": layers,
    }
