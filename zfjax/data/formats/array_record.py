"""ArrayRecord shards read at random; what their library says of damage, with names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from zfjax.data.formats.records import Damage, Shard, check_present
from zfjax.errors import BadImage, InputError

SPARE_FILES = 256  # that the rest of the program may open later: checkpoints, logs, sockets
OPEN_THREADS = 16  # opening waits for the disk: an index of a few kB at the end of each file


class ArrayRecordReader:
    """Reads records of ArrayRecord shards through the library's thread-safe readers, which check each record's data.

    Raises InputError for a file that is missing; other damage is found in `damage`. A file that is cut off loses all
    its records, for its index stands at its end.
    """

    def __init__(self, shards: Sequence[Shard]):
        check_present(shards)
        _allow_open_files(len(shards))
        with ThreadPoolExecutor(OPEN_THREADS) as pool:
            self._readers = list(pool.map(_open, shards))
        found = (_damage(reader, shard) for reader, shard in zip(self._readers, shards, strict=True))
        self.damage = {number: damage for number, damage in enumerate(found) if damage}

    def read(self, shard: int, position: int) -> bytes:
        try:
            return self._readers[shard].read([position])[0]
        except RuntimeError as error:
            raise BadImage(f"cannot be read: {_reason(error)}") from error


def _open(shard: Shard) -> Any:
    from array_record.python.array_record_module import ArrayRecordReader as LibraryReader

    # As the library's own data source does: no reading ahead, for the next record lies elsewhere.
    options = {"options": "readahead_buffer_size:0", "file_reader_buffer_size": 32768}
    return LibraryReader(shard.path, **options)


def _damage(reader: Any, shard: Shard) -> Damage | None:
    if reader.ok():
        found = reader.num_records()
        if found == shard.count:
            return None
        return Damage(found, f"the file has {found} records where dataset_info.json says {shard.count}")
    reason = "no index of its records at the end of the file"
    try:
        reader.read([0])  # the one way to hear more; it may also return b"", and nothing is heard
    except RuntimeError as error:
        reason = _reason(error)
    return Damage(0, f"none of the {shard.count} records can be read: {reason}")


def _reason(error: RuntimeError) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0].removesuffix("; Failed to read RiegeliPostscript")


def _allow_open_files(count: int) -> None:
    """Raises this process's limit of open files: ImageNet's 1,024 + 64 shards stay open, and 1,024 is a usual limit."""
    import resource

    lowest_free = os.open(os.devnull, os.O_RDONLY)  # numbers are given out from below: so many are in use
    os.close(lowest_free)
    needed = lowest_free + count + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InputError(
            f"{count} shards must be open at once, and this process may open {hard} files (ulimit -Hn); "
            f"raise that limit to {needed}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
