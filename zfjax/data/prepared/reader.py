"""Prepared sets: canvases made once by `python -m zfjax.data.prepare`, read with little or no decoding.

PATH/manifest.json       what it was made from, class names, the size and checksum of every file and of itself; written
                         last, so its presence makes the folder a prepared set
     train-00000.raw     images one after the other: uint8 [S, S, C], or (.jpeg) whole JPEG files
     train-index.npy     INDEX, one row an image;  val-* likewise
     mean.npy            float32 [S, S, C], the mean of the train images as they are read from here
     skipped.txt         one line for each image that was left out, if any was
     preparing/          only while it is being made: settings, side data of the shards, the lock
"""

from __future__ import annotations

import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import google_crc32c
import numpy as np
from PIL import Image

from zfjax.canvas import Resampling, to_canvas
from zfjax.data.prepared.checks import check_index, check_manifest
from zfjax.data.source import Record
from zfjax.errors import BadImage, InputError, why
from zfjax.runs.checksums import changed
from zfjax.runtime.arrays import check_mean, load_array
from zfjax.runtime.files import parse_json, read_bytes
from zfjax.runtime.places import user_path
from zfjax.terminal import Meter, meter

VERSION = 1
MANIFEST, PREPARING, MEAN, SKIPPED = "manifest.json", "preparing", "mean.npy", "skipped.txt"
SPLITS = ("train", "val")
JPEG_QUALITY = 95


def index_dtype(name_bytes: int, *, checksums: bool = True) -> np.dtype:
    """One row of an index: label, which shard, where in it, how long and of which CRC-32C, and where the image came
    from (UTF-8). Sets of earlier versions have no checksum of single images."""
    fields = [
        ("label", "<i4"),
        ("shard", "<i4"),
        ("offset", "<i8"),
        ("size", "<i4"),
        *([("crc32c", "<u4")] if checksums else []),
        ("name", f"S{max(1, name_bytes)}"),
    ]
    return np.dtype(fields)


def index_file(split: str) -> str:
    return f"{split}-index.npy"


def shard_file(split: str, number: int, format: str) -> str:
    return f"{split}-{number:05}.{format}"


def encode(image: np.ndarray, format: str) -> bytes:
    """A uint8 [S, S, C] image as it is stored."""
    if format == "raw":
        return image.tobytes()
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


