"""What all data sets have in common: images by number."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from zfjax.errors import BadImage, InputError
from zfjax.terminal import visible

Record = dict[str, Any]  # of NumPy arrays and scalars


class Source(Protocol):
    """Grain's random-access protocol: images by number, each a record of its own; safe to read from many threads.

    A source may have `read_into(index, image)` too: the record without its image, which is stored in the array given.
    """

    class_names: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record:
        """{"image": uint8 [S, S, C], "label": np.int32, "index": np.int32}; raises InputError for a broken image."""
        ...

    def describe(self, index: int) -> str:
        """Where an image comes from: its file, or its place in the data set."""
        ...


def class_numbers(stored: Any, classes: int, *, ndim: int = 0) -> np.ndarray:
    """The label of a record as whole numbers of classes: a scalar, or (ndim=1) those of all classes that it shows.

    Raises BadImage, without the name of the record, for anything else.
    """
    numbers = np.asarray(stored)
    if numbers.ndim != ndim or (numbers.size and numbers.dtype.kind not in "iu"):
        raise BadImage(f"label {str(stored)[:80]} is no class number")
    if (wrong := numbers[(numbers < 0) | (numbers >= classes)]).size:
        raise BadImage(f"label {wrong.flat[0]} is none of the {classes} classes")
    return numbers.astype(np.int32)


def check_class_names(names: Iterable[str], where: str) -> None:
    """Raises InputError for names that a run folder, one line each and in UTF-8, could not keep.

    where: whose classes they are, with what to do about it as far as that is known.
    """
    for name in names:
        odd = {unicodedata.category(letter) for letter in name}
        if "Cs" in odd:  # what stands for a byte of a file's name that is no UTF-8
            wrong = "is not UTF-8"
        elif odd & {"Cc", "Zl", "Zp"}:
            wrong = "holds a line break, a tab or another control character"
        else:
            continue
        raise InputError(f"the class name {name!r} of {where} {wrong}; rename it")


@contextmanager
def unreadable_named() -> Iterator[None]:
    """Makes an OSError one sentence: a folder or file that is closed to us, links that go round in a circle."""
    try:
        yield
    except OSError as error:
        what = visible(os.fsdecode(error.filename)) if error.filename else "the data set"
        raise InputError(
            f"{what} cannot be read ({error.strerror or error}); let this user read it, or take it away"
        ) from error
