"""Decoded images kept in memory, for data sets that are small enough."""

from __future__ import annotations

from zfjax.data.source import Record, Source

LIMIT_BYTES = 256 << 20  # 5000 canvases of 73x73 are 80 MB and stay; 5000 of 256x256 would be 1 GB and do not


class CachedSource:
    """A source that makes each image once. Its images are read-only, for every visit shares them."""

    def __init__(self, source: Source):
        self.source, self.class_names = source, source.class_names
        self._records: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Record:
        record = self._records.get(int(index))
        if record is None:
            record = self.source[index]
            record["image"].setflags(write=False)
            self._records[int(index)] = record  # two threads at once store the same image twice, which does no harm
        return dict(record)

    def describe(self, index: int) -> str:
        return self.source.describe(index)


def cached(source: Source, *, canvas_size: int, channels: int) -> Source:
    """The source, kept in memory as it is read if all of it takes at most `LIMIT_BYTES`."""
    return CachedSource(source) if len(source) * canvas_size**2 * channels <= LIMIT_BYTES else source
