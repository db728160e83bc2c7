"""What a run folder says of the data that it was trained on. It may be somebody else's: what it says is no command."""

from __future__ import annotations

import functools
import sys

from zfjax.data.sources.imagenet import class_folders, is_imagenet, is_prepared, tfds_root
from zfjax.errors import InputError

PLACES = ("folder", "prepared")  # kinds of data sets whose name has a path


def recorded_name(config: dict) -> str:
    """The data set of a run's config; raises InputError where it names none."""
    name = config.get("dataset")
    if not isinstance(name, str) or not name:
        raise InputError("the run records no data set; say which one with --dataset")
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
    if tfds_root(place).resolve() == tfds_root(None).resolve():
        return place
    if is_imagenet(name) and not is_prepared(place) and class_folders(place):  # image files and nothing else
        _say_once(f"reading {name} in the folder that the run records, {place!r} (--data_dir takes another)")
        return place
    raise InputError(
        f"the run records that {name} is in {place!r}, and a run of somebody else's may name any folder; "
        f"if it is right give --data_dir={place!r}, else where {name} is here, such as --data_dir=~/tensorflow_datasets"
    )


@functools.cache  # a command opens the same data set several times
def _say_once(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
