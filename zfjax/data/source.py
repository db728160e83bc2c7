"""What all data sets have in common: images by number."""

from __future__ import annotations

from typing import Any, Protocol

Record = dict[str, Any]  # of NumPy arrays and scalars


class Source(Protocol):
    """Grain's random-access protocol: images by number, each a record of its own; safe to read from many threads."""

    class_names: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record:
        """{"image": uint8 [S, S, C], "label": np.int32, "index": np.int32}; raises InputError for a broken image."""
        ...

    def describe(self, index: int) -> str:
        """Where an image comes from: its file, or its place in the data set."""
        ...
