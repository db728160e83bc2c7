"""All images of a data set as one source, and chosen ones of a source: what random folds are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zfjax.canvas import Resampling
from zfjax.data.dataset import open_dataset
from zfjax.data.source import Record, Source, unreadable_named
from zfjax.data.sources.cache import cached
from zfjax.data.sources.folder import open_flat_folder, passed_over
from zfjax.runtime.places import user_path


class Pool(NamedTuple):
    """Images without a split of their own; origin is a sentence that tells the user where they come from."""

    source: Source
    origin: str


class JoinedSource:
    """Several sources of the same classes, one after the other."""

    def __init__(self, sources: Sequence[Source]):
        self.sources, self.class_names = tuple(sources), sources[0].class_names
        self.starts = np.cumsum([0, *map(len, sources)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int) -> Record:
        source, inner = self._place(index)
        return {**source[inner], "index": np.int32(index)}

    def describe(self, index: int) -> str:
        source, inner = self._place(index)
        return source.describe(inner)

    def _place(self, index: int) -> tuple[Source, int]:
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.sources[part], int(index - self.starts[part])


class Subset:
    """Chosen images of a source, in the order given, with other labels where `labels` says so."""

    def __init__(
        self,
        source: Source,
        indices: Sequence[int] | np.ndarray,
        *,
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: tuple[str, ...] | None = None,
    ):
        self.source, self.indices, self.labels = source, np.asarray(indices, np.int64), labels
        self.class_names = class_names or source.class_names

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Record:
        record = {**self.source[int(self.indices[index])], "index": np.int32(index)}
        return record if self.labels is None else {**record, "label": np.int32(self.labels[index])}

    def describe(self, index: int) -> str:
        return self.source.describe(int(self.indices[index]))


@unreadable_named()
def open_pool(
    name: str,
    *,
    canvas_size: int,
    channels: int = 3,
    resampling: Resampling = "bilinear",
    data_dir: str | Path | None = None,
) -> Pool:
    """All images of a data set, its training and validation images together (`zfjax.data.open_dataset` has the names).

    A folder without train and val, PATH/CLASS/*.jpg, will do too: Caltech-101 and Caltech-256 unpack to that.
    Raises InputError as open_dataset does.
    """
    canvas: dict[str, Any] = {"canvas_size": canvas_size, "channels": channels, "resampling": resampling}
    kind, _, path = name.partition(":")
    root = user_path(path)
    if kind == "folder" and path and root.is_dir() and not (root / "train").is_dir():
        images = open_flat_folder(root, **canvas)
        source = cached(images, canvas_size=canvas_size, channels=channels)
        place = f"folder {path}{passed_over(images)}"
        return Pool(source, f"{len(source):,} images in {len(source.class_names)} classes from {place}")
    data = open_dataset(name, data_dir=data_dir, **canvas)
    return Pool(JoinedSource((data.train, data.val)), f"{data.origin}, pooled")
