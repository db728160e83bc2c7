"""--figure=gallery: every unit of one or several runs, as a folder that opens in a browser from the disk."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zfjax.errors import InputError
from zfjax.paper.view import Drawn, Figure, View
from zfjax.runtime.files import own_folder
from zfjax.runtime.ranges import check_flags
from zfjax.terminal import say
from zfjax.web.gallery.cells import GUTTER
from zfjax.web.gallery.folder import NAME, Building, faults, finished
from zfjax.web.gallery.formats import MAX_STRIP, Format, check_format

PAGE = "index.html"
_SMALL = 50e6  # multiply-adds: zf-mini has 26 million, ZFNet 1,168


@dataclass(frozen=True)
class Options:
    """The gallery; --layers, --top, --limit and --split choose what is in it. Open figures/gallery/index.html."""

    thumb: int = 96
    """Largest side of a picture in pixels; receptive fields up to 16 pixels are kept to the bit."""
    format: Format = "avif"
    """Kind of picture: avif is smallest, and read by browsers since 2023; jpeg by all."""
    dense: bool = False
    """The fully connected layers too."""
    photos: bool = True
    """Patches of the images; without them only projections and numbers are kept."""
    evolution: bool = True
    """Each unit at the epochs that the run kept; each of them takes a search of its own."""
    methods: bool = True
    """Each unit's strongest image by other methods too."""
    occlusion: bool | None = None
    """Each unit's strongest image under a grey square; None: of networks of less than 50 million multiply-adds, for it
    takes a hundred forward passes a unit."""
    check: bool = False
    """Look whether the gallery that is there is as it was written, and do nothing else."""


def draw(views: list[View], options: Options) -> Drawn:
    """One gallery of all runs, in the first one's folder. Raises InputError for wrong flags before any work."""
    check_flags(options, "gallery")
    out = views[0].out
    if options.check:
        if found := faults(out):
            raise InputError(f"{out / NAME}: {len(found)} files are not as written: {'; '.join(found[:6])}")
        say(f"{out / NAME} is as it was written")
        return Drawn([], None)
    check_format(options.format)
    if views[0].format != View.format:
        raise InputError("the gallery's pictures are of --gallery.format; leave --format out")
    if options.dense and views[0].layers:
        raise InputError(
            "--layers names the gallery's layers; name the fully connected ones there too, and leave "
            "--gallery.dense out"
        )
    if (options.thumb + 2 * GUTTER) * views[0].top > MAX_STRIP:
        raise InputError(
            f"{views[0].top} pictures of {options.thumb} pixels make no strip of at most {MAX_STRIP:,}; give a smaller "
            "--top or --gallery.thumb"
        )
    from zfjax.runs.lock import locked
    from zfjax.web.gallery.build import build
    from zfjax.web.gallery.layer_pictures import Style
    from zfjax.web.gallery.shown import Wanted, settings_of, shown_runs

    first = views[0]
    style = Style(options.thumb, options.format, first.percentile, options.photos, first.overlap, first.norm)
    small = all(view.run.arch.forward_mult_adds() < _SMALL for view in views)
    occlusion = small if options.occlusion is None else options.occlusion
    wanted = Wanted(options.evolution, options.methods, occlusion)
    shown = shown_runs(views, options.dense, wanted)
    settings = settings_of(shown, style, wanted)
    if not finished(out, settings):
        with locked(own_folder(out / f"{NAME}.work")):
            manifest = build(shown, style, wanted, Building(out, settings), shown_command(sys.argv))
        say(f"{len(manifest['files']):,} files, {manifest['total'] / 1e6:.1f} MB; open this in a browser:")
    return Drawn([out / NAME / PAGE], None)


def shown_command(words: Sequence[str]) -> str:
    """A command without the folders above what it names: a gallery is shown to others."""
    parts = [re.split("([=,]|(?<=[a-z])(?<!^.):)", word) for word in words]
    return " ".join("".join(Path(part).name if os.path.isabs(part) else part for part in word) for word in parts)


FIGURE = Figure(
    "every unit in a browser: a folder that opens without a server.", Options, draw, True, True, ("layers",)
)
