"""Which runs and layers a gallery shows, and what of them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zfjax.data import Source
from zfjax.errors import InputError
from zfjax.layers import Dense
from zfjax.paper.evolution import command as evolution
from zfjax.paper.view import LeftOut, View
from zfjax.runs.fingerprint import run_fingerprint
from zfjax.runtime.files import read_bytes
from zfjax.web.gallery.gallery_file import VERSION, shown_name
from zfjax.web.gallery.layer_pictures import Style
from zfjax.web.table import layer_slugs, slugs

if TYPE_CHECKING:
    from zfjax.paper.evolution.measure import Moment

_LOOKED_AT = 32  # images
PAGES = Path(__file__).parents[1] / "pages"


class Wanted(NamedTuple):
    """What is drawn of each unit beside its strongest and weaker responses."""

    evolution: bool
    methods: bool
    occlusion: bool


class Shown(NamedTuple):
    """A run in the gallery. slugs: {layer: its name in links and paths}, of the layers whose units are shown."""

    view: View
    slug: str
    slugs: dict[str, str]
    moments: list[Moment]  # of its training, the last one last; none where there is but one


def shown_runs(views: Sequence[View], dense: bool, wanted: Wanted) -> list[Shown]:
    """The runs and their layers: those of --layers, else as Fig. 2 has them; dense: the fully connected ones too.

    Raises InputError for runs that look at different images.
    """
    first = views[0]
    for view in views[1:]:
        if (view.dataset.name, len(view.source)) != (first.dataset.name, len(first.source)):
            raise InputError(
                f"{view.name} is of {view.dataset.name} ({len(view.source):,} images) and {first.name} of "
                f"{first.dataset.name} ({len(first.source):,}); give --dataset, the images for both"
            )
    names = slugs(view.name for view in views)
    return [
        Shown(
            view,
            names[view.name],
            layer_slugs(view.run.arch, _layers(view, dense)),
            _moments(view) if wanted.evolution else [],
        )
        for view in views
    ]


def _moments(view: View) -> list[Moment]:
    try:
        return evolution.moments_of(view, evolution.Options())
    except LeftOut:
        return []


def _layers(view: View, dense: bool) -> list[str]:
    every = view.run.arch.rows if dense and not view.layers else ()
    return view.chosen_layers() + [row.name for row in every if isinstance(row.layer, Dense)]


def settings_of(shown: Sequence[Shown], style: Style, wanted: Wanted) -> dict[str, Any]:
    """All that decides the files."""
    first = shown[0].view
    source = first.source
    pages = hashlib.sha256(b"".join(path.read_bytes() for path in page_files()))
    return {
        "version": VERSION,
        "runs": [
            [each.view.name, run_fingerprint(each.view.run), each.view.run.step, each.slugs, each.moments]
            for each in shown
        ],
        "data": [shown_name(first.dataset.name), first.split, len(first.searched(source)), first.dataset.fingerprint()],
        "pixels": _checksums(source, len(first.searched(source))),
        "class_map": first.class_map and hashlib.sha256(read_bytes(Path(first.class_map))).hexdigest()[:16],
        "style": vars(style),
        "wanted": wanted._asdict(),
        "top": first.top,
        "seed": first.seed,
        "pages": pages.hexdigest()[:16],
    }


def _checksums(source: Source, count: int) -> list[int]:
    """Of some of the images, evenly: a folder of photos has no other sign that they were replaced."""
    chosen = sorted({round(place * (count - 1) / _LOOKED_AT) for place in range(_LOOKED_AT + 1)})
    return [zlib.crc32(np.asarray(source[number]["image"]).tobytes()) for number in chosen]


def page_files() -> list[Path]:
    """What the gallery's page is made of; live* is the microscope's."""
    return [
        path for path in sorted(PAGES.iterdir()) if path.suffix in (".html", ".js", ".css") and "live" not in path.name
    ]