class PreparedSource:
    """The images of one split, in Grain's random-access protocol.

    Holds no open file and no position: any number of threads and forked processes may read. The index is mapped.
    """

    def __init__(self, root: Path, split: str, manifest: dict):
        self.root, self.split = root, split
        self.format, self.size, self.channels = (manifest["settings"][key] for key in ("format", "size", "channels"))
        self.dataset, self.class_names = manifest["settings"]["dataset"], tuple(manifest["class_names"])
        self._index = _index(root, split, manifest)
        self._folder = str(root)
        self._files = {name: written for name, written in manifest["files"].items() if name.startswith(f"{split}-")}

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Record:
        image = np.empty((self.size, self.size, self.channels), np.uint8)
        return {"image": image, **self.read_into(index, image)}

    def read_into(self, index: int, image: np.ndarray) -> Record:
        """The record without its image, which goes to `image`: uint8 [S, S, C], contiguous."""
        label, shard, offset, size, *checksum, _ = self._index[int(index)].item()
        path = os.path.join(self._folder, shard_file(self.split, shard, self.format))
        data = image.reshape(-1) if self.format == "raw" else np.empty(size, np.uint8)
        # Opened every time, 3 us of 45: ImageNet's 1,900 shards are more than a process may hold open, and mapped ones
        # count as its memory.
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                os.lseek(file, offset, os.SEEK_SET)
                read = os.readv(file, [data.data])
            finally:
                os.close(file)
            if read < size:
                raise InputError(f"has {read} of its {size} bytes")
            if checksum and google_crc32c.value(data) != checksum[0]:  # 7 us for 256x256 raw pixels
                raise InputError("is damaged: it does not agree with its checksum")
            if self.format != "raw":
                image[...] = to_canvas(data.tobytes(), self.size, self.channels)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); record {index}") from error
        except InputError as error:
            raise BadImage(f"{path}: record {index} ({self.describe(index)}) {error}") from error
        return {"label": np.int32(label), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return self._index[int(index)]["name"].decode(errors="surrogateescape")

    def stamps(self) -> Iterator[str]:
        """Of each file what tells it from others wherever the set lies: name, size and checksum."""
        return (f"{name} {written['bytes']} {written['crc32']}" for name, written in sorted(self._files.items()))


def open_prepared(
    path: str | Path, *, canvas_size: int, channels: int = 3, resampling: Resampling = "bilinear"
) -> tuple[PreparedSource, PreparedSource, np.ndarray]:
    """The train and val images of a prepared folder, and the mean image of train: float32 [S, S, C] in 0..255.

    Looks at the sizes of all files. Raises InputError that says how to prepare where the images have another size or
    number of channels than asked for, or another resampling than the one they were made with, and that names what is
    missing or damaged.
    """
    root = user_path(path)
    manifest = read_manifest(root)
    settings = manifest["settings"]
    for flag, wanted in (("size", canvas_size), ("channels", channels)):
        if settings[flag] != wanted:
            raise InputError(
                f"{root} was prepared with --{flag}={settings[flag]}, and --{flag}={wanted} is needed here; prepare "
                f"{settings['dataset']} with --{flag}={wanted} into another folder"
            )
    if resampling != "bilinear":
        raise InputError(f"{root} holds images that were resized bilinearly, and this network takes {resampling} ones")
    check_sizes(root, manifest)
    _refuse_damaged(root, manifest, [MEAN, *map(index_file, SPLITS)])
    train, val = (PreparedSource(root, split, manifest) for split in SPLITS)
    return train, val, _mean(root, (canvas_size, canvas_size, channels))


def read_manifest(root: Path) -> dict:
    """What a prepared folder says of itself; raises InputError where there is none, or one of another version."""
    path = root / MANIFEST
    try:
        manifest = parse_json(read_bytes(path))
        if manifest["version"] != VERSION:
            raise InputError(f"{root} is a prepared set of version {manifest['version']}; this program reads {VERSION}")
        check_manifest(manifest)
        if missing := {MEAN, *map(index_file, SPLITS)} - manifest["files"].keys():
            raise ValueError(f"it lacks {min(missing)}")
        if changed(manifest, MANIFEST, {}):
            raise ValueError("its checksum differs from what was written")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(_what_is_there(root)) from None
    except OSError as error:
        raise InputError(f"cannot read {root / MANIFEST} ({error.strerror})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{root / MANIFEST} is damaged ({why(error)}); prepare the data set again") from error
    return manifest


def check_sizes(root: Path, manifest: dict) -> None:
    """Raises InputError that names the first file that is missing or has another size than when it was written."""
    there = {entry.name: entry.stat().st_size for entry in os.scandir(root) if entry.is_file()}
    for name, written in manifest["files"].items():
        if there.get(name) != written["bytes"]:
            found = f"has {there[name]:,} of its {written['bytes']:,} bytes" if name in there else "is missing"
            raise InputError(f"{root / name} {found}; copy it again, or prepare {root} again")


def check_contents(root: Path, manifest: dict) -> None:
    """Reads every file against its checksum, with a progress bar; raises InputError that names the damaged ones."""
    total = sum(written["bytes"] for written in manifest["files"].values())
    with meter(total=total, desc="checking", unit="B", unit_scale=True) as bar:
        _refuse_damaged(root, manifest, manifest["files"], bar)


def _refuse_damaged(root: Path, manifest: dict, names: Iterable[str], bar: Meter | None = None) -> None:
    damaged = []
    for name in names:
        checksum = 0
        with (root / name).open("rb", buffering=0) as file:
            while block := file.read(1 << 20):
                checksum = zlib.crc32(block, checksum)
                if bar is not None:
                    bar.update(len(block))
        if checksum != manifest["files"][name]["crc32"]:
            damaged.append(name)
    if damaged:
        more = f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        raise InputError(
            f"{root}: {', '.join(damaged[:5])}{more} of {len(manifest['files'])} files differ from what was written; "
            f"copy them again, or prepare {root} again"
        )


def _what_is_there(root: Path) -> str:
    if (root / PREPARING).is_dir():
        return f"{root} is not finished; give the command that began it (python -m zfjax.data.prepare ...) again"
    if not root.exists():
        return f"prepared set {root} does not exist"
    make = f"python -m zfjax.data.prepare --dataset=folder:{root} --out=OTHER_FOLDER"
    return f"{root} is no prepared set: it has no {MANIFEST}; if it holds images, prepare them: {make}"


def _index(root: Path, split: str, manifest: dict) -> np.ndarray:
    with _named(root / index_file(split)) as path:
        index = load_array(path, mapped=True)
        fields = index.dtype.names or ()
        expected = index_dtype(index.dtype["name"].itemsize if "name" in fields else 0, checksums="crc32c" in fields)
        if index.ndim != 1 or not len(index) or index.dtype != expected:
            raise ValueError(f"it holds {index.dtype} {index.shape}")
        shards = (shard_file(split, number, manifest["settings"]["format"]) for number in itertools.count())
        written = itertools.takewhile(bool, (manifest["files"].get(shard) for shard in shards))
        check_index(index, split, manifest, [shard["bytes"] for shard in written])
        return index


def _mean(root: Path, shape: tuple[int, ...]) -> np.ndarray:
    with _named(root / MEAN) as path:
        mean = check_mean(load_array(path))
        if mean.shape != shape:
            raise ValueError(f"its shape is {mean.shape}, not {shape}")
        return mean


@contextmanager
def _named(path: Path) -> Iterator[Path]:
    try:
        yield path
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged ({why(error)}); copy it again, or prepare the data set again") from error
