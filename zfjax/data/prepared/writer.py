"""Writing a prepared set: shards while images are read, and at the end the index, the mean and the manifest.

`zfjax.data.prepared.reader` has the format, `zfjax.data.prepare` the command. A kill at any moment costs the shards
that were being written: each file takes its name when it is whole and on the disk, a shard after its side data.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import google_crc32c
import numpy as np

from zfjax.canvas import to_canvas
from zfjax.data.prepared import reader as prepared
from zfjax.data.source import Source
from zfjax.errors import BadImage, InputError
from zfjax.runs.checksums import sealed
from zfjax.runtime.files import whole
from zfjax.terminal import Meter, visible

if TYPE_CHECKING:
    from zfjax.data.dataset import Dataset

AHEAD_BYTES = 64 << 20  # canvases that wait to be written, so that reading goes on while a shard goes to the disk


class Item(NamedTuple):
    """One image on its way to the disk, or why it is left out."""

    data: bytes
    image: np.ndarray | None
    label: int
    error: str


class Shard(NamedTuple):
    """A run of a split's images that is written as one file."""

    split: str
    number: int
    images: range


class Work:
    """A prepared set in the making: what goes into it, and where.

    settings: the flags, "shard_images", and what tells the data set from others; they are recorded in the manifest.
    """

    def __init__(self, out: Path, settings: dict, dataset: Dataset):
        self.out, self.settings, self.dataset = out, settings, dataset
        self.staging = out / prepared.PREPARING
        self.format, self.size, self.channels = (settings[key] for key in ("format", "size", "channels"))
        step = settings["shard_images"]
        self.shards = [
            Shard(split, number, range(start, min(start + step, len(self.source(split)))))
            for split in prepared.SPLITS
            for number, start in enumerate(range(0, len(self.source(split)), step))
        ]

    @property
    def canvas_bytes(self) -> int:
        return self.size**2 * self.channels

    def source(self, split: str) -> Source:
        return {"train": self.dataset.train, "val": self.dataset.val}[split]

    def path(self, shard: Shard) -> Path:
        return self.out / prepared.shard_file(shard.split, shard.number, self.format)

    def side(self, shard: Shard) -> Path:
        """Labels, sizes, names, pixel sums and checksum of a shard, for the index and the mean at the end."""
        return self.staging / f"{shard.split}-{shard.number:05}.npz"

    def is_done(self, shard: Shard) -> bool:
        """Whether the shard is there with its side data; looks at its size alone."""
        try:
            with np.load(self.side(shard), allow_pickle=False) as side:
                sizes = side["sizes"]
                return len(side["crc32cs"]) == len(sizes) and self.path(shard).stat().st_size == sizes.sum()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False

    def read(self, split: str, index: int) -> Item:
        """One image as it will be stored; raises InputError for one that cannot be read, unless such are skipped."""
        source = self.source(split)
        try:
            record = source[index]
        except BadImage as error:
            raise InputError(f"{error}; repair it, or leave such images out with --bad_images=skip") from error
        if not record.get("sound", True):  # another image, in the place of a broken one
            return Item(b"", None, 0, self.dataset.broken.found[source.describe(index)])
        image, label = record["image"], int(record["label"])
        data = prepared.encode(image, self.format)
        if self.format != "raw":  # the mean must be that of the images as they will be read
            image = to_canvas(data, self.size, self.channels)
        return Item(data, image, label, "")


def image_names(source: Source, images: range) -> list[bytes]:
    """Where each of these images comes from; of files the end, split/class/file, for their folder may be moved."""
    return [os.fsencode(os.sep.join(source.describe(index).rsplit(os.sep, 3)[-3:])) for index in images]


