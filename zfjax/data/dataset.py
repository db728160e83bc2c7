"""Data sets by name: where the images of --dataset come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from zfjax.data.scenes.scenes import SceneSource
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


class Source(Protocol):
    """Grain's random-access protocol: images by number, each a record of its own; safe to read from many threads."""

    class_names: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """{"image": uint8 [S, S, C], "label": np.int32, "index": np.int32}; raises InputError for a broken image."""

    def describe(self, index: int) -> str:
        """Where an image comes from: its file, or its place in the data set."""


@dataclass(frozen=True)
class Dataset:
    """Two splits of one data set; origin is a sentence that tells the user where the images come from.

    mean: float32 [S, S, C], the mean image of exactly these training images, where it is stored with them.
    broken: the images that were passed over so far, where the data set was opened to do so.
    """

    name: str
    train: Source
    val: Source
    class_names: tuple[str, ...]
    origin: str
    mean: np.ndarray | None = None
    broken: Broken = field(default_factory=Broken)


def open_dataset(
    name: str,
    *,
    canvas_size: int,
    channels: int = 3,
    data_dir: str | Path | None = None,
    seed: int = 0,
    bad_images: Literal["stop", "skip"] = "stop",
) -> Dataset:
    """Opens `scenes`, `folder:PATH`, `prepared:PATH` or a TFDS set; images are [canvas_size, canvas_size, channels].

    data_dir: where TFDS keeps its data sets (None: ~/tensorflow_datasets), or ImageNet's class folders. seed: which
    scenes are drawn; others take no notice. bad_images: "stop" raises BadImage when a broken image is read; "skip"
    reads the next one in its place and remembers it in `Dataset.broken`.
    Splits that fit into 256 MB are decoded once and kept in memory.
    Raises InputError for an unknown name and for data that is missing or of a wrong kind.
    """
    kind, _, path = name.partition(":")
    mean = None
    if name == "scenes":
        train, val = (SceneSource(split, size=canvas_size, channels=channels, seed=seed) for split in ("train", "val"))
        place = f"rendered scenes (seed {seed})"
    elif kind == "folder" and path:
        from zfjax.data.sources.folder import open_folder

        train, val = open_folder(path, canvas_size=canvas_size, channels=channels)
        place = f"folder {path}"
    elif kind == "prepared" and path:
        from zfjax.data.prepared.reader import open_prepared

        train, val, mean = open_prepared(path, canvas_size=canvas_size, channels=channels)
        place = f"{path}, prepared as {train.format} from {train.dataset}"
    elif ":" in name or not name:
        known = "scenes, folder:PATH, or a TFDS name such as imagenet2012, or prepared:PATH"
        raise InputError(f"unknown data set {name!r}; give {known}")
    elif is_imagenet(name) and not is_prepared(data_dir) and (folders := class_folders(data_dir)):
        train, val = open_class_folders(folders, canvas_size=canvas_size, channels=channels)
        place = describe_folders(folders, train)
    else:
        from zfjax.data.sources.tfds import open_tfds

        options = {"data_dir": data_dir, "bad_images": bad_images}
        train, val = open_tfds(name, canvas_size=canvas_size, channels=channels, **options)
        place = f"TFDS {name}"
    broken = Broken()
    if bad_images == "skip" and name != "scenes":
        train, val = SoundSource(train, broken), SoundSource(val, broken)
    train, val = (cached(source, canvas_size=canvas_size, channels=channels) for source in (train, val))
    origin = f"{len(train)} + {len(val)} images in {len(train.class_names)} classes from {place}"
    return Dataset(name, train, val, train.class_names, origin, mean, broken)


def default_dataset(data_dir: str | Path | None = None) -> str:
    """ "imagenet2012" where it lies ready, as a TFDS build or in class folders, else "scenes". Looks at names only."""
    return "imagenet2012" if is_prepared(data_dir) or class_folders(data_dir) else "scenes"
