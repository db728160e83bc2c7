"""A flat folder of photos, without classes or splits: what needs no labels can be done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zfjax.data.dataset import Dataset, canvases_of
from zfjax.data.source import unreadable_named
from zfjax.data.sources.cache import cached
from zfjax.data.sources.folder import FolderSource, list_files, passed_over
from zfjax.image_files import SUFFIXES
from zfjax.runtime.places import user_path

if TYPE_CHECKING:
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
def open_photos(run: Run, name: str) -> Dataset:
    """The images of such a folder as a run's network takes them: both splits are all of them, and there are no classes.

    Labels are -1. Raises InputError as `open_folder` does.
    """
    root = Path(user_path(name.partition(":")[2])).absolute()
    files, others = list_files(root.parent, [root.name])
    source = FolderSource([(path, UNKNOWN) for path, _ in files], (), others, **canvases_of(run))
    kept = cached(source, canvas_size=run.preprocess.smallest_side, channels=run.preprocess.channels)
    origin = f"{len(kept)} images without classes in folder {root}{passed_over(source)}"
    return Dataset(name, kept, kept, (), origin)
