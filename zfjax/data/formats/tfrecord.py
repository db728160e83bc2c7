"""TFRecord shards read at random, without TensorFlow: what most people's prepared ImageNet is stored as.

A record is its length (uint64), the masked CRC-32C of these 8 bytes, the data, and the masked CRC-32C of the data.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import numpy as np

from zfjax.data.formats.records import Damage, Shard, check_present
from zfjax.errors import BadImage, InputError
from zfjax.runtime.files import file_name, own_part, whole
from zfjax.runtime.places import cache_folder
from zfjax.terminal import meter, say

HEADER_BYTES, FOOTER_BYTES = 12, 4
# A scan waits for the disk, one small read a record. In the page cache Python is the limit: 280,000 records a second
# (ImageNet: 5 s) with 1 thread or 16.
SCAN_THREADS = 16


class TfRecordReader:
    """Reads records of TFRecord shards; where they begin is found out once and kept in the user's cache folder.

    All checksums are checked, those of the data as they are read: 4 us for an image of 110 kB that is decoded in 3 ms,
    and a JPEG file with a flipped bit may decode to another picture without a word.
    Raises InputError for a file that is missing; other damage is found in `damage`.
    """

    def __init__(self, shards: Sequence[Shard], *, name: str):
        self.paths = [shard.path for shard in shards]
        self._offsets, self.damage = indexed(shards, name=name)

    def read(self, shard: int, position: int) -> bytes:
        start, end = self._offsets[shard][position : position + 2]
        size = int(end - start) - HEADER_BYTES  # of the data and its checksum
        try:
            # Opened for each record, 4 us: ImageNet's 1,024 shards held open would meet the usual limit of 1,024 files.
            file = os.open(self.paths[shard], os.O_RDONLY)
        except OSError as error:
            raise InputError(f"{self.paths[shard]}: cannot be read ({error.strerror})") from error
        try:
            data = os.pread(file, size, int(start) + HEADER_BYTES)
        except OSError as error:
            raise BadImage(f"cannot be read ({error.strerror})") from error
        finally:
            os.close(file)
        if len(data) < size:
            raise BadImage(f"cannot be read: the file ends {size - len(data)} bytes too soon")
        checksum = struct.unpack_from("<I", data, size - FOOTER_BYTES)[0]
        data = data[:-FOOTER_BYTES]
        if masked_crc32c(data) != checksum:
            raise BadImage("is damaged: its data do not agree with their checksum")
        return data


Index = tuple[list[np.ndarray], dict[int, Damage]]


def indexed(shards: Sequence[Shard], *, name: str) -> Index:
    """Where records begin: int64 [readable records + 1] a shard, its end included; and the damage, by shard.

    Taken from the cache folder if paths, sizes and times of change of all shards are as they were. An index of damaged
    files is not kept: a good copy put in their place may have the same size and time.
    """
    check_present(shards)
    folder = cache_folder("tfrecord")
    file = folder and folder / f"{file_name(name.replace('/', '-'))}-{_fingerprint(shards)}.npz"
    offsets = _load(file, shards) if file else None
    if offsets is not None:
        return offsets, {}
    offsets, damage = _scan_all(shards, name)
    if file and not damage:
        _save(file, offsets)
    return offsets, damage


def _fingerprint(shards: Sequence[Shard]) -> str:
    stats = [os.stat(shard.path) for shard in shards]
    known_by = [
        [os.path.abspath(shard.path), shard.count, stat.st_size, stat.st_mtime_ns]
        for shard, stat in zip(shards, stats, strict=True)
    ]
    return hashlib.sha256(json.dumps(known_by).encode()).hexdigest()[:32]


def scan(shard: Shard) -> tuple[np.ndarray, Damage | None]:
    """Where the readable records of one shard begin, int64 [records + 1], their end included; and what is wrong."""
    offsets, damage = [0], None
    with open(shard.path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while offsets[-1] < size and damage is None:
            offset = offsets[-1]
            header = os.pread(file.fileno(), HEADER_BYTES, offset)
            wrong = _wrong_header(header)
            end = offset if wrong else offset + HEADER_BYTES + _length(header) + FOOTER_BYTES
            if not wrong and end > size:
                wrong = f"is cut off: its record would end at byte {end}, the file ends at byte {size}"
            if wrong:
                damage = Damage(len(offsets) - 1, f"byte {offset}, record {len(offsets) - 1} of {shard.count}, {wrong}")
            else:
                offsets.append(end)
    return np.array(offsets, np.int64), damage or _wrong_count(len(offsets) - 1, size, shard)


def _length(header: bytes) -> int:
    return struct.unpack_from("<Q", header)[0]


def _wrong_header(header: bytes) -> str:
    if len(header) < HEADER_BYTES:
        return f"is cut off: {len(header)} of the {HEADER_BYTES} bytes of its header are there"
    if masked_crc32c(header[:8]) != struct.unpack_from("<I", header, 8)[0]:
        return "is damaged: its length does not agree with the length's checksum"
    return ""


def _wrong_count(found: int, size: int, shard: Shard) -> Damage | None:
    if found == shard.count:
        return None
    if not size:
        return Damage(0, f"the file is empty where dataset_info.json says {shard.count} records")
    where = f"byte {size}, record {found}" if found < shard.count else f"record {shard.count}"
    return Damage(found, f"{where}: the file has {found} records where dataset_info.json says {shard.count}")


def masked_crc32c(data: bytes) -> int:
    """TFRecord's checksum: CRC-32C, turned right by 15 bits, plus a constant."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _scan_all(shards: Sequence[Shard], name: str) -> Index:

    offsets, damage = [], {}
    pool = ThreadPoolExecutor(SCAN_THREADS)
    try:
        with meter(total=sum(shard.count for shard in shards), desc=f"indexing {name}", unit="record", delay=1) as bar:
            for number, (found, wrong) in enumerate(pool.map(scan, shards)):
                offsets.append(found)
                if wrong:
                    damage[number] = wrong
                bar.update(len(found) - 1)
    finally:
        pool.shutdown(cancel_futures=True)  # so that Ctrl-C waits for 16 shards at the most, not for all
    return offsets, damage


def _save(file: Path, offsets: list[np.ndarray]) -> None:
    buffer = io.BytesIO()  # NumPy 2.0's savez leaves a file open where the disk is full: Python says so once more
    np.savez(buffer, offsets=np.concatenate(offsets), counts=[len(one) for one in offsets])
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file, part=own_part(file)) as part:
            part.write_bytes(buffer.getvalue())
    except OSError as error:  # costs the next start its time, and nothing else
        say(f"the index of the records cannot be kept in {file.parent}: {error.strerror}", error=True)


def _load(file: Path, shards: Sequence[Shard]) -> list[np.ndarray] | None:
    """What `_save` wrote; None, and it is made again, where it is absent or damaged."""
    try:
        with open(file, "rb") as opened, np.load(opened) as arrays:
            counts, together = np.array([shard.count + 1 for shard in shards]), arrays["offsets"]
            if not np.array_equal(arrays["counts"], counts) or together.shape != (counts.sum(),):
                return None
            offsets = np.split(together, np.cumsum(counts)[:-1])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
    sound = together.dtype == np.int64 and all(map(_fits, offsets, shards))
    return offsets if sound else None


def _fits(offsets: np.ndarray, shard: Shard) -> bool:
    """Whether these can be where a shard's records begin and the last one ends."""
    steps = np.diff(offsets)
    ends = offsets[0] == 0 and offsets[-1] == os.path.getsize(shard.path)
    return bool(ends and (steps >= HEADER_BYTES + FOOTER_BYTES).all())
