"""Images whose parts are known by place: of a file of keypoints, or faces of the embedded scenes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.errors import InputError
from zfjax.paper.correspondence.options import Options
from zfjax.paper.view import LeftOut, View, numbers

if TYPE_CHECKING:
    from zfjax.data.keypoints import Portrait


def choose_portraits(view: View, options: Options) -> tuple[list[Portrait], str]:
    """The images to compare, all with the same parts, and a phrase that says where they come from.

    Raises LeftOut for a data set without keypoints, and InputError for a part or image that there is not.
    """
    if options.count is not None and options.count < 2:
        raise InputError(f"--correspondence.count must be at least 2, not {options.count}: a pair needs two images")
    rng = np.random.default_rng(view.seed)
    found, origin = _from_file(view, options, rng) if options.keypoints else _from_scenes(view, options, rng)
    if len(found) < 2:
        raise InputError(f"a pair needs two images with keypoints; found {len(found)}")
    return found, origin


def _from_file(view: View, options: Options, rng: np.random.Generator) -> tuple[list[Portrait], str]:
    from zfjax.data import canvases_of
    from zfjax.data.keypoints import load_portrait, read_keypoints

    records = [each for each in read_keypoints(options.keypoints) if each.recommended or options.unrecommended]
    order = rng.permutation(len(records))[: options.count] if records else []
    chosen = [records[place] for place in sorted(order)]
    parts = _parts(options, [each.parts for each in chosen])
    sizes = {**canvases_of(view.run), "image_size": view.run.arch.image_size}
    kind = "" if options.unrecommended else " recommended"
    origin = f"{len(chosen)} of {len(records)}{kind} images of {Path(options.keypoints).name}"
    return [load_portrait(each, parts, **sizes) for each in chosen], origin


def _from_scenes(view: View, options: Options, rng: np.random.Generator) -> tuple[list[Portrait], str]:
    from zfjax.data.keypoints import scene_portrait

    name = view.dataset_name or view.run.config["dataset"] or "the run"
    if name != "scenes" or view.run.arch.channels != 3:
        raise LeftOut(f"{name} has images without keypoints; give --correspondence.keypoints=FILE.json")
    sizes = {"canvas_size": view.run.preprocess.smallest_side, "image_size": view.run.arch.image_size}
    asked = numbers(view.images, "images")
    there = view.searched(view.source)
    order = asked or rng.permutation(len(there)).tolist()
    found: list[Portrait] = []
    for index in order:
        portrait = scene_portrait(index, view.split, **sizes) if 0 <= index < len(view.source) else None
        if asked and portrait is None:
            raise InputError(f"--images: {view.split} {index} of scenes is no face with all its parts in the crop")
        found += [portrait] if portrait else []
        if len(found) == options.count and not asked:
            break
    parts = _parts(options, [each.parts for each in found])
    chosen = [each._replace(parts={part: each.parts[part] for part in parts}) for each in found]
    return chosen, f"{len(found)} faces of scenes, {view.split} split"


def _parts(options: Options, found: list[dict]) -> tuple[str, ...]:
    """The parts asked for, or those that all images have."""
    common = [part for part in found[0] if all(part in each for each in found)] if found else []
    asked = [part for part in options.parts.split(",") if part]
    if lacking := [part for part in asked if part not in common]:
        raise InputError(f"--correspondence.parts: not every image has {lacking[0]!r}; all have {', '.join(common)}")
    if found and not common:
        raise InputError(f"{options.keypoints}: no part is known for every image")
    return tuple(asked or common)
