"""Makes a prepared set, once: python -m zfjax.data.prepare --dataset=folder:PATH --out=PREPARED

Each image is read, resized and cut as in training (section 3) and written down, so that training need not decode it
again. `zfjax.data.prepared.reader` has the format.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zfjax.errors import InputError
from zfjax.runs.results import differences, refuse
from zfjax.runtime.files import own_folder, parse_json, read_bytes
from zfjax.runtime.places import cores, user_path
from zfjax.runtime.ranges import check_flags
from zfjax.runtime.signals import handled, leave
from zfjax.terminal import meter, say

if TYPE_CHECKING:
    from zfjax.data.dataset import Dataset
    from zfjax.data.prepared.writer import Shard, Work

SHARD_BYTES = 128 << 20  # what a kill may cost: 682 canvases of 256x256, two seconds of work
JPEG_SAVING = 6  # bytes of raw pixels for one of JPEG, on photos of 256x256


@dataclass(frozen=True)
class PrepareConfig:
    """Reads, resizes and cuts the images of a data set once, for training with --dataset=prepared:OUT.

    Stop it at any time with Ctrl-C, the same command goes on where it was.
    """

    out: str
    """Folder of the prepared set."""
    dataset: str | None = None
    """What to prepare, as train.py takes it: folder:PATH (PATH/{train,val}/CLASS/*.jpg), a TFDS name, or scenes."""
    data_dir: str | None = None
    """Where TFDS keeps its data sets; None: ~/tensorflow_datasets."""
    size: int = 256
    """Side of the stored images: 8/7 of the network's input (256 for 224); the input's own where it takes no crops."""
    channels: Literal[3, 1] = 3
    """3: RGB; 1: grey."""
    format: Literal["raw", "jpeg"] = "raw"
    """raw: the pixels themselves, fastest; jpeg: quality 95, about a sixth of the space, pixels not quite the same."""
    bad_images: Literal["stop", "skip"] = "stop"
    """At an image that cannot be read; skip: go on without it and list it in OUT/skipped.txt."""
    num_threads: int | None = None
    """Threads that read and resize; None: one a core."""
    check: bool = False
    """Prepare nothing: read all files of OUT and compare them with their checksums."""


def check(out: Path) -> None:
    """Reads the whole set against its checksums; raises InputError that names what is damaged."""
    from zfjax.data.prepared import reader as prepared

    manifest = prepared.read_manifest(out)
    prepared.check_sizes(out, manifest)
    prepared.check_contents(out, manifest)
    say(f"{out}: all {len(manifest['files'])} files are as they were written")


def prepare(config: PrepareConfig) -> None:
    """Makes the prepared set that the flags ask for, or goes on with it; a finished one is left alone.

    Raises InputError for flags, data and folders that do not fit, a disk that is too small, and an image that cannot
    be read (bad_images="stop"); what was written until then stays and is used by the next call.
    """
    if not config.dataset:
        raise InputError("--dataset is missing; say what to prepare, for example --dataset=folder:PATH")
    check_flags(config)
    from zfjax.data.dataset import open_dataset
    from zfjax.data.prepared.reader import PREPARING
    from zfjax.data.prepared.writer import Work, finish
    from zfjax.runs.lock import locked

    out = user_path(config.out)
    if _is_finished(out, config) and not (out / PREPARING).exists():
        say(f"{out} is prepared; nothing is left to do")
        return
    with _stoppable(out):
        options = {"channels": config.channels, "data_dir": config.data_dir, "bad_images": config.bad_images}
        dataset = open_dataset(config.dataset, canvas_size=config.size, **options)
        _make_folder(out)
        with locked(out / PREPARING):
            if not _is_finished(out, config):
                work = Work(out, _begin(out, config, dataset), dataset)
                _write_shards(work, config.num_threads or cores())
                finish(work)
            shutil.rmtree(out / PREPARING)  # and the lock in it: whoever comes now finds a finished set
    _say_result(out)


def _flags(config: PrepareConfig) -> dict:
    """The flags that decide what is written."""
    return {name: getattr(config, name) for name in ("dataset", "size", "channels", "format", "bad_images")}


def _is_finished(out: Path, config: PrepareConfig) -> bool:
    from zfjax.data.prepared import reader as prepared

    if not (out / prepared.MANIFEST).exists():
        return False
    manifest = prepared.read_manifest(out)
    _refuse_others(out, manifest["settings"], _flags(config))
    prepared.check_sizes(out, manifest)
    return True


def _refuse_others(out: Path, there: dict, here: dict) -> None:
    refuse(f"{out} was begun with", differences(there, here, show=str))


def _make_folder(out: Path) -> None:
    from zfjax.data.prepared.reader import MANIFEST, PREPARING

    preparing = own_folder(out / PREPARING)  # what a killed process has left in it is removed
    try:
        if out.is_dir() and any(out.iterdir()) and not (preparing.is_dir() or (out / MANIFEST).exists()):
            raise InputError(f"{out} holds other files; give --out a new or an empty folder")
        preparing.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot use {out} ({error.strerror}); give another --out") from error


def _begin(out: Path, config: PrepareConfig, dataset: Dataset) -> dict:
    """The settings of this preparation, recorded at its start and compared when it goes on."""
    from zfjax.data.prepared.reader import PREPARING
    from zfjax.data.prepared.writer import image_names, to_json, write_whole

    raw = max(1, SHARD_BYTES // (config.size**2 * config.channels))
    settings = {**_flags(config), "shard_images": raw if config.format == "raw" else raw * JPEG_SAVING}
    for split, source in (("train", dataset.train), ("val", dataset.val)):
        names = image_names(source, range(len(source)))
        settings |= {f"{split}_images": len(source), f"{split}_names_crc32": zlib.crc32(b"\n".join(names))}
    path = out / PREPARING / "settings.json"
    if path.exists():
        _refuse_others(out, parse_json(read_bytes(path)), settings)
    for part in path.parent.glob("*.part"):
        part.unlink()  # a shard that a kill has cut short
    write_whole(path, to_json(settings), path.parent)
    return settings


def _write_shards(work: Work, threads: int) -> None:

    from zfjax.data.prepared.writer import write_shards

    todo = [shard for shard in work.shards if not work.is_done(shard)]
    total, missing = (sum(len(shard.images) for shard in shards) for shards in (work.shards, todo))
    say(f"preparing {work.dataset.origin}")
    if missing < total:
        say(f"going on: {total - missing:,} of {total:,} images are there already")
    if todo:
        _check_space(work, todo)
        with meter(total=total, initial=total - missing, desc="preparing", unit=" images") as bar:
            write_shards(work, todo, threads, bar)


def _check_space(work: Work, todo: list[Shard]) -> None:
    """Says what is needed; raises InputError if the disk has less. Of raw the bytes are known, of JPEG estimated."""
    from zfjax.data.prepared.reader import index_dtype

    image_bytes = work.canvas_bytes if work.format == "raw" else _jpeg_bytes(work)
    sums = 4 * work.canvas_bytes * len(work.shards)  # pixel sums of the shards, until the set is finished
    index = 2 * index_dtype(100).itemsize * (len(work.dataset.train) + len(work.dataset.val))
    need = image_bytes * sum(len(shard.images) for shard in todo) + sums + index
    free = shutil.disk_usage(work.out).free
    about = "" if work.format == "raw" else "about "
    say(f"{about}{need / 1e9:,.2f} GB to write to {work.out}, {free / 1e9:,.2f} GB are free")
    if need > free:
        smaller = " or --format=jpeg" if work.format == "raw" else ""
        raise InputError(
            f"{work.out} needs {about}{need / 1e9:,.2f} GB and its disk has {free / 1e9:,.2f} GB free; "
            f"free some space, or give another --out{smaller}"
        )


def _jpeg_bytes(work: Work) -> float:
    """Mean size of 32 images from all over the data set."""
    count = len(work.dataset.train)
    items = [work.read("train", index) for index in range(0, count, max(1, count // 32))]
    sizes = [len(item.data) for item in items if item.image is not None]
    return sum(sizes) / len(sizes) if sizes else work.canvas_bytes / JPEG_SAVING


@contextmanager
def _stoppable(out: Path) -> Iterator[None]:
    """Ends with one line on SIGINT and SIGTERM; what is there is as good as after a kill -9."""
    with handled(leave):
        try:
            yield
        except SystemExit:
            say(f"stopped; what is written stays in {out}, and the same command goes on from there")
            raise


def _say_result(out: Path) -> None:
    from zfjax.data.prepared.reader import SKIPPED, read_manifest

    manifest = read_manifest(out)
    if left_out := manifest["skipped"]:
        lines = (out / SKIPPED).read_text(encoding="utf-8", errors="replace").splitlines()
        say(f"{left_out:,} images are left out, all listed in {out / SKIPPED}; the first:")
        say(*(f"  {line}" for line in lines[:5]))
    size = sum(file["bytes"] for file in manifest["files"].values())
    say(f"prepared {out} ({size / 1e9:,.2f} GB); train with --dataset=prepared:{out}")


if __name__ == "__main__":
    from zfjax.cli.prepare import main

    main()