def write_shards(work: Work, shards: list[Shard], threads: int, bar: Meter) -> None:
    """Reads the images of these shards on so many threads and writes them; the bar moves by one for each image.

    Raises InputError as `Work.read` does, and when the disk cannot take them.
    """
    ahead = max(2 * threads, min(256, AHEAD_BYTES // work.canvas_bytes))
    with ThreadPoolExecutor(threads) as pool:
        try:
            jobs = ((shard.split, index) for shard in shards for index in shard.images)
            items = _in_order(pool, work.read, jobs, ahead)
            for shard in shards:
                _write_shard(work, shard, items, bar)
        finally:
            pool.shutdown(cancel_futures=True)


def finish(work: Work) -> None:
    """Puts the side data of all shards together: index, mean, list of what was left out, and last the manifest.

    Raises InputError when no image of a split could be read, and when the disk cannot take the files.
    """
    files, skipped = {}, []

    def write(name: str, data: bytes) -> None:
        write_whole(work.out / name, data, work.staging)
        files[name] = {"bytes": len(data), "crc32": zlib.crc32(data)}

    for split in prepared.SPLITS:
        rows, total = [], 0
        for shard in (shard for shard in work.shards if shard.split == split):
            with np.load(work.side(shard), allow_pickle=False) as side:
                rows.append((shard.number, *(side[name] for name in ("labels", "sizes", "crc32cs", "names"))))
                total = total + side["total"].astype(np.uint64)
                skipped += side["skipped"].tolist()
                files[work.path(shard).name] = {"bytes": int(side["sizes"].sum()), "crc32": int(side["crc32"])}
        index = _index(rows)
        if not len(index):
            raise InputError(f"no {split} image of {work.settings['dataset']} can be read; the last: {skipped[-1]}")
        write(prepared.index_file(split), _npy(index))
        if split == "train":
            mean = np.asarray(total / len(index), np.float32)  # as zfjax.data.pipeline.mean divides
            write(prepared.MEAN, _npy(mean))
    if skipped:
        write(prepared.SKIPPED, "".join(f"{visible(line)}\n" for line in skipped).encode())
    manifest = {"version": prepared.VERSION, "settings": work.settings, "origin": work.dataset.origin}
    manifest |= {"skipped": len(skipped), "class_names": work.dataset.class_names, "files": files}
    sealed_manifest = sealed(json.loads(to_json(manifest)), prepared.MANIFEST, {})
    write_whole(work.out / prepared.MANIFEST, to_json(sealed_manifest), work.staging)


def to_json(value: dict) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def write_whole(path: Path, data: bytes, staging: Path) -> None:
    """A small file, whole or not at all; raises InputError where it cannot be written."""
    with _whole(path, staging) as file:
        file.write(data)


def _in_order(pool: ThreadPoolExecutor, call: Callable, jobs: Iterable[tuple], ahead: int) -> Iterator[Item]:
    """Results in the order of the jobs, at most `ahead` of them waiting (Executor.map would begin all at once)."""
    waiting: deque = deque()
    for job in jobs:
        waiting.append(pool.submit(call, *job))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _write_shard(work: Work, shard: Shard, items: Iterator[Item], bar: Meter) -> None:
    total = np.zeros((work.size, work.size, work.channels), np.uint32)  # would overflow after 16 million images
    labels, sizes, crc32cs, names, skipped, checksum = [], [], [], [], [], 0
    origins = image_names(work.source(shard.split), shard.images)
    with _whole(work.path(shard), work.staging) as file:
        for name, item in zip(origins, itertools.islice(items, len(shard.images)), strict=True):
            if item.image is None:
                skipped.append(item.error)
            else:
                file.write(item.data)
                checksum = zlib.crc32(item.data, checksum)
                total += item.image
                labels.append(item.label)
                sizes.append(len(item.data))
                crc32cs.append(google_crc32c.value(item.data))
                names.append(name)
            bar.update()
        side = {"labels": np.array(labels, np.int32), "sizes": np.array(sizes, np.int64), "names": np.array(names, "S")}
        buffer = io.BytesIO()
        side |= {
            "crc32cs": np.array(crc32cs, np.uint32),
            "total": total,
            "crc32": np.uint32(checksum),
            "skipped": np.array(skipped, "U"),
        }
        np.savez(buffer, **side)
        write_whole(work.side(shard), buffer.getvalue(), work.staging)  # before the shard takes its name


def _index(rows: list[tuple]) -> np.ndarray:
    """rows: of each shard its number, and its images' labels, sizes, checksums and names."""
    numbers, labels, sizes, crc32cs, names = zip(*rows, strict=True)
    index = np.zeros(sum(map(len, labels)), prepared.index_dtype(max(part.itemsize for part in names)))
    index["shard"] = np.repeat(numbers, [len(part) for part in labels])
    columns = {"label": labels, "size": sizes, "crc32c": crc32cs, "name": names}
    for name, parts in columns.items():
        index[name] = np.concatenate(parts)
    index["offset"] = np.concatenate([np.cumsum(part) - part for part in sizes])
    return index


@contextmanager
def _whole(path: Path, staging: Path) -> Iterator[BinaryIO]:
    try:
        with whole(path, part=staging / f"{path.name}.part") as part, part.open("wb") as file:
            yield file
    except OSError as error:
        raise InputError(
            f"cannot write {path} ({error.strerror}); what is there stays: free some space and give the command again"
        ) from error


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
