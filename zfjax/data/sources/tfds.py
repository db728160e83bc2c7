"""Image-classification sets of TensorFlow Datasets, read at random from its files, without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zfjax.canvas import Resampling, to_canvas
from zfjax.data.formats.array_record import ArrayRecordReader
from zfjax.data.formats.records import BadImages, Shard, ShardedRecords
from zfjax.data.formats.tfrecord import TfRecordReader
from zfjax.data.source import Record, class_numbers
from zfjax.data.sources.foreign import own_features, refuse_pipes
from zfjax.data.sources.imagenet import how_to_get_imagenet, is_imagenet, tfds_command, tfds_root
from zfjax.errors import BadImage, InputError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

VAL_SPLITS = ("validation", "val", "test")
FORMATS = ("array_record", "tfrecord")


class TfdsSource:
    """The images of one split, in Grain's random-access protocol. Records hold encoded bytes."""

    def __init__(self, name: str, records: Records, keys: tuple[str, str], class_names: tuple[str, ...], **canvas: Any):
        self.name, self.records, self.class_names = name, records, class_names
        self.image_key, self.label_key = keys
        self.canvas = canvas  # size, channels, resampling, as `to_canvas` takes them

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        try:
            image, label = self._decode(self.records[int(index)])
        except BadImage as error:
            raise BadImage(f"{self.describe(index)} ({self.records.describe(int(index))}): {error}") from error
        return {"image": image, "label": np.int32(label), "index": np.int32(index)}

    def _decode(self, record: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        label = class_numbers(record[self.label_key], len(self.class_names))
        try:
            return to_canvas(record[self.image_key], **self.canvas), label
        except InputError as error:
            raise BadImage(str(error)) from error

    def describe(self, index: int) -> str:
        return f"{self.name} record {index}"

    def stamps(self) -> Iterator[str]:
        """What tells the split from others wherever it lies: version and bytes, and of each file name, images, size."""
        return self.records.stamps()


class Records:
    """The examples of one split as dictionaries, in the order of the shards.

    keys: features that each must have. The first is the image, and stays encoded.
    """

    def __init__(
        self, builder: tfds.core.DatasetBuilder, split: str, keys: tuple[str, ...], *, bad_images: BadImages = "stop"
    ):
        import tensorflow_datasets as tfds

        name = f"{builder.info.full_name}/{split}"
        try:
            instructions = builder.info.splits[split].file_instructions
        except Exception as error:  # a dataset_info.json that says what no name of a file can be made of
            raise InputError(f"TFDS cannot tell the files of {name}: {_first_line(error)}") from error
        shards = [Shard(item.filename, item.examples_in_shard) for item in instructions]
        if not shards:
            raise InputError(f"{name} has no records in {builder.data_path}; prepare the data set again")
        info: Any = builder.info  # whose features and format are declared as optional
        stored = info.file_format.value
        reader = TfRecordReader(shards, name=name) if stored == "tfrecord" else ArrayRecordReader(shards)
        self._data = ShardedRecords(shards, reader)
        if bad_images == "stop":
            self._data.refuse_damage()
        self._features, self._keys = info.features, keys
        self._about = f"{name} {info.splits[split].num_bytes}"  # files of array_record are padded to 64 kB
        self._decoders = {keys[0]: tfds.decode.SkipDecoding()}

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Raises BadImage, without the name of the record, for one that is lost, no example, or lacks a feature."""
        data = self._data[index]
        try:
            example = self._features.deserialize_example_np(data, decoders=self._decoders)
        # What is wrong comes as protobuf's DecodeError, KeyError, ValueError, AttributeError and more.
        except Exception as error:
            raise BadImage(f"not an example of this set: {_first_line(error)}") from error
        if missing := [key for key in self._keys if example.get(key) is None]:
            raise BadImage(f"an example without {' and '.join(missing)}")
        return example

    def describe(self, index: int) -> str:
        return self._data.describe(index)

    def stamps(self) -> Iterator[str]:
        yield self._about
        for shard in self._data.shards:
            path = Path(shard.path)
            yield f"{path.name} {shard.count} {path.stat().st_size if path.exists() else 'missing'}"


def open_tfds(
    name: str,
    *,
    canvas_size: int,
    channels: int = 3,
    resampling: Resampling = "bilinear",
    data_dir: str | Path | None = None,
    bad_images: BadImages = "stop",
) -> tuple[TfdsSource, TfdsSource]:
    """Train and validation (or test) images of a TFDS set, "name" or "name/config"; prepared if absent.

    bad_images: "stop" refuses files with damage; "skip" opens them, and reading what is lost raises BadImage.
    Raises InputError when the set is unknown, cannot be prepared, has no image and one label, or lacks files.
    """
    builder = prepared_builder(name, data_dir)
    keys = _image_and_label(name, builder.info)
    features: Any = builder.info.features
    label = features[keys[1]]
    class_names = tuple(label.names or map(str, range(label.num_classes)))

    def source(split: str) -> TfdsSource:
        records = Records(builder, split, keys, bad_images=bad_images)
        canvas: dict[str, Any] = {"size": canvas_size, "channels": channels, "resampling": resampling}
        return TfdsSource(f"{name} {split}", records, keys, class_names, **canvas)

    return source("train"), source(_val_split(name, list(builder.info.splits)))


def prepared_builder(name: str, data_dir: str | Path | None) -> tfds.core.DatasetBuilder:
    """The builder of a TFDS set in ArrayRecord or TFRecord files; prepares the set (as ArrayRecord) if it is absent.

    Raises InputError when the set is unknown, cannot be prepared or is stored in another format.
    """
    import tensorflow_datasets as tfds

    root = tfds_root(data_dir)
    refuse_pipes(root / name.partition(":")[0])
    try:
        with own_features():
            builder = tfds.builder(name, data_dir=root)
            if not builder.is_prepared() and (version := _other_version(name, root)):
                builder = tfds.builder(f"{name}:{version}", data_dir=root)
    except tfds.core.DatasetNotFoundError:
        known = "scenes, folder:PATH, or a TFDS name such as imagenet2012 or cifar10"
        here = f"folder:{name}, for the images of that folder, or " if os.path.isdir(name) else ""
        raise InputError(f"unknown data set {name!r}; give {here}{known}") from None
    except Exception as error:  # an unknown configuration or version comes as one of several types
        raise InputError(f"TFDS cannot open {name!r}: {_first_line(error)}") from error
    if not builder.is_prepared():
        builder = tfds.builder(name, data_dir=root, file_format="array_record")
        _prepare(name, builder, root)
    info: Any = builder.info
    if (stored := info.file_format.value) not in FORMATS:
        raise InputError(
            f"{builder.data_path} is stored as {stored}, and only {' and '.join(FORMATS)} can be read; prepare {name} "
            f"as array_record in another --data_dir: {tfds_command(name, Path('OTHER_DIR'))}"
        )
    return builder


def _other_version(name: str, root: Path) -> str | None:
    """The newest version that lies prepared; imagenet2012 is 5.1.0 now, and 5.0.0 on many disks."""
    versions = [path.parent.name for path in root.glob(f"{name}/*/dataset_info.json")]
    numbered = [version for version in versions if version.replace(".", "").isdecimal()]
    return max(numbered, key=lambda version: [int(part) for part in version.split(".") if part], default=None)


def _prepare(name: str, builder: tfds.core.DatasetBuilder, root: Path) -> None:
    tars = root / "downloads" / "manual" / "ILSVRC2012_img_train.tar"
    if is_imagenet(name) and not tars.exists():  # asked first: TFDS would announce a download that cannot happen
        raise InputError(how_to_get_imagenet(name, root))
    try:
        builder.download_and_prepare()
    except Exception as error:  # no network, a manual download, a disk that is full, TensorFlow missing: all end here
        raise InputError(_what_to_do(name, root, error)) from error


def _what_to_do(name: str, root: Path, error: Exception) -> str:
    if "tensorflow" in str(error) and "No module named" in str(error):
        return f"preparing {name} needs TensorFlow this once; run: pip install tensorflow && {tfds_command(name, root)}"
    reason = _first_line(error)
    return f"TFDS cannot prepare {name!r} in {root}: {reason}; manual downloads belong in {root}/downloads/manual"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(" .:")


def _image_and_label(name: str, info: tfds.core.DatasetInfo) -> tuple[str, str]:
    """Feature names of the one image and the one label; the supervised pair where the set declares one."""
    import tensorflow_datasets as tfds

    features = dict(info.features) if isinstance(info.features, tfds.features.FeaturesDict) else {}
    images = [key for key, feature in features.items() if type(feature) is tfds.features.Image]
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    pair = info.supervised_keys
    if pair and len(pair) == 2 and pair[0] in images and pair[1] in labels:
        return pair[0], pair[1]
    if len(images) == 1 and len(labels) == 1:
        return images[0], labels[0]
    raise InputError(
        f"{name} is no set of images with one class each; its features are {', '.join(features) or 'none'}"
    )


def _val_split(name: str, splits: list[str]) -> str:
    for split in VAL_SPLITS:
        if split in splits and "train" in splits:
            return split
    raise InputError(f"{name} has the splits {', '.join(splits)}; needs train and one of {', '.join(VAL_SPLITS)}")
