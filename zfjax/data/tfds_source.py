"""Image-classification sets of TensorFlow Datasets, read through its random-access files, without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zfjax.data.images import to_canvas
from zfjax.errors import InputError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

VAL_SPLITS = ("validation", "val", "test")


class TfdsSource:
    """The images of one split, in Grain's random-access protocol. Records hold encoded bytes."""

    def __init__(self, name: str, records: Any, keys: tuple[str, str], class_names: tuple[str, ...], **canvas: int):
        self.name, self.records, self.class_names = name, records, class_names
        self.image_key, self.label_key = keys
        self.canvas = canvas  # size and channels, as `to_canvas` takes them

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        record = self.records[int(index)]
        label = int(record[self.label_key])
        if not 0 <= label < len(self.class_names):
            raise InputError(f"{self.describe(index)}: label {label} is none of the {len(self.class_names)} classes")
        try:
            image = to_canvas(record[self.image_key], **self.canvas)
        except InputError as error:
            raise InputError(f"{self.describe(index)}: {error}") from error
        return {"image": image, "label": np.int32(label), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"{self.name} record {index}"


def open_tfds(
    name: str, *, canvas_size: int, channels: int = 3, data_dir: str | Path | None = None
) -> tuple[TfdsSource, TfdsSource]:
    """Train and validation (or test) images of a TFDS set, "name" or "name/config"; prepared if absent.

    Raises InputError when the set is unknown, cannot be prepared, is stored as TFRecord, or has no image and one label.
    """
    builder = prepared_builder(name, data_dir)
    image_key, label_key = _image_and_label(name, builder.info)
    class_names = tuple(builder.info.features[label_key].names or ())
    if not class_names:
        class_names = tuple(map(str, range(builder.info.features[label_key].num_classes)))

    def source(split: str) -> TfdsSource:
        records = builder.as_data_source(split, decoders=skip_decoding(image_key))
        keys = (image_key, label_key)
        return TfdsSource(f"{name} {split}", records, keys, class_names, size=canvas_size, channels=channels)

    return source("train"), source(_val_split(name, list(builder.info.splits)))


def prepared_builder(name: str, data_dir: str | Path | None) -> tfds.core.DatasetBuilder:
    """The builder of a TFDS set whose files can be read at random; prepares the set if it is absent.

    Raises InputError when the set is unknown, cannot be prepared or is stored as TFRecord.
    """
    import tensorflow_datasets as tfds

    root = Path(data_dir or "~/tensorflow_datasets").expanduser()
    try:
        builder = tfds.builder(name, data_dir=root)
    except tfds.core.DatasetNotFoundError:
        raise InputError(
            f"unknown data set {name!r}; give scenes, folder:PATH, or a TFDS name such as imagenet2012 or cifar10"
        ) from None
    except Exception as error:  # an unknown configuration or version comes as one of several types
        raise InputError(f"TFDS cannot open {name!r}: {_first_line(error)}") from error
    if not builder.is_prepared():
        builder = tfds.builder(name, data_dir=root, file_format="array_record")
        _prepare(name, builder, root)
    if (stored := builder.info.file_format.value) != "array_record":
        raise InputError(
            f"{builder.data_path} is stored as {stored}, which cannot be read at random; prepare {name} as "
            f"array_record in another --data_dir: {_command(name, Path('OTHER_DIR'))}"
        )
    return builder


def _prepare(name: str, builder: tfds.core.DatasetBuilder, root: Path) -> None:
    tars = root / "downloads" / "manual" / "ILSVRC2012_img_train.tar"
    if _is_imagenet(name) and not tars.exists():  # asked first: TFDS would announce a download that cannot happen
        raise InputError(_how_to_get_imagenet(name, root))
    try:
        builder.download_and_prepare()
    except Exception as error:  # no network, a manual download, a disk that is full, TensorFlow missing: all end here
        raise InputError(_what_to_do(name, root, error)) from error


def _is_imagenet(name: str) -> bool:
    return name.partition("/")[0] == "imagenet2012"


def _how_to_get_imagenet(name: str, root: Path) -> str:
    return (
        f"{name} is not prepared in {root}; put ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from "
        f"https://image-net.org/download-image into {root}/downloads/manual and run, once: "
        f"pip install tensorflow && {_command(name, root)}"
    )


def _what_to_do(name: str, root: Path, error: Exception) -> str:
    if "tensorflow" in str(error) and "No module named" in str(error):
        return f"preparing {name} needs TensorFlow this once; run: pip install tensorflow && {_command(name, root)}"
    reason = _first_line(error)
    return f"TFDS cannot prepare {name!r} in {root}: {reason}; manual downloads belong in {root}/downloads/manual"


def _command(name: str, root: Path) -> str:
    prepare = f"tfds.builder('{name}', data_dir='{root}', file_format='array_record').download_and_prepare()"
    return f'python -c "import tensorflow_datasets as tfds; {prepare}"'


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


def skip_decoding(image_key: str) -> dict:
    """Decoders that leave the bytes of an image as they are stored."""
    import tensorflow_datasets as tfds

    return {image_key: tfds.decode.SkipDecoding()}


def _val_split(name: str, splits: list[str]) -> str:
    for split in VAL_SPLITS:
        if split in splits and "train" in splits:
            return split
    raise InputError(f"{name} has the splits {', '.join(splits)}; needs train and one of {', '.join(VAL_SPLITS)}")
