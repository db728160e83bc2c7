"""TFDS builds with several shards, made without TensorFlow, and the same records as TFRecord shards."""

import json
import shutil
import struct
from pathlib import Path

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader

from zfjax.data.tfrecord import masked_crc32c

NUM_SHARDS = 3


def prepare(builder, folder: Path, *, num_shards: int | None = None) -> Path:
    """Builds a set as array_record and returns the folder of its files."""
    made = builder(data_dir=folder, file_format="array_record")
    made.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=num_shards))
    return Path(made.data_path)


def framed(data: bytes) -> bytes:
    """One record as TFRecord files have it."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def raw_records(path: Path) -> list[bytes]:
    return list(ArrayRecordReader(str(path)).read_all())


def as_tfrecord(build: Path, folder: Path) -> Path:
    """A copy of an array_record build with the same records in TFRecord shards, under TFDS's names for them."""
    copy = folder / build.relative_to(build.parents[1])
    shutil.copytree(build, copy, ignore=shutil.ignore_patterns("*array_record*"))
    for path in build.glob("*.array_record-*"):
        records = b"".join(map(framed, raw_records(path)))
        (copy / path.name.replace("array_record", "tfrecord")).write_bytes(records)
    edit_info(copy, lambda info: info.update(fileFormat="tfrecord"))
    return copy


def edit_info(build: Path, change) -> None:
    path = build / "dataset_info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))
