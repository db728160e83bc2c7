"""TFDS builds with several shards, made without TensorFlow; the same records as TFRecord shards; damage to them."""

import io
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader
from PIL import Image

from zfjax.data.formats.tfrecord import masked_crc32c
from zfjax.data.sources.tfds import open_tfds
from zfjax.errors import BadImage


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


class Dots(tfds.core.GeneratorBasedBuilder):
    """Twelve training and four test images."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 3)),
            "label": tfds.features.ClassLabel(names=["ink", "oil"]),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples(12), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
        rng = np.random.default_rng(count)
        for i in range(count):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file, "PNG")
            file.seek(0)
            yield i, {"image": file, "label": i % 2, "id": f"dot {i}"}


def shard(build, number=1, split="train"):
    return next(build.glob(f"*{split}.*-{number:05d}-of-*"))


def open_dots(build, bad_images="stop"):
    return open_tfds("dots", canvas_size=8, data_dir=build.parents[1], bad_images=bad_images)


def counts(build, split="train"):
    return [len(raw_records(path)) for path in sorted(build.glob(f"*{split}.array_record-*"))]


def lost(source) -> list[int]:
    """Numbers of the images that cannot be read."""
    numbers = []
    for i in range(len(source)):
        try:
            source[i]
        except BadImage:
            numbers.append(i)
    return numbers


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def patch(path, offset, data):
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(bytes(content))


def empty(path):
    path.write_bytes(b"")


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))
