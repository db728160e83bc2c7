"""What a run folder says of the data that it was trained on: where it lies, and what tells it from other data.

The folder may be somebody else's: what it says is no command.
"""

from __future__ import annotations

import functools
import itertools
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zfjax.data.source import Source
from zfjax.data.sources.imagenet import TFDS_HOME, class_folders, is_imagenet, is_prepared
from zfjax.errors import InputError
from zfjax.runs.config import PLACES, data_differences, whole_path
from zfjax.terminal import say


def fingerprint(kind: str, **splits: Source) -> dict:
    """What tells a data set from others, as plain data: how many images of each split, and a checksum of their files.

    Scenes have no files; of others names and sizes count, or checksums where they have them, and not where they lie.
    """
    return {"kind": kind, **{split: _stamped(source) for split, source in splits.items()}}


def require_classes(run: Path, known: Sequence[str], names: Sequence[str]) -> None:
    """Raises InputError unless the classes of a run are those of the data that it goes on with, in the same order."""
    if tuple(known) != tuple(names):
        pairs = enumerate(itertools.zip_longest(map(repr, known), map(repr, names), fillvalue="nothing"))
        number, there, here = next((number, *pair) for number, pair in pairs if pair[0] != pair[1])
        raise InputError(
            f"{run} was trained on other classes: number {number} is {there} there and {here} here, of {len(known)} "
            f"there and {len(names)} here; its answers would get wrong names, so give it the classes that it began with"
        )


def warn_of_changes(config: dict, found: dict | None) -> None:
    """Says in one line on stderr that the images are not those that the run was trained on, where it can be told."""
    if other := data_differences(config.get("data"), found):
        _say_once(f"warning: these are other images than the run was trained on ({'; '.join(other)})")


def _of(config: dict) -> str:
    """Of several runs, which."""
    arch = config.get("arch")
    name = arch.get("name") if isinstance(arch, dict) else ""
    return f" of {name}" if isinstance(name, str) and name else ""


def recorded_name(config: dict) -> str:
    """The data set of a run's config; raises InputError where it names none."""
    name = config.get("dataset")
    if not isinstance(name, str) or not name:
        raise InputError(f"the run{_of(config)} records no data set; say which one with --dataset")
    if name.partition(":")[0] in PLACES:
        _say_once(f"reading the data set that the run records, {name!r} (--dataset takes another)")
    return name


def recorded_data_dir(config: dict, name: str) -> str | None:
    """The folder of a run's config in which a data set is looked for that the user has given no --data_dir for.

    Raises InputError where TFDS would open a build there: a user says himself whose builds are opened.
    """
    place = config.get("data_dir")
    if name == "scenes" or name.partition(":")[0] in PLACES or place is None:
        return None
    if not isinstance(place, str) or not place:
        raise InputError(f"the run records {place!r} as its --data_dir, which is no folder; give --data_dir")
    if os.path.realpath(whole_path(place)) == os.path.realpath(whole_path(TFDS_HOME)):
        return place
    if is_imagenet(name) and not is_prepared(place) and class_folders(place):  # image files and nothing else
        _say_once(f"reading {name} in the folder that the run records, {place!r} (--data_dir takes another)")
        return place
    raise InputError(
        f"the run records that {name} is in {place!r}, and a run of somebody else's may name any folder; "
        f"if it is right give --data_dir={place!r}, else where {name} is here, such as --data_dir=~/tensorflow_datasets"
    )


def _stamped(source: Any) -> dict:
    known = {"images": len(source)}
    if not hasattr(source, "stamps"):
        return known
    return {**known, "files_crc32": zlib.crc32(os.fsencode("\n".join(source.stamps())))}


@functools.cache  # a command opens the same data set several times
def _say_once(line: str) -> None:
    say(line, error=True)
