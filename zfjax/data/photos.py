"""Photos without classes or splits, in a flat folder or in memory: what needs no labels can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zfjax.canvas import Picture, each_picture
from zfjax.data.dataset import BadImages, Dataset, canvases_of
from zfjax.data.source import Record, Source, unreadable_named
from zfjax.data.sources.broken import Broken, SoundSource
from zfjax.data.sources.cache import cached
from zfjax.data.sources.folder import FolderSource, list_files, passed_over
from zfjax.errors import BadImage, InputError
from zfjax.image_files import SUFFIXES
from zfjax.runtime.places import user_path
from zfjax.terminal import say

if TYPE_CHECKING:
    from zfjax.preprocess import Preprocess
    from zfjax.runs.run import Run

UNKNOWN = -1  # the label of an image of which none is known


@unreadable_named()
def is_flat(name: str | None) -> bool:
    """Whether a data set's name is folder:PATH with images in PATH itself and no train folder. Looks at names only."""
    kind, _, path = (name or "").partition(":")
    root = user_path(path)
    if kind != "folder" or not path or not root.is_dir() or (root / "train").exists():
        return False
    return any(each.name.lower().endswith(SUFFIXES) for each in root.iterdir() if not each.name.startswith("."))


@unreadable_named()
def open_photos(run: Run, name: str, *, bad_images: BadImages | None = None) -> Dataset:
    """The images of such a folder as a run's network takes them: both splits are all of them, and there are no classes.

    Labels are -1. bad_images: as `open_for` takes it. Raises InputError as `open_folder` does.
    """
    root = Path(user_path(name.partition(":")[2])).absolute()
    source, broken = _flat_folder(run, root), Broken()
    origin = f"{len(source)} images without classes in folder {root}{passed_over(source)}"
    skips = (bad_images or run.config.get("bad_images")) == "skip"
    kept = _kept(SoundSource(source, broken) if skips else source, run.preprocess)
    return Dataset(name, kept, kept, (), origin, broken=broken)


@unreadable_named()
def photos_of(run: Run, images: Picture | Sequence[Picture] | str | Path) -> Source:
    """Pictures as a run's network takes them, by number and with the label -1.

    images: the path of a flat folder; or what `Preprocess` takes: one picture or several, each a uint8 array
    [H, W(, 1, 3 or 4)], a pillow image or the bytes of a file; or an array [N, H, W, C]. Raises InputError for a folder
    without images and for an empty list, and BadImage, with its number or file, when what is no picture is read.
    """
    if not isinstance(images, str | Path):
        return _kept(_Given(each_picture(images), run.preprocess), run.preprocess)
    root = Path(user_path(images)).absolute()
    if not root.is_dir():
        raise InputError(f"there is no folder of photos at {root}{': it is a file' if root.exists() else ''}")
    source = _flat_folder(run, root)
    if not len(source):
        raise InputError(f"folder {root} has no images in it{passed_over(source)}; folders in it are not looked at")
    return _kept(source, run.preprocess)


class _Given:
    """Pictures that are in memory already."""

    class_names: tuple[str, ...] = ()

    def __init__(self, pictures: Sequence[Picture], preprocess: Preprocess):
        self.pictures, self.preprocess = pictures, preprocess

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Record:
        try:
            image = self.preprocess.canvas(self.pictures[index])
        except InputError as error:
            raise BadImage(f"{self.describe(index)}: {error}") from error
        return {"image": image, "label": np.int32(UNKNOWN), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"picture {index}"


def _flat_folder(run: Run, root: Path) -> FolderSource:
    files, others = list_files(root.parent, [root.name])
    source = FolderSource([(path, UNKNOWN) for path, _ in files], (), others, **canvases_of(run))
    if files and others:
        say(f"folder {root} has {len(source):,} image(s){passed_over(source)}", error=True)
    return source


def _kept(source: Source, preprocess: Preprocess) -> Source:
    return cached(source, canvas_size=preprocess.smallest_side, channels=preprocess.channels)
