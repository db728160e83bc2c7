"""Records that lie in several files, by number, and which of them damage has taken."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from zfjax.errors import BadImage, InputError
from zfjax.terminal import visible

BadImages = Literal["stop", "skip"]


class Shard(NamedTuple):
    """One file and the number of records that dataset_info.json says it has."""

    path: str
    count: int


class Damage(NamedTuple):
    """What is wrong with a shard: its records from number `record` on are lost."""

    record: int
    reason: str


class Reader(Protocol):
    """One file format, read at random from many threads."""

    damage: dict[int, Damage]  # by number of the shard

    def read(self, shard: int, position: int) -> bytes:
        """One record of a shard; raises BadImage, without the name of the record, where its bytes are no good."""
        ...


class ShardedRecords:
    """The records of all shards of a split, one after the other, as bytes."""

    def __init__(self, shards: Sequence[Shard], reader: Reader):
        self.shards, self.reader = tuple(shards), reader
        self._starts = np.cumsum([0, *(shard.count for shard in shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> bytes:
        """Raises BadImage for a record that is lost."""
        shard, position = self._place(index)
        damage = self.reader.damage.get(shard)
        if damage and position >= damage.record:
            raise BadImage(f"lost: {damage.reason}")
        return self.reader.read(shard, position)

    def describe(self, index: int) -> str:
        shard, position = self._place(index)
        return f"{self.shards[shard].path} record {position}"

    def refuse_damage(self) -> None:
        """Raises InputError that names the first damaged shard, and says how many there are."""
        if not self.reader.damage:
            return
        first = min(self.reader.damage)
        lost = sum(max(self.shards[i].count - damage.record, 0) for i, damage in self.reader.damage.items())
        raise InputError(
            f"{self.shards[first].path}: {self.reader.damage[first].reason}; damaged files: {len(self.reader.damage)} "
            f"of {len(self.shards)}, lost records: {lost} of {len(self)}; "
            "copy or prepare these files again, or leave out what is lost with --bad_images=skip"
        )

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return shard, int(index - self._starts[shard])


def check_present(shards: Sequence[Shard]) -> None:
    """Raises InputError that names the first file that is missing or closed to us, and says how many are."""
    missing = []
    for shard in shards:
        try:
            if not stat.S_ISREG(os.stat(shard.path).st_mode):  # a pipe would be waited for
                missing.append(f"{shard.path}: no regular file")
                continue
            open(shard.path, "rb").close()
        except OSError as error:
            missing.append(f"{visible(str(shard.path))}: cannot be read ({error.strerror})")
    if missing:
        raise InputError(
            f"{missing[0]}; files missing or closed: {len(missing)} of {len(shards)}; "
            "copy or prepare the data set again"
        )
