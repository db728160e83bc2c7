"""A data set whose classes are some of a run's, under the run's numbers: ten of ImageNet's under a network of 1,000."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zfjax.data.dataset import Dataset
from zfjax.data.source import Record, Source
from zfjax.data.wordnet import imagenet_names, imagenet_synsets
from zfjax.errors import InputError, why
from zfjax.runtime.files import read_bytes
from zfjax.runtime.places import user_path
from zfjax.terminal import some


class Relabelled:
    """A source with other class numbers, in Grain's random-access protocol.

    numbers: of each class of the source, its number in class_names.
    """

    def __init__(self, source: Source, numbers: Sequence[int], class_names: tuple[str, ...]):
        self._source, self._numbers, self.class_names = source, np.asarray(numbers, np.int32), class_names

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Record:
        record = self._source[index]
        return {**record, "label": self._numbers[record["label"]]}

    def __getattr__(self, name: str) -> Any:  # describe, and what some sources have besides
        return getattr(self._source, name)


def in_classes_of(dataset: Dataset, known: Sequence[str], class_map: str | Path | None = None) -> Dataset:
    """The data set with its labels as numbers of `known`, the classes of a network.

    Classes are the same by name, by one of WordNet's names where `known` are ImageNet's 1,000, by WordNet number there,
    or as class_map says: a file of lines "class of the data set TAB class of the network". Raises InputError that names
    the classes which are none of the network's.
    """
    known = tuple(known)
    if dataset.class_names == known and class_map is None:
        return dataset
    find = _read_map(user_path(class_map), known) if class_map else _finder(known)
    numbers = [find(name) for name in dataset.class_names]
    if unknown := [name for name, number in zip(dataset.class_names, numbers, strict=True) if number is None]:
        raise InputError(
            f"{dataset.name} has other classes than the network, which has not {some(unknown)} but {some(known)}; "
            "--class_map=FILE says which are the same"
        )
    found = [number for number in numbers if number is not None]
    train, val = (Relabelled(source, found, known) for source in (dataset.train, dataset.val))
    return dataclasses.replace(dataset, train=train, val=val, class_names=known)


def _finder(known: tuple[str, ...]) -> Callable[[str], int | None]:
    """The number of a class by any of its names that no other class has."""
    places = defaultdict(set)
    for number, name in enumerate(known):
        places[name].add(number)
        places[_plain(name)].add(number)
    if known in (imagenet_names(), tuple(imagenet_synsets())):
        for number, (wnid, names) in enumerate(imagenet_synsets().items()):
            for name in (wnid, *map(_plain, names)):
                places[name].add(number)

    def find(name: str) -> int | None:
        there = places.get(name) or places.get(_plain(name), set())
        return next(iter(there)) if len(there) == 1 else None

    return find


def _read_map(path: Path, known: tuple[str, ...]) -> Callable[[str], int | None]:
    find, pairs = _finder(known), {}
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"--class_map: cannot read {path} ({why(error)})") from error
    for number, line in enumerate(lines, start=1):
        name, tab, other = line.partition("\t")
        if line.strip() and (not tab or find(other.strip()) is None):
            raise InputError(
                f"--class_map: line {number} of {path} must be a class of the data set, a tab and a class of the "
                f"network, not {line[:80]!r}"
            )
        pairs[name.strip()] = other.strip()
    return lambda name: find(pairs[name]) if name in pairs else find(name)


def _plain(name: str) -> str:
    return name.replace("_", " ").casefold()
