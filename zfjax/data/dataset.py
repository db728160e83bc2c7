"""Data sets by name: where the images of --dataset come from."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zfjax.canvas import Resampling
from zfjax.data.recorded import fingerprint, recorded_data_dir, recorded_name, warn_of_changes
from zfjax.data.scenes.scenes import SceneSource
from zfjax.data.source import Source, check_class_names, unreadable_named
from zfjax.data.sources.broken import Broken, SoundSource
from zfjax.data.sources.cache import cached
from zfjax.data.sources.imagenet import (
    class_folders,
    describe_folders,
    is_imagenet,
    is_prepared,
    open_class_folders,
)
from zfjax.errors import InputError
from zfjax.runs.config import placed

if TYPE_CHECKING:
    from zfjax.runs.run import Run

BadImages = Literal["stop", "skip"]


@dataclass(frozen=True)
class Dataset:
    """Two splits of one data set; origin is a sentence that tells the user where the images come from.

    mean: float32 [S, S, C], the mean image of exactly these training images, where it is stored with them.
    broken: the images that were passed over so far, where the data set was opened to do so.
    fingerprint: what tells the data set, the whole of it, from others (`zfjax.data.recorded`); None: not known.
    """

    name: str
    train: Source
    val: Source
    class_names: tuple[str, ...]
    origin: str
    mean: np.ndarray | None = None
    broken: Broken = field(default_factory=Broken)
    fingerprint: Callable[[], dict | None] = lambda: None


@unreadable_named()
def open_dataset(
    name: str,
    *,
    canvas_size: int,
    channels: int = 3,
    resampling: Resampling = "bilinear",
    data_dir: str | Path | None = None,
    bad_images: BadImages = "stop",
) -> Dataset:
    """Opens `scenes`, `folder:PATH`, `prepared:PATH` or a TFDS set; images are [canvas_size, canvas_size, channels].

    resampling: how images are brought to that size. data_dir: where TFDS keeps its data sets (None:
    ~/tensorflow_datasets), or ImageNet's class folders. bad_images: "stop" raises BadImage when a broken image is read;
    "skip" reads the next one in its place and remembers it in `Dataset.broken`.
    Splits that fit into 256 MB are decoded once and kept in memory.
    Raises InputError for an unknown name and for data that is missing or of a wrong kind.
    """
    kind, _, path = name.partition(":")
    canvas: dict[str, Any] = {"canvas_size": canvas_size, "channels": channels, "resampling": resampling}
    mean = None
    if name == "scenes":
        train, val = (SceneSource(split, size=canvas_size, channels=channels) for split in ("train", "val"))
        place = f"rendered scenes (seed {train.seed})"
    elif kind == "folder" and path:
        from zfjax.data.sources.folder import open_folder, passed_over

        train, val = open_folder(path, **canvas)
        place = f"folder {path}{passed_over(train, val)}"
    elif kind == "prepared" and path:
        from zfjax.data.prepared.reader import open_prepared

        train, val, mean = open_prepared(path, **canvas)
        place = f"{path}, prepared as {train.format} from {train.dataset}"
    elif ":" in name or not name:
        known = "scenes, folder:PATH, or a TFDS name such as imagenet2012, or prepared:PATH"
        raise InputError(f"unknown data set {name!r}; give {known}")
    elif os.path.isdir(name) and os.sep in name:
        raise InputError(f"unknown data set {name!r}; for the images of that folder give folder:{name}")
    elif is_imagenet(name) and not is_prepared(data_dir) and (folders := class_folders(data_dir)):
        kind, (train, val) = "folder", open_class_folders(folders, **canvas)
        place = describe_folders(folders, train, val)
    else:
        from zfjax.data.sources.tfds import open_tfds

        kind, (train, val) = "tfds", open_tfds(name, data_dir=data_dir, bad_images=bad_images, **canvas)
        place = f"TFDS {name}"
    check_class_names(train.class_names, name)
    known = functools.cache(functools.partial(fingerprint, kind, train=train, val=val))
    broken = Broken()
    if bad_images == "skip" and name != "scenes":
        train, val = SoundSource(train, broken), SoundSource(val, broken)
    train, val = (cached(source, canvas_size=canvas_size, channels=channels) for source in (train, val))
    if bad_images == "skip":  # a split of nothing but broken images is refused here, not after the first epoch
        _ = train[0], val[0]
    origin = f"{len(train)} + {len(val)} images in {len(train.class_names)} classes from {place}"
    return Dataset(name, train, val, train.class_names, origin, mean, broken, known)


def open_for(
    run: Run,
    name: str | None = None,
    *,
    data_dir: str | Path | None = None,
    bad_images: BadImages | None = None,
    trained: Run | None = None,
) -> Dataset:
    """A data set with images as a run's network takes them; what is None is as `trained`, else the run, was trained.

    A folder that only the run names is said aloud on stderr, and that the run was trained on other images.
    Raises InputError as `open_dataset` does, and where TFDS would open a build in a folder that only the run names.
    """
    config = (trained or run).config
    own = name is None or placed(name) == config.get("dataset")
    name = name or recorded_name(config)
    data = open_dataset(
        name,
        data_dir=data_dir or recorded_data_dir(config, name),
        bad_images=bad_images or config.get("bad_images", "stop"),
        **canvases_of(run),
    )
    if own and config.get("data"):
        warn_of_changes(config, data.fingerprint())
    return data


def canvases_of(run: Run) -> dict[str, Any]:
    """How a run's network takes images, as the functions that open data sets are told it."""
    preprocess = run.preprocess
    return {
        "canvas_size": preprocess.smallest_side,
        "channels": preprocess.channels,
        "resampling": preprocess.resampling,
    }


@unreadable_named()
def default_dataset(data_dir: str | Path | None = None) -> str:
    """ "imagenet2012" where it lies ready, as a TFDS build or in class folders, else "scenes". Looks at names only."""
    try:
        return "imagenet2012" if is_prepared(data_dir) or class_folders(data_dir) else "scenes"
    except InputError:  # a user without a home folder keeps no data sets there
        if data_dir is not None:
            raise
        return "scenes"
