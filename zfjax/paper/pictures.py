"""The images of a figure that shows a few: by number, by file, or a random choice of right answers."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from zfjax.errors import InputError
from zfjax.image_files import read_image
from zfjax.model import Model, on_canvases
from zfjax.paper.view import View
from zfjax.runtime.files import listed

CANDIDATES = 8  # images looked at for each one wanted, until as many right answers of different classes are found


class Pictures(NamedTuple):
    """Images as canvases, with the class that a figure follows for each."""

    canvases: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int [N]: the true class; of files, the most probable one
    names: tuple[str, ...]  # "val 17", or a file's name
    known: np.ndarray  # bool [N]: whether the label is the true one
    numbers: tuple[int, ...] = ()  # in the split; none of files


def choose_pictures(view: View, count: int | None = None) -> Pictures:
    """`view.images`: numbers in the split or image files, with commas between; empty: `count` random ones.

    The random ones are of different classes and classified rightly, as far as there are such among the first few.
    Raises InputError for a number or file that there is not, and for a data set with other classes than the run's.
    """
    named = listed(view.images)
    numbers = [part for part in named if part.lstrip("-").isdecimal() and not Path(part).exists()]
    if named and not numbers:
        return _files(view, named)
    if len(numbers) < len(named):
        raise InputError(f"--images={view.images} has numbers and files; give either")
    source, labelled = view.source, bool(view.dataset.class_names)
    if labelled:
        view.require_classes()
    for number in map(int, named):
        if not 0 <= number < len(source):
            raise InputError(f"the {view.split} split has images 0 to {len(source) - 1}; --images asks for {number}")
    chosen = [int(part) for part in named] or _random(view, count or view.num_images)
    records = [source[number] for number in chosen]
    if broken := [number for number, record in zip(chosen, records, strict=True) if not record.get("sound", True)]:
        raise InputError(f"--images asks for {broken[0]}, which is broken: {source.describe(broken[0])}")
    canvases, labels = (np.stack([record[key] for record in records]) for key in ("image", "label"))
    labels = labels.astype(int) if labelled else _answers(view, canvases)
    names = tuple(f"{view.split} {number}" if labelled else Path(source.describe(number)).name for number in chosen)
    return Pictures(canvases, labels, names, np.full(len(labels), labelled), tuple(chosen))


def _files(view: View, paths: list[str]) -> Pictures:
    canvases = np.stack([_read(view, path) for path in paths])
    labels = _answers(view, canvases)
    return Pictures(canvases, labels, tuple(Path(path).name for path in paths), np.zeros(len(paths), bool))


def _read(view: View, path: str) -> np.ndarray:
    try:
        return view.run.preprocess.canvas(read_image(path))
    except InputError as error:
        raise InputError(f"--images: {path}: {error}") from error


def _random(view: View, count: int) -> list[int]:
    source = view.source
    order = np.random.default_rng(view.seed).permutation(len(view.searched(source)))[: CANDIDATES * count].tolist()
    records = [source[number] for number in order]
    sound = [record.get("sound", True) for record in records]  # another image in its place would be shown twice
    order, records = [*itertools.compress(order, sound)], [*itertools.compress(records, sound)]
    if not order:
        raise InputError(f"all of the {len(sound)} images looked at are broken; give --images, or a larger --limit")
    if not view.dataset.class_names:
        return order[:count]
    right = _answers(view, np.stack([record["image"] for record in records])) == [r["label"] for r in records]
    labels = [int(record["label"]) for record in records]
    first = {label: place for place, label in reversed([*enumerate(labels)]) if right[place]}
    rank = sorted(range(len(order)), key=lambda place: (not right[place], first.get(labels[place]) != place, place))
    return [order[place] for place in rank[:count]]


def _answers(view: View, canvases: np.ndarray) -> np.ndarray:
    """The most probable class of each."""
    look = functools.partial(_logits, on_canvases(view.run.arch), view.run.variables)
    batches = range(0, len(canvases), view.batch_size)
    return np.concatenate([np.asarray(look(canvases[i : i + view.batch_size])) for i in batches]).argmax(axis=1)


@functools.partial(jax.jit, static_argnames="model")
def _logits(model: Model, params: Any, canvases: jax.Array) -> jax.Array:
    return model(params, canvases).logits
